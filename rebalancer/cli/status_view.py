"""The content of `status`, from the local journal alone, as a screen and as a document."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.cli.status_more import with_more
from rebalancer.cli.status_next import with_next
from rebalancer.core.documents import plain
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import ZERO, decimal_of, utc_of
from rebalancer.execution.kill_switch import halt_reason
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.status_query import JournalStatus, query_status
from rebalancer.ops.paths import JOURNAL_NAME, state_directory
from rebalancer.report.records import Mode, RunSummary, StatusView
from rebalancer.report.status import status_text
from rebalancer.settings.profile import PROFILE, environment_of

MODES: Final[tuple[Mode, ...]] = ("simulated", "paper", "live")


TODAY: Final = timedelta(hours=18)  # orders younger than this are today's: no day is longer, none closer


def gathered(modes: Sequence[Mode]) -> tuple[StatusView, Mapping[str, Decimal]]:
    """What the journal knows of the account that ran last in one of these modes, and the signed shares it should
    hold."""
    now = datetime.now(UTC)  # noqa: TID251 - the age of the last cycle is shown by this machine's clock
    journals = [(mode, state_directory() / mode / JOURNAL_NAME) for mode in modes]
    for _, path in journals:
        refuse_irregular_journal(path)
    there = [(path.stat().st_mtime, mode, path) for mode, path in journals if path.exists()]
    view, expected = nothing_yet(now)._replace(mode=modes[0]), dict[str, Decimal]()
    if there:
        _, mode, path = max(there)
        look = query_status(path, day_start=now - TODAY)
        if look is not None:
            view = view_of(look, mode, path, now)
            if view.now != now:  # its day is that of the exchange's own clock
                look = query_status(path, day_start=view.now - TODAY) or look
                view = view_of(look, mode, path, now)
            view = with_more(view, look, path)
            expected = dict(look.last_end.expected_positions) if look.last_end is not None else expected
    view = with_next(view, {mode: path.parent for mode, path in journals})
    profile = os.environ.get(PROFILE, "").strip()
    return view._replace(environment=environment_of(os.environ).name, profile=profile), expected


def shown(view: StatusView, *, colour: bool) -> str:
    """The status as a screen."""
    return status_text(view, width=terminal_width(), colour=colour and wants_colour())


def written(view: StatusView, more: Mapping[str, object]) -> str:
    """The status as a JSON document, with additional keys."""
    import json

    because = {"environment_because": environment_of(os.environ).because}
    facts = plain(view)
    document = {"schema": "rebalancer.status/1", **facts, "last_cycle": facts["last"], **because, **more}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def view_of(look: JournalStatus, mode: Mode, path: Path, now: datetime) -> StatusView:
    """The status of an account from one read of its journal."""
    end, cycle = look.last_end, look.last_cycle
    money = look.account.body if look.account is not None else {}
    last = None
    if cycle is not None:
        last = RunSummary(
            cycle_id=cycle.cycle_id,
            started_at=cycle.started_at,
            mode="dry_run" if cycle.mode == "dry_run" else mode,
            outcome=cycle.outcome or CycleOutcome.ABANDONED,
            because=cycle.because,
            orders=cycle.orders,
            filled=look.filled,
            turnover=ZERO,
            equity=cycle.equity or ZERO,
            needs=look.unresolved,
            constrained=cycle.constrained,
        )
    equity = _money(money, "equity") if end is None or end.equity is None else end.equity  # an exit reads no account
    return StatusView(
        mode=mode,
        account_id=look.account_id or "",
        stopped=halt_reason(path.parent) or look.kill_switch or _latched(look),
        last=last,
        last_seconds=None,
        # The exchange's own clock pauses between runs, so the age is measured by this machine's clock alone.
        now=now if last is None or "run_at" not in money else last.started_at + (now - utc_of(str(money["run_at"]))),
        equity=equity,
        last_equity=_money(money, "last_equity"),
        drawdown=_drawdown(equity, look.peak_equity),
        cash=_money(money, "cash"),
        positions=len(end.expected_positions) if end is not None else None,
        open_orders=look.unresolved - look.unknown,
        unknown_orders=look.unknown,
        alerts=tuple(str(alert.body.get("text", "")) for alert in look.alerts),
        next_at=None,
        next_hint="",
    )


def _latched(look: JournalStatus) -> str:
    """What the latched limits forbid, "" when none is latched."""
    closed = [str(event.body.get("because", "")) for event in look.latched if event.key == "throttle"]
    if closed:
        return f"the gate is closed: {closed[-1]}; open it with: rebalancer resume --reason ..."
    said = dict.fromkeys(str(event.body.get("because", event.key)) for event in look.latched)
    return f"only reductions are sent today: {'; '.join(said)}" if said else ""


def nothing_yet(now: datetime) -> StatusView:
    """The status before the first cycle."""
    return StatusView(
        mode="simulated",
        account_id="",
        stopped="",
        last=None,
        last_seconds=None,
        now=now,
        equity=None,
        last_equity=None,
        drawdown=None,
        cash=None,
        positions=None,
        open_orders=0,
        unknown_orders=0,
        alerts=(),
        next_at=None,
        next_hint="",
    )


def _money(body: Mapping[str, object], key: str) -> Decimal | None:
    return decimal_of(str(body[key])) if key in body else None


def _drawdown(equity: Decimal | None, peak: Decimal | None) -> float | None:
    return None if equity is None or not peak else float(max(1 - equity / peak, ZERO))
