"""Every code of an alert: when it is written, what it means, and what to do. The runbook is generated from this table
(`python -m tests.docs`).

An order refused by the pre-trade check has the name of the limit as its code; `LIMIT` stands for all of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class AlertCode(NamedTuple):
    """One code: the levels that it comes with, and its paragraph in the runbook."""

    levels: str
    means: str
    to_do: str


LIMIT: Final = AlertCode(
    "warning; action for `form`, `intent`, `journal` and `throttle`",
    "The pre-trade check refused an order just before it would have left. It is reported once a day for each symbol "
    "and limit; the text has the limit and the figures.",
    "A warning needs nothing: the next cycle plans again. If it repeats, compare the limit with the plan (`explain "
    "SYMBOL`). An action means that the program contradicts itself or its journal: stop with `rebalancer kill`, run "
    "`rebalancer doctor` and `rebalancer db check`, and report it.",
)

ALERT_CODES: Final[Mapping[str, AlertCode]] = {
    "halted": AlertCode(
        "action; warning for the kill switch, and for a slot in which the broker did not answer",
        "A cycle was halted or abandoned, or a slot had no cycle. It is written once per run of cycles with the same "
        "outcome.",
        "Look the outcome up in [outcomes](outcomes.md): it says what to do. "
        "`rebalancer status` shows whether it lasts.",
    ),
    "constrained": AlertCode(
        "warning",
        "A cycle sent nothing because limits on sending denied every trade that is due.",
        "See which limit (`rebalancer status`), and raise it or accept that the rest waits.",
    ),
    "missed_slots": AlertCode(
        "warning",
        "Slots of the trading calendar had no cycle: missed, too late, or the cycle before still ran.",
        "Check that the session was running (`./status_execution_trading.sh`) and how long cycles take.",
    ),
    "regime": AlertCode(
        "warning towards caution, info towards risk",
        "The market's regime has changed (docs/how-to/regimes.md): by the closes of the last session, or because the "
        "benchmark has had no close for some sessions.",
        "Nothing, when the closes changed it. When the benchmark is missing, check that the broker has bars of it "
        "(`regime.benchmark`): until then the regime only becomes more careful.",
    ),
    "latched": AlertCode(
        "action",
        "A loss limit was reached, or too many orders went out within a minute. Only reductions are sent, or nothing "
        "at all after the throttle.",
        "Understand the loss or the burst first. Loss limits are lifted the next day; "
        '`rebalancer resume --reason "..."` lifts a latch earlier.',
    ),
    "unknown_order": AlertCode(
        "action",
        "The outcome of an order is unknown. Its symbol is frozen and its worst case counts against the caps.",
        "Nothing, if the next cycle clears it. Otherwise look the order up at the broker by its client order id, and "
        "run `rebalancer run-now` to ask again. Never send the trade by hand before that.",
    ),
    "late_fill": AlertCode(
        "warning",
        "A fill arrived after its cycle had ended. The position is explained by it.",
        "Nothing.",
    ),
    "late_order": AlertCode(
        "warning",
        "An order that had been given up as never placed is at the broker after all. It is counted again from now on.",
        "Nothing for a single one. If it repeats, the connection delays requests for minutes: check the network.",
    ),
    "unexplained": AlertCode(
        "warning",
        "A position changed and no fill, transfer or corporate action explains it. Its symbol is frozen for one cycle.",
        "Compare with the broker. If you traded by hand, nothing: it is adopted when it reads the same again.",
    ),
    "doubt": AlertCode(
        "action",
        "The broker's readings contradict themselves, so nothing was traded on them.",
        "Compare account and positions at the broker with `rebalancer status --live`.",
    ),
    "signal_receipts": AlertCode(
        "warning",
        "The store of receipts (`signals.sqlite`) could not be written. Trading does not depend on it; `rebalancer "
        "signals` is out of date. It is reported once a day.",
        "Look at the reason: usually the disk or the file's owner. A damaged file can be moved away; the next cycle "
        "builds it again from the journal.",
    ),
    "stale_signals": AlertCode(
        "warning",
        "All signals of a source are older than `signals.max_age_minutes`; nothing is traded on them.",
        "Check whatever writes the signal files.",
    ),
    "source_off": AlertCode(
        "warning",
        "A source that is asked in the background is not asked any more: its key is missing or refused, its quota is "
        "used up, the vendor has withdrawn the interface or does not take the request, or it has not answered for a "
        "quarter of an hour. Its last votes count until they are stale; then the other sources share its weight.",
        "Do what the text says: set the key it names, wait for the quota, or disable the source "
        "([sources](../how-to/sources.md#when-it-is-off)). `rebalancer sources test NAME SYMBOL` tries it at once.",
    ),
    "source_on": AlertCode(
        "info",
        "A source that was reported as off is asked again.",
        "Nothing.",
    ),
    "model_off": AlertCode(
        "warning",
        "The model is enabled and cannot be used: its files are missing, damaged or of other features, its prices are "
        "too old, the extra `model` is not installed, or its key is refused. Its votes are withdrawn. The other "
        "signals are traded, unless `model.fallback_to_external_signals` is false: then every cycle ends with an error "
        "and nothing is sent.",
        "`rebalancer model card` says why. Train it again (`rebalancer model train`), install the extra, or set "
        "`model.enabled: false` ([the model](../how-to/model.md)).",
    ),
    "another_program": AlertCode(
        "action",
        "Another program trades this account with our order ids: a second installation, or a restored copy.",
        "Stop one of them at once. An account belongs to one journal.",
    ),
    "adopted": AlertCode(
        "warning",
        "Orders that the journal lacked, for example after a restore, were written into it, and the broker's positions "
        "were taken as they are.",
        "Compare positions with the broker once.",
    ),
    "exit": AlertCode(
        "warning",
        "A stop or a target closed a position.",
        "Nothing. After a stop the symbol cools off (`protection.cool_off`).",
    ),
    "exit_failed": AlertCode(
        "action",
        "A position should have been closed by a stop or target, and shares are left.",
        "Close the position by hand at the broker, or with `rebalancer kill --flatten`. The monitor keeps trying.",
    ),
    "unprotected": AlertCode(
        "action; warning when the trade itself took that long",
        "A position has had no stop for longer than `protection.max_unprotected_seconds`.",
        "Look at `rebalancer status` (exits). If it lasts, place a stop by hand or close the position.",
    ),
    "protection": AlertCode(
        "action, warning or info",
        "A pair of exits was refused, lost or cancelled at the broker. The text says by whom and why.",
        "Nothing for info and warning: it is placed again. For action place a stop by hand, and see why it was "
        "refused.",
    ),
    "books": AlertCode(
        "action",
        "The daily close differs from the broker's own records, to the cent or the share.",
        "Read the day's report: each difference is listed. Accept the broker's books only after you know why.",
    ),
    "unknown_word": AlertCode(
        "action",
        "The broker used a word that this program does not know: an account activity of a new type, or an order in a "
        "new status. What it means is never guessed. The activity is counted as nothing and its symbol is frozen until "
        "the books of the next day are closed; the order is taken to be working and freezes its symbol until it ends.",
        "Read what the broker says about it. If positions or cash were changed, the daily close lists the difference. "
        "Tell the maintainers the word, so that a later version knows it.",
    ),
    "preflight": AlertCode(
        "warning",
        "Something is not as it should be before the open: clock, disk, kill switch, account.",
        "Run `rebalancer doctor`; it names the fix.",
    ),
    "report": AlertCode(
        "warning",
        "A report could not be written. Trading is not affected.",
        "Check the report folder and the disk, then `rebalancer report`.",
    ),
    "backup": AlertCode(
        "warning",
        "The journal was not copied at the end of the day, or before a newer version wrote to it.",
        "Free disk space and run `rebalancer db backup`.",
    ),
    "mirror_behind": AlertCode(
        "warning",
        "The journal's mirror in PostgreSQL has lacked rows for longer than `journal.mirror_warn_minutes`: the "
        "database cannot be reached, or the process that copies does not run. Trading does not wait for it.",
        "`rebalancer mirror status` says how far it is behind and why. It catches up by itself once the database "
        "answers; `rebalancer mirror run --once` tries at once.",
    ),
    "mirror_refused": AlertCode(
        "warning",
        "Nothing is copied to the journal's mirror, or a comparison found a difference: the mirror holds another "
        "history or was promoted, the journal is damaged, or a row of the mirror was altered.",
        "Read the text, and [the mirror](../how-to/mirror.md#when-it-refuses). A damaged journal is restored from a "
        "backup; a mirror that differs is dropped, and copied anew.",
    ),
    "mirror_level": AlertCode(
        "info",
        "The mirror has every row again.",
        "Nothing.",
    ),
    "restore_drill": AlertCode(
        "action",
        "The newest backup could not be restored for a try.",
        "Take a new one with `rebalancer db backup`, then `rebalancer db drill`; look at the disk of the backups.",
    ),
    "tradervue": AlertCode(
        "warning",
        "The copy to Tradervue did not succeed, or not entirely.",
        "Check the credentials and run `rebalancer export tradervue`; nothing is sent twice.",
    ),
    "evidence": AlertCode(
        "warning",
        "The signed file of the day was not written.",
        "Mend what the message names and run `rebalancer evidence write --day DAY`.",
    ),
    "unit_failed": AlertCode(
        "action",
        "A systemd unit of this program failed.",
        "`journalctl --user -u` with the name of that unit shows why; `rebalancer doctor` checks the rest.",
    ),
    "day": AlertCode(
        "info",
        "The day is closed, in one sentence.",
        "Nothing.",
    ),
    "summary": AlertCode(
        "info",
        "The daily summary with the report attached, and all alerts below the level that is sent at once.",
        "Read it.",
    ),
}
