"""The status of one account from its state folder: journal, session and sources, within milliseconds.

Nothing heavy is imported, and the configuration is not read. The next cycle and the newest page are read from a few
small files; no request is made.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rebalancer.accounting.newest_day import newest_day
from rebalancer.core.decisions import LimitUse
from rebalancer.core.limits import LimitKind
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import ZERO, decimal_of
from rebalancer.execution.kill_switch import halt_reason
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.journal.place import Place
from rebalancer.journal.records import CycleRecord, Event
from rebalancer.journal.status_query import JournalStatus
from rebalancer.ops.mirror_status import read_mirror_status
from rebalancer.ops.paths import LOCK_NAME, SESSION_LOCK_NAME, home_directory, project_root
from rebalancer.ops.run_lock import holder_of
from rebalancer.ops.session_status import WAITING, SessionStatus, session_status
from rebalancer.ops.source_status import SourceStatus, current_sources
from rebalancer.performance.drawdown import below_mark
from rebalancer.report.figures.of_status import figures_of_status
from rebalancer.report.mirror import mirror_line
from rebalancer.report.next_cycle import next_cycle
from rebalancer.report.numbers import span_text
from rebalancer.report.paths import REPORT_NAME, shown_path
from rebalancer.report.records import LimitStatus, Mode, RunningCycle, RunSummary, StatusView
from rebalancer.report.regime import RegimeView, regime_of_event
from rebalancer.report.words import parity_text
from rebalancer.settings.profile import PROFILE

ALERTS_SHOWN: Final = 3
LIMITS_SHOWN: Final = 3
UNIT: Final = "paper-trading-session"
Document = Mapping[str, Any]
_DAY_PAGE: Final = re.compile(r"\d{4}-\d\d-\d\d_[a-z_]+_day", re.ASCII)


def with_schedule(view: StatusView, states: Mapping[Mode, Path], rules: Document | None, now: datetime) -> StatusView:
    """The view with its next cycle: as the running session says, else from the schedule and the calendar."""
    view = with_next(view, states)
    if view.next_at is not None:
        return view
    at = next_cycle(max(view.now, now), rules)  # a session sets a played market's clock to this machine's
    return view._replace(next_at=at, next_here="" if at is None else here_text(at))


# what the journal knows


def view_of(look: JournalStatus, mode: Mode, path: Place, now: datetime, process: int | None = None) -> StatusView:
    """The status of an account from one read of its journal. process: who held the run lock before the read."""
    end, cycle, filled = look.last_end, look.last_cycle, look.filled
    running = running_cycle(cycle, path, process)
    if running is not None:
        cycle, filled = look.earlier_cycle, look.earlier_filled
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
            filled=filled,
            turnover=ZERO,
            equity=cycle.equity or ZERO,
            needs=look.unresolved,
            constrained=cycle.constrained,
        )
    newest = newest_day(look.day)
    equity = None if newest is None else newest.equity
    below = None if newest is None else below_mark(newest.equity, newest.mark)
    plan, rules = (None if text is None else json.loads(text) for text in (look.plan, look.rules))
    drift, band, drift_of = _drift(plan)
    protection, unprotected = _protection(look, rules)
    clock = look.now or now
    if look.last_cycle is not None:  # the clock of an accelerated session is not this machine's
        clock = max(clock, look.last_cycle.started_at)
    return StatusView(
        mode=mode,
        account_id=look.account_id or "",
        stopped=halt_reason(path.parent) or _mirrored(look) or look.kill_switch or _latched(look),
        last=last,
        last_seconds=None,
        now=clock,
        equity=equity,
        last_equity=_money(money, "last_equity"),
        drawdown=None if below is None else abs(below),
        cash=None if newest is None else newest.cash,
        positions=len(end.expected_positions) if end is not None else None,
        open_orders=look.unresolved - look.unknown,
        unknown_orders=look.unknown,
        alerts=tuple(_alert(alert, look, clock) for alert in look.alerts[:ALERTS_SHOWN]),
        next_at=None,
        next_hint="",
        drift=drift,
        band=band,
        drift_of=drift_of,
        report=newest_report(mode, rules),
        limits=() if look.account_id is None else _limits(look, plan, rules),
        protection=protection,
        unprotected=unprotected,
        running=running,
        figures=tuple(figures_of_status(newest, last)),
        sources=_sources(path.parent, rules),
        parity="" if look.parity is None else parity_text(look.parity.key or "", look.parity.body),
        regime=_regime(look, rules),
        mirror=_mirror(path, rules, now),
        since=None if newest is None else newest.since,
        from_close=newest is not None and newest.from_close,
    )


def _regime(look: JournalStatus, rules: Document | None) -> RegimeView | None:
    """The market's newest regime, as long as the last plan was made under rules that judge it."""
    if look.regime is None or rules is None or not rules.get("regime", {}).get("enabled"):
        return None
    return regime_of_event(look.regime.body)


def _sources(state: Path, rules: Document | None) -> tuple[SourceStatus, ...]:
    """What the process that asks the sources reported last, of those that the last plan's rules enable."""
    enabled = None if rules is None else rules.get("signals", {}).get("sources", {})
    return tuple(
        row for row in current_sources(state) if enabled is None or enabled.get(row.name, {}).get("enabled") is True
    )


def _mirror(journal: Place, rules: Document | None, now: datetime) -> str:
    """What the process that copies the journal reported last, where the last plan's rules name a mirror."""
    if not isinstance(journal, Path) or not (rules or {}).get("journal", {}).get("mirror_url"):
        return ""
    status = read_mirror_status(journal.parent)
    if status is None:
        return "! nothing was copied yet"
    written = HeadCheckpoint(journal).read()
    return mirror_line(status, None if written is None else written[0], now)


def running_cycle(newest: CycleRecord | None, journal: Place, process: int | None) -> RunningCycle | None:
    """The newest cycle, when it has not ended and a process holds the run lock; else it was abandoned."""
    if newest is None or newest.outcome is not None:
        return None
    process = holder_of(journal.parent / LOCK_NAME) or process
    return None if process is None else RunningCycle(newest.cycle_id, newest.started_at, process)


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


def _mirrored(look: JournalStatus) -> str:
    return look.mirror_of and f"this is the mirror of {look.mirror_of}; to trade here: rebalancer mirror promote"


def _latched(look: JournalStatus) -> str:
    """What the latched limits forbid, "" when none is latched."""
    closed = [str(event.body.get("because", "")) for event in look.latched if event.key == "throttle"]
    if closed:
        return f"no orders are sent: {closed[-1]}; open it with: rebalancer resume --reason ..."
    said = dict.fromkeys(str(event.body.get("because", event.key)) for event in look.latched)
    return f"only reductions are sent today: {'; '.join(said)}" if said else ""


def _money(body: Mapping[str, object], key: str) -> Decimal | None:
    return decimal_of(str(body[key])) if key in body else None


def _drift(plan: Document | None) -> tuple[float | None, float | None, str]:
    """The largest drift of the plan, with that symbol's band and its name."""
    targets = plan["targets"] if plan is not None else []
    if not targets:
        return None, None, ""
    widest = max(targets, key=lambda target: abs(target["drift"]))
    return abs(widest["drift"]), widest["band"], str(widest["symbol"])


def _limits(look: JournalStatus, plan: Document | None, rules: Document | None) -> tuple[LimitStatus, ...]:
    """The most used limits of the last plan; and always the day's orders."""
    uses = [] if plan is None else plan["limits"]
    found = [
        LimitUse(use["name"], use["limit"], use["before"], use["after"], use["binds"], use.get("kind")) for use in uses
    ]
    found = [use for use in found if use.share is not None and use.measures is not LimitKind.ORDERS]
    found.sort(key=lambda use: (-(use.share or 0.0), use.name))
    most = (rules or {}).get("risk_management", {}).get("max_orders_per_day")
    orders = () if most is None else (LimitStatus("orders_today", look.orders_today.orders_sent, most, counts=True),)
    shown = (LimitStatus(use.name, use.after, use.limit, use.measures.counts) for use in found[:LIMITS_SHOWN])
    return (*shown, *orders)


def _protection(look: JournalStatus, rules: Document | None) -> tuple[str, tuple[str, ...]]:
    mode = (rules or {}).get("protection", {}).get("mode")
    if mode is None:
        return "", ()
    if mode != "broker":
        words = {"monitor": "watched by this program while a session runs", "off": "off: positions have no stops"}
        return words[mode], ()
    stands = (e for e in look.protection if e.body["state"] == "open" and e.body.get("bare_since") is None)
    rests = {event.key for event in stands}  # without those whose cancel was requested and is not confirmed
    held = sorted(look.last_end.expected_positions) if look.last_end is not None else []
    return f"{len(rests & set(held))} of {len(held)} positions at the broker", tuple(s for s in held if s not in rests)


def _alert(alert: Event, look: JournalStatus, now: datetime) -> str:
    """An alert with its age and delivery state."""
    sent, failed = look.sent.get(alert.seq, ()), look.failed.get(alert.seq, ())
    parts = [f"sent by {', '.join(sent)}"] if sent else []
    parts += [f"failed by {', '.join(name for name in failed if name not in sent)}"] if set(failed) - set(sent) else []
    age = span_text(max((now - alert.at).total_seconds(), 0.0))
    return f"{alert.body.get('text', '')} ({age} ago, {'; '.join(parts) or 'not sent'})"


# what comes next


def with_next(view: StatusView, states: Mapping[Mode, Path]) -> StatusView:
    """The view with its next cycle: from the running session, else from the timer, else a hint how to start one."""
    statuses = {mode: found for mode, state in states.items() if (found := session_status(state)) is not None}
    alive = {mode: found for mode, found in statuses.items() if found.is_alive}
    if view.mode in alive:
        return _running(view, alive[view.mode])
    starting = holder_of(states[view.mode] / SESSION_LOCK_NAME) if view.mode in states else None
    if starting is not None:
        return view._replace(next_hint=f"a session is starting, process {starting}")
    for mode, found in alive.items():
        return view._replace(next_hint=f"a session of {mode} trading runs, process {found.pid}")
    gone = statuses.get(view.mode)
    ended = "" if gone is None else f"the session of {gone.day} ended before its day was closed (process {gone.pid}); "
    timer = installed_timer()
    if timer:
        return view._replace(next_hint=f"{ended}{timer} is enabled")
    start = "a session: ./start_execution_trading.sh, one cycle: ./run_execution_trading_now.sh"
    return view._replace(next_hint=f"{ended or 'no session runs, no timer is installed; '}{start}")


def installed_timer() -> str:
    """The name of this profile's enabled timer, "" when there is none. systemd itself is not queried: that takes too
    long."""
    profile = os.environ.get(PROFILE, "").strip()
    name = f"{UNIT}@{profile}.timer" if profile else f"{UNIT}.timer"
    base = os.environ.get("XDG_CONFIG_HOME", "")
    own = Path(base) if os.path.isabs(base) else home_directory() / ".config"
    folders = (own / "systemd" / "user", Path("/etc/systemd/user"), Path("/etc/systemd/system"))
    return name if any(os.path.lexists(folder / "timers.target.wants" / name) for folder in folders) else ""


def newest_report(mode: Mode, rules: Document | None) -> str:
    """The newest page of this mode, as the shortest path from here; "" when there is none.

    rules: those of the last plan, which name the folder; reading the configuration itself takes too long.
    """
    if rules is None:
        return ""
    root = project_root(Path.cwd()) or Path.cwd()
    folder = root / Path(rules["reporting"]["directory"]).expanduser() / os.environ.get(PROFILE, "").strip()
    try:
        years = sorted((year for year in folder.iterdir() if re.fullmatch(r"\d{4}", year.name)), reverse=True)
        for year in years:
            pages = [page for page in year.iterdir() if page.suffix == ".html" and _is_of(page.stem, mode)]
            if pages:
                return shown_path(max(pages, key=lambda page: (page.stem[:10], page.stat().st_mtime_ns)))
    except OSError:
        return ""
    return ""


def _is_of(name: str, mode: Mode) -> bool:
    return f"_{mode}_" in name and (REPORT_NAME.fullmatch(name) or _DAY_PAGE.fullmatch(name)) is not None


def _running(view: StatusView, session: SessionStatus) -> StatusView:
    doing = "" if session.doing.startswith(WAITING) else f": {session.doing}"
    hint = f"session runs, process {session.pid}{doing}"
    here = "" if session.next_at is None else here_text(session.next_at)
    return view._replace(next_at=session.next_at, next_here=here, next_hint=hint)


def here_text(moment: datetime) -> str:
    """The time of day by this machine's clock."""
    return f"{moment.astimezone():%H:%M}"
