"""One rebalance, top to bottom: the order of effects.

    observe   one snapshot of account, market and signals
    plan      decide (pure)
    journal   the snapshot, the rules and the plan are committed before anything is sent
    reduce    send phase one, wait for its end
    afford    read the account again, reduce the increases to the funds available (pure)
    increase  send phase two, wait for its end
    settle    one verdict per signal (pure), and the cycle is closed in the journal

What an earlier, interrupted cycle left behind is closed before it (`recover`). A mode is a different `World`; there is
no `if dry_run` here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.accounting.activities import UNKNOWN_WORD, note_activities
from rebalancer.accounting.cash_flows import unexplained_cash
from rebalancer.accounting.loss_latches import latch
from rebalancer.accounting.opening_balance import note_opening_balance
from rebalancer.core.codec import rules_text, seal, snapshot_text
from rebalancer.core.decisions import Constrained, Order, Plan, Verdict
from rebalancer.core.errors import LockHeld
from rebalancer.core.facts import Account, Position, Snapshot
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, text_of, time_text
from rebalancer.execution.cancel_on_failure import cancelling_on_failure
from rebalancer.execution.order_tracking import NO_INFORMATION
from rebalancer.journal.alert_row import ALERT, alert_row
from rebalancer.journal.records import CycleStart
from rebalancer.ops.logs.context import LogEvent, bound, note
from rebalancer.planning import plan
from rebalancer.planning.constrain import constrain_after
from rebalancer.planning.reconcile import PositionFinding
from rebalancer.planning.refit_increases import refit_increases
from rebalancer.planning.trading_halt import LOSS_LIMITS, breaches
from rebalancer.planning.verdicts import OrderEnd, final_verdicts
from rebalancer.rebalance.cycle_end import outcome_of, to_remember
from rebalancer.rebalance.cycle_stats import CycleStats, Row, measured
from rebalancer.rebalance.exits_around_trades import place_exits, report_unprotected, withdraw_exits
from rebalancer.rebalance.market_regime import regime_rows
from rebalancer.rebalance.observe import Observation, observe
from rebalancer.rebalance.recover import alert_on_another_program
from rebalancer.rebalance.world import World

LOG: Final = logging.getLogger("rebalancer.cycle")
LOSS_OUTCOMES: Final = frozenset(outcome for _, outcome, _ in LOSS_LIMITS)


Narrow = Callable[[Snapshot, Plan, Rules], Rules]


class CycleResult(NamedTuple):
    """What one cycle did. `orders` are as sent, `ends` by client order id; the readings after it are None or empty when
    the broker no longer answered."""

    snapshot: Snapshot
    plan: Plan
    orders: tuple[Order, ...]
    ends: Mapping[str, OrderEnd]
    verdicts: tuple[Verdict, ...]
    unsignalled: tuple[Verdict, ...]
    outcome: CycleOutcome
    because: str
    findings: tuple[PositionFinding, ...]
    account_after: Account | None
    positions_after: tuple[Position, ...]
    timings: tuple[tuple[str, float], ...]
    constrained: Constrained | None = None


def run(world: World, rules: Rules, cycle_id: str | None = None, narrow: Narrow | None = None) -> CycleResult:
    """Run one cycle to its recorded end.

    cycle_id: the slot, or None for a run by hand. narrow: returns narrower rules for a given plan, which is then
    computed again with them; an error that it raises ends the run before the cycle is claimed. Raises before anything
    is sent: BrokerUnavailable, CredentialsRefused, WrongAccount, JournalBroken, BadDocument, LockHeld (the slot is
    taken). Once the plan is journalled it raises only when the journal itself fails (nothing more is sent then, and
    orders that may still work are cancelled) or when another program trades the account under our prefix
    (AnotherProgram, after writing an alert).
    """
    with bound(cycle=cycle_id or "", account=world.account_id or ""), alert_on_another_program(world):
        note(LOG, LogEvent.SLOT_BEGAN, f"cycle {cycle_id} begins" if cycle_id else "a run by hand begins")
        stats = CycleStats(world.clock, world.traffic, world.mode, rules.broker.data_feed)
        stats.cycle_id = cycle_id
        with (
            measured(stats, world.journal, world.account_id, world.broker.now),
            cancelling_on_failure(world.order_manager),
        ):
            return _run(world, rules, cycle_id, narrow, stats)


def _run(world: World, rules: Rules, cycle_id: str | None, narrow: Narrow | None, stats: CycleStats) -> CycleResult:
    seen = observe(world, rules, cycle_id)
    snapshot = seen.snapshot
    stats.cycle_id = snapshot.cycle_id
    stats.lap("read")
    decided = plan(snapshot, rules, seen.book)
    if narrow is not None:
        rules = narrow(snapshot, decided, rules)
        decided = plan(snapshot, rules, seen.book)
    stats.decided(snapshot, decided)
    stats.lap("plan")
    decided = _record(world, seen, rules, decided)
    _adopt(world, seen)
    world.order_manager.seen(snapshot)
    stats.lap("journal")

    reductions = tuple(o for o in decided.orders if o.phase == "reduce")
    grows = any(o.phase == "increase" for o in decided.orders)
    ends = _traded(world, snapshot.cycle_id, reductions, is_last=not grows)
    stats.lap("reduce", world.order_manager.waited())
    increases, denied = _affordable(world, decided, seen, rules, reductions, ends)
    ends |= denied
    stats.lap("fund")
    ends |= _with_cuts(decided, increases, _traded(world, snapshot.cycle_id, increases, is_last=True))
    stats.lap("increase", world.order_manager.waited())

    verdicts, unsignalled = final_verdicts(decided, ends)
    orders = (*reductions, *increases)
    account, positions = _afterwards(world, seen, orders, ends)
    if account is not None and not snapshot.doubt:  # no stop is taken down for what may not be so
        place_exits(world, rules, snapshot, orders, positions)
    else:
        report_unprotected(world, rules, snapshot)
    kept_back = constrain_after(decided, ends)
    outcome, why = outcome_of(decided, ends, kept_back)
    if outcome.startswith("HALTED"):
        note(LOG, LogEvent.HALTED, f"{outcome}: {why}", cycle=snapshot.cycle_id)
    latest = account or snapshot.account
    unexplained = unexplained_cash(snapshot.account.cash, latest.cash, orders if account else (), ends, snapshot.venue)
    end = to_remember(world, seen, orders, ends, outcome, str(why), account, positions, unexplained)
    end = end._replace(constrained=kept_back)
    _note_account(world, snapshot, latest, unexplained, stats.rows(outcome, "look_after"))
    carried = [name for name, e in ends.items() if not e.state.is_final]
    world.journal.close_cycle(end, (*verdicts, *unsignalled), carried=carried)
    return CycleResult(
        snapshot, decided, orders, ends, verdicts, unsignalled, outcome, str(why), seen.book.findings, account,
        positions, stats.steps, kept_back,
    )  # fmt: skip


def _traded(world: World, cycle_id: str, orders: Sequence[Order], *, is_last: bool) -> dict[str, OrderEnd]:
    """Bring one phase to its end; an order whose symbol cannot be freed from its resting exits is not sent."""
    blocked = withdraw_exits(world, orders)
    free = [o for o in orders if o.client_order_id not in blocked]
    return {**blocked, **world.order_manager.trade(cycle_id, free, is_last=is_last)}


def _record(world: World, seen: Observation, rules: Rules, decided: Plan) -> Plan:
    """Claim the cycle and commit the inputs of its plan and the plan itself, before anything is sent."""
    snapshot = seen.snapshot
    seen_text, said = snapshot_text(snapshot), rules_text(rules)
    sealed = seal(decided, seen_text, said)
    account_id = snapshot.account.id
    start = CycleStart(account_id, snapshot.cycle_id, world.mode, snapshot.as_of, world.version, sealed.rules_sha256)
    if not world.journal.begin_cycle(start):
        raise LockHeld(f"cycle {snapshot.cycle_id} has been run already")
    world.journal.record_plan(account_id, snapshot.cycle_id, snapshot.as_of, seen_text, said, sealed.to_json())
    if seen.activities is not None:
        note_activities(
            world.journal, account_id, snapshot.cycle_id, seen.activities, snapshot.explanations, seen.prices
        )
    if snapshot.expected_positions is None:
        held = {p.symbol: p.qty for p in snapshot.positions}
        note_opening_balance(
            world.journal, account_id, snapshot.cycle_id, snapshot.as_of, held, seen.fills_seen, seen.orders_after
        )
    _note_findings(world, seen, rules)
    if decided.outcome in LOSS_OUTCOMES:
        broken = [b for b in breaches(snapshot.account, rules) if b.limit not in snapshot.latched]
        latch(world.journal, snapshot.cycle_id, snapshot.as_of, snapshot.session, snapshot.account, broken)
        for breach in broken:
            note(LOG, LogEvent.LATCHED, f"latched: {breach.limit}", cycle=snapshot.cycle_id)
    return sealed


def _note_findings(world: World, seen: Observation, rules: Rules) -> None:
    """Record how positions differ from the expected ones, and report what nothing explains, each once; and the market's
    regime after a new session."""
    snapshot = seen.snapshot
    rows: list[tuple[str, str, dict[str, object]]] = []
    for finding in seen.book.findings:
        rows.append(("reconcile", finding.symbol, {"kind": finding.kind, "text": str(finding.why)}))
        if finding.kind == "unexplained" and not snapshot.doubt:
            said = f"{finding.symbol}: {finding.why}, and nothing explains it; it is not traded in this cycle"
            rows.append(alert_row(finding.symbol, "warning", "unexplained", said))
    before = seen.last_end
    if snapshot.doubt and (before is None or before.outcome is not CycleOutcome.HALTED_UNRECONCILED):
        rows.append(alert_row("doubt", "action", "doubt", snapshot.doubt))
    rows += _unknown_status_rows(world, seen)
    rows += regime_rows(
        snapshot.regime, seen.regime_before, rules.regime.judged_by(rules.reporting.benchmark), rules.regime
    )
    if rows:
        world.journal.record_events(snapshot.account.id, snapshot.cycle_id, snapshot.as_of, rows)


def _unknown_status_rows(world: World, seen: Observation) -> list[tuple[str, str, dict[str, object]]]:
    """One alert for each order and each status that the adapter does not know."""
    said = {f"{o.client_order_id} {o.status}": o for o in seen.not_understood}
    known = {event.key for event in world.journal.recall(seen.snapshot.account.id, ALERT, keys=sorted(said))}
    return [
        alert_row(
            about, "action", UNKNOWN_WORD,
            f'{one.symbol}: order {one.client_order_id} has the status "{one.status}", which this program does not '
            "know: it is taken to be working, and the symbol is not traded until it ends",
            symbol=one.symbol,
        )
        for about, one in said.items() if about not in known
    ]  # fmt: skip


def _adopt(world: World, seen: Observation) -> None:
    """Record the order ends that the reading showed, before anything new is intended for their symbols; and reopen the
    orders that we had given up as never placed: the next start cancels those that still work."""
    account_id, cycle_id, now = seen.snapshot.account.id, seen.snapshot.cycle_id, seen.snapshot.as_of
    for order in seen.ended:
        world.journal.record_order(
            account_id, order.client_order_id, now, order.state, order.filled_qty, order.filled_avg_price, order.id,
            "seen", f"the broker says {order.status}",
        )  # fmt: skip
    for order in seen.late:
        said = f"order {order.client_order_id} was given up as never placed; the broker has it: {order.status}"
        world.journal.record_order(
            account_id, order.client_order_id, now, order.state, order.filled_qty, order.filled_avg_price, order.id,
            "late", said,
        )  # fmt: skip
        world.journal.record_event(account_id, cycle_id, now, *alert_row(order.symbol, "warning", "late_order", said))


def _affordable(
    world: World,
    decided: Plan,
    seen: Observation,
    rules: Rules,
    reductions: Sequence[Order],
    ends: Mapping[str, OrderEnd],
) -> tuple[tuple[Order, ...], dict[str, OrderEnd]]:
    """The increases that can be paid for now, and an end for each that cannot. Without an account reading nothing is
    bought."""
    snapshot, paid_in = seen.snapshot, seen.paid_in
    increases = [o for o in decided.orders if o.phase == "increase"]
    if not increases:
        return (), {}
    if reductions:
        try:
            as_read = snapshot.account._replace(last_equity=snapshot.account.last_equity - paid_in)
            left = world.order_manager.left(as_read, reductions, ends)
        except NO_INFORMATION as error:
            return _none(increases, because(ReasonCode.ACCOUNT_NOT_READ, text=str(error)))
        account, changed = left.account._replace(last_equity=left.account.last_equity + paid_in), left.traded
        latch(world.journal, snapshot.cycle_id, world.broker.now(), snapshot.session, account, breaches(account, rules))
        if world.broker.now() >= snapshot.session.close:
            return _none(increases, because(ReasonCode.CLOSED_MEANWHILE))
        out = may_cost(reductions, ends)
        account = account._replace(cash=account.cash - out, buying_power=account.buying_power - out)
    else:
        account, changed = snapshot.account, {}
    stopped = world.kill.reason(snapshot.account.id) is not None  # it may have been set since
    refitted = refit_increases(decided, snapshot._replace(kill_switch=stopped), seen.book, rules, account, changed)
    denied = {
        name: OrderEnd(name, OrderState.NOT_SENT, ZERO, None, denial.because, denial.outcome)
        for name, denial in refitted.denied.items()
    }
    return refitted.orders, denied


def may_cost(reductions: Sequence[Order], ends: Mapping[str, OrderEnd]) -> Decimal:
    """USD that purchases among the reductions may still cost, where the broker has not reported their end."""
    left = [(o, ends[o.client_order_id]) for o in reductions if o.side == "buy"]
    return sum(
        ((o.qty - end.filled_qty) * (o.limit_price or o.price) for o, end in left if not end.state.is_final), ZERO
    )


def _none(orders: Sequence[Order], why: Reasons) -> tuple[tuple[Order, ...], dict[str, OrderEnd]]:
    return (), {o.client_order_id: OrderEnd(o.client_order_id, OrderState.NOT_SENT, ZERO, None, why) for o in orders}


def _with_cuts(decided: Plan, sent: Sequence[Order], ends: Mapping[str, OrderEnd]) -> dict[str, OrderEnd]:
    """Add the cut to the end message of every order that was sent smaller than planned."""
    planned = {o.client_order_id: o for o in decided.orders}
    with_cuts = dict(ends)
    for order in sent:
        before, end = planned[order.client_order_id], ends[order.client_order_id]
        if order.qty < before.qty:
            cut = order.because.after(before.because)
            with_cuts[end.client_order_id] = end._replace(message=cut.plus(end.message))
    return with_cuts


def _afterwards(
    world: World, seen: Observation, orders: Sequence[Order], ends: Mapping[str, OrderEnd]
) -> tuple[Account | None, tuple[Position, ...]]:
    """Account and positions at the end. Where nothing was to be sent and the reading was as expected, they are as they
    were read; a fill since then is in the orders of the next reading, as they were not in this one."""
    if not orders and not seen.snapshot.doubt and not seen.book.unexplained:
        return seen.snapshot.account, seen.snapshot.positions
    try:
        account, positions = world.order_manager.afterwards(seen.snapshot, orders, ends) or world.gather(
            lambda ask: ask(), [world.broker.account, world.broker.positions]
        )
    except NO_INFORMATION:
        return None, ()  # the trading is done; the report says that the final state was not read
    peak = max(seen.snapshot.account.peak_equity, account.equity)
    return account._replace(last_equity=account.last_equity + seen.paid_in, peak_equity=peak), positions


def _note_account(
    world: World, snapshot: Snapshot, account: Account, unexplained: Decimal, beside: Sequence[Row]
) -> None:
    """Record the account's money with the cycle, for `status`, and write other events in the same transaction. With
    `unexplained` the next cycle compares its cash with what the orders explain, and so asks for the cause."""
    body = {
        "equity": text_of(account.equity),
        "last_equity": text_of(account.last_equity),
        "cash": text_of(account.cash),
        "run_at": time_text(world.clock.wall()),
    }
    if unexplained:
        body["unexplained"] = text_of(unexplained)
    rows = [("account", None, body), *beside]
    world.journal.record_events(snapshot.account.id, snapshot.cycle_id, world.broker.now(), rows)
