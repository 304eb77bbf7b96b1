"""How long a position was without its exits: measured when a pair is in place again, reported as soon as it is too
long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from rebalancer.core.rules import Rules
from rebalancer.core.values import time_text
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.exit_order_records import CLOCK_ERROR, ExitPairRecord
from rebalancer.journal.journal import Journal

GAP: Final = "protection_gap"
Row = tuple[str, str, dict[str, object]]
CODE: Final = "unprotected"  # of alerts about positions without protection


def is_too_long(time: timedelta, rules: Rules) -> bool:
    """Whether a time without protection is reported. The true time may be longer than the measured one."""
    return time >= _longest(rules)


def _longest(rules: Rules) -> timedelta:
    longest = timedelta(seconds=rules.protection.max_unprotected_seconds)
    return max(longest - CLOCK_ERROR, min(longest, CLOCK_ERROR))


def is_told(journal: Journal, account_id: str, name: str, since: datetime, rules: Rules, level: str) -> bool:
    """Whether it has been reported, at this level ("warning" or "action") or above, that an interval which began at
    `since` lasts too long. Earlier reports, from before it lasted too long, do not count."""
    told = journal.recall(account_id, "alert", since=since + _longest(rules), keys=[name])
    return any(one.body.get("code") == CODE and one.body.get("level") in ("action", level) for one in told)


def late_rows(
    journal: Journal, account_id: str, kept: ExitPairRecord, now: datetime, rules: Rules, ending: str
) -> list[Row]:
    """An alert, as a journal row, when a position has been without exits for too long and that has not been
    reported."""
    since = kept.bare_since
    if since is None or not is_too_long(now - since, rules):
        return []
    if is_told(journal, account_id, kept.symbol, since, rules, "warning"):
        return []
    said = f"{kept.symbol}: without stop and target for {(now - since).total_seconds():,.0f} s; {ending}"
    return [alert_row(kept.symbol, "warning", CODE, said)]


def gap_rows(journal: Journal, account_id: str, kept: ExitPairRecord, now: datetime, rules: Rules) -> list[Row]:
    """The journal rows for the end of an interval without exits: its length, and the alert if one is still due."""
    if kept.bare_since is None:
        return []
    seconds = (now - kept.bare_since).total_seconds()
    gap: dict[str, object] = {"from": time_text(kept.bare_since), "seconds": seconds, "is_up": True}
    late = late_rows(journal, account_id, kept, now, rules, "they rest at the broker again")
    return [(GAP, kept.symbol, gap), *late]
