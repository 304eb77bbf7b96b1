"""The first days on a real paper account, checked against what they should have been: `doctor --soak`.

Everything is read from the journal and the backups beside it, also whether a person has tried what has to be tried,
such as the kill switch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from rebalancer.core.errors import JournalBroken
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.units import amount_of
from rebalancer.core.values import ZERO
from rebalancer.journal import CycleRecord, Event, Journal
from rebalancer.journal.backups import FOLDER, check, newest_first
from rebalancer.journal.records import DRY_RUN, NO_CYCLE
from rebalancer.report.archive import replayed
from rebalancer.report.operations import Operations, operations_of
from rebalancer.session.doctor.findings import CheckResult, fail, ok, warn
from rebalancer.session.end_of_day import KIND as CLOSED
from rebalancer.session.setup import Setup

DAYS: Final = 5  # a week of trading
LOOKED_BACK: Final = 14  # days in which that week is looked for
CYCLE_SECONDS: Final = 60.0  # a cycle that takes longer leaves little of the five minutes
REPLAYED: Final = 100  # newest plans that are planned again
GUIDE: Final = "docs/how-to/soak.md"
DAMAGED: Final = 78


def check_soak(setup: Setup, now: datetime) -> Iterator[CheckResult]:
    """Every check of the soak, in the order of the guide. now: this machine's time, aware UTC."""
    if setup.mode != "paper":
        yield warn("soak: account", f"this is {setup.mode} trading", f"the soak is for a paper account: {GUIDE}")
    if not setup.has_journal:
        yield fail("soak: journal", f"nothing has been run yet in {setup.mode} mode", f"begin with {GUIDE}")
        return
    try:
        with Journal.open(setup.journal, create=False) as journal:
            latest = journal.latest_events(1)
            if not latest:
                yield fail("soak: journal", "it is empty", f"begin with {GUIDE}")
                return
            yield from _of_account(journal, latest[0].account_id, now)
    except JournalBroken as error:
        yield fail("soak: journal", str(error).partition("\n")[0], "rebalancer db check", DAMAGED)
        return
    yield _backup(setup, now)


def _of_account(journal: Journal, account_id: str, now: datetime) -> Iterator[CheckResult]:
    since = now - timedelta(days=LOOKED_BACK)

    def recent(moment: datetime) -> bool:
        return moment >= since

    closed = [event for event in journal.recall(account_id, CLOSED, since=since) if sum(_slots(event).values())]
    cycles = [cycle for cycle in journal.cycles(account_id, 100_000) if recent(cycle.started_at)]
    real = [cycle for cycle in cycles if cycle.mode not in (DRY_RUN, NO_CYCLE)]
    done = operations_of(journal, account_id, recent)
    yield _days(closed)
    yield _missed(closed)
    yield from _cycles(real, done)
    yield _reconciliation(journal, account_id, closed)
    yield _plans(journal, [cycle for cycle in real if cycle.plan_sha256 is not None][:REPLAYED])
    yield _speed(done)
    yield _fills(done)
    yield from _alerts(journal, account_id, since)
    yield from _tried(journal, account_id, real, since)


def _slots(event: Event) -> dict[str, int]:
    return {str(word): int(count) for word, count in event.body["slots"].items()}


def _days(closed: Sequence[Event]) -> CheckResult:
    days = ", ".join(str(event.key) for event in closed[-DAYS:]) or "none"
    found = f"{len(closed)} of {DAYS} trading days closed in the last {LOOKED_BACK} days: {days}"
    return ok("soak: days", found) if len(closed) >= DAYS else warn("soak: days", found, "let it run on")


def _missed(closed: Sequence[Event]) -> CheckResult:
    counts = [_slots(event) for event in closed]
    missed = sum(
        count for slots in counts for word, count in slots.items() if word.lower() == CycleOutcome.MISSED.lower()
    )
    found = f"{missed} of {amount_of(sum(sum(slots.values()) for slots in counts), 'slot')} missed"
    if not missed:
        return ok("soak: slots", found)
    return warn("soak: slots", found, "rebalancer report DAY says when: was the machine asleep or the session stopped?")


def _cycles(real: Sequence[CycleRecord], done: Operations) -> Iterator[CheckResult]:
    halted = [cycle for cycle in real if (cycle.outcome or "").startswith("HALTED")]
    found = f"{amount_of(len(real), 'cycle')}, {len(halted)} halted, {done.abandoned} abandoned"
    if halted:
        yield fail("soak: cycles", found, f"rebalancer explain, history: the last halt is {halted[0].cycle_id}", 5)
    else:
        yield ok("soak: cycles", found)


def _reconciliation(journal: Journal, account_id: str, closed: Sequence[Event]) -> CheckResult:
    wrong = [text for event in closed for text in event.body["found"]]
    unknown = sum(order.state == "UNKNOWN" for order in journal.unresolved_orders(account_id))
    end = journal.last_end(account_id)
    strange = [symbol for symbol, qty in (end.unexplained if end else {}).items() if qty != ZERO]
    found = (
        f"{amount_of(len(wrong), 'difference')} at the ends of days, {amount_of(unknown, 'unknown order')}, "
        f"{amount_of(len(strange), 'unexplained position')}"
    )
    if wrong or unknown or strange:
        first = wrong[0] if wrong else f"{unknown} unknown" if unknown else strange[0]
        return fail("soak: reconciliation", found, f"docs/explanation/reconciliation.md; the first: {first}", 5)
    return ok("soak: reconciliation", found)


def _plans(journal: Journal, cycles: Sequence[CycleRecord]) -> CheckResult:
    """Plan the newest cycles again: what was traded is what the rules say."""
    cycles = [cycle for cycle in cycles if journal.plan_text(cycle.cycle_id, cycle.account_id) is not None]
    wrong = [cycle.cycle_id for cycle in cycles if replayed(journal, cycle.cycle_id).wrong]
    found = f"{len(cycles) - len(wrong)} of the newest {amount_of(len(cycles), 'plan')} are planned the same again"
    if wrong:
        return fail("soak: plans", found, f"rebalancer replay {wrong[0]}, and report it")
    return ok("soak: plans", found) if cycles else warn("soak: plans", "nothing was planned", "rebalancer run-now")


def _speed(done: Operations) -> CheckResult:
    if done.cycle.p95 is None:
        return warn("soak: speed", "no cycle has sent orders", "does it get signals? rebalancer signals list")
    order = "–" if done.order.p95 is None else f"{done.order.p95:,.0f} ms"
    found = f"95 % of trading cycles within {done.cycle.p95 / 1000:.1f} s, of orders answered within {order}"
    if done.cycle.p95 > CYCLE_SECONDS * 1000:
        return warn("soak: speed", found, "rebalancer report shows the steps; limit orders that wait make cycles long")
    return ok("soak: speed", found)


def _fills(done: Operations) -> CheckResult:
    found = f"{done.trade.measured} of {amount_of(done.order.measured, 'order')} that the broker answered were filled"
    if not done.trade.measured:
        return warn("soak: orders", found, "rebalancer explain SYMBOL says what stands in the way")
    return ok("soak: orders", found)


def _alerts(journal: Journal, account_id: str, since: datetime) -> Iterator[CheckResult]:
    alerts = journal.recall(account_id, "alert", since=since)
    action = [event for event in alerts if event.body.get("level") == "action"]
    sent = journal.recall(account_id, "alert_sent", since=since)
    found = f"{amount_of(len(alerts), 'alert')}, {len(action)} of them for a person, {len(sent)} deliveries"
    if action:
        yield warn("soak: alerts", found, f"docs/reference/alert-codes.md; the last: {action[-1].body.get('text', '')}")
    else:
        yield ok("soak: alerts", found)
    if not sent:
        yield warn("soak: delivery", "no alert was ever delivered", "rebalancer alerts test, and wait for it to arrive")


def _tried(journal: Journal, account_id: str, real: Sequence[CycleRecord], since: datetime) -> Iterator[CheckResult]:
    """What a person should have tried once before real money: the kill switch and back, a restart, a run by hand."""
    kills = {kind: journal.recall(account_id, kind, since=since) for kind in ("kill_set", "kill_cleared")}
    if all(kills.values()):
        yield ok("soak: kill switch", f"set and lifted, last on {day_in_new_york(kills['kill_cleared'][-1].at)}")
    else:
        yield warn(
            "soak: kill switch", "not tried", 'rebalancer kill, look at the status, rebalancer resume --reason "a try"'
        )
    by_hand = [cycle for cycle in real if cycle.cycle_id.count(":") > 1]
    if by_hand:
        yield ok("soak: run by hand", amount_of(len(by_hand), "run"))
    else:
        yield warn("soak: run by hand", "not tried", "./run_execution_trading_now.sh while the market is open")


def _backup(setup: Setup, now: datetime) -> CheckResult:
    """The newest copy is read whole, as a restore would."""
    copies = newest_first(setup.state / FOLDER)
    if not copies:
        return warn(
            "soak: backup", "there is none", "the session makes one at the end of each day: rebalancer db backup"
        )
    try:
        found = check(copies[0], live=False)
    except JournalBroken as error:
        return fail("soak: backup", str(error).partition("\n")[0], "rebalancer db backup", DAMAGED)
    age = "empty" if found.newest_at is None else f"{(now - found.newest_at).total_seconds() / 3600:.0f} hours old"
    return ok("soak: backup", f"{copies[0].name}: intact, {found.rows} rows, {age}")
