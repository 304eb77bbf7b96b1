"""Close positions now, outside the cycle: through the same order manager, journal and pre-trade check as its orders.

An exit is a small cycle of its own, with an id that no slot has: it is claimed, its orders are journalled before they
are sent, and what is left unfinished is closed by `recover` like that of any other cycle. Resting exits of the same
positions are withdrawn first, since they reserve the shares; when a stop of the process holds the order back, they are
placed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.accounting.acceptance import adopts_positions
from rebalancer.accounting.adoption import listed_orders
from rebalancer.accounting.opening_balance import note_opening_balance, starting_books
from rebalancer.core.codec import rules_text
from rebalancer.core.decisions import Order
from rebalancer.core.documents import sha256
from rebalancer.core.facts import Instrument, Position, Quote
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.reasons import Reasons
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, Side, cents_toward_zero, text_of, time_text
from rebalancer.core.venue_rules import VenueRules
from rebalancer.execution.order_tracking import NO_INFORMATION
from rebalancer.execution.pretrade import latched_because
from rebalancer.execution.traded import traded
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.records import EXIT_BEGUN, EXIT_TRADED, MONEY_AFTER_EXIT, CycleEnd, CycleStart
from rebalancer.planning.build_order import order_id
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.rebalance.exits_around_trades import exit_levels_of
from rebalancer.rebalance.world import World

Kind = Literal["stop", "target", "flatten"]
SECOND: Final = timedelta(seconds=1)
REPORTED_AGAIN: Final = timedelta(
    minutes=30
)  # an exit that keeps failing for one reason is reported again after this time


class ExitRequest(NamedTuple):
    """One position to be closed, and why."""

    symbol: str
    kind: Kind
    because: Reasons


class ExitResult(NamedTuple):
    """How one exit ended: the signed shares still held; `problem` is "" when none are left."""

    symbol: str
    filled: Decimal
    price: Decimal | None
    left: Decimal
    problem: str


def exit_positions(world: World, rules: Rules, exits: Sequence[ExitRequest], prefix: str) -> tuple[ExitResult, ...]:
    """Close these positions at the market and wait until that has ended. One result per exit, in their order.

    prefix: of the cycle's id, such as "exit". Raises BrokerUnavailable before anything was sent, and JournalBroken.
    """
    positions = {p.symbol: p for p in world.broker.positions() if p.qty != ZERO}
    blocked = _not_sendable(world, exits)
    wanted = [e for e in exits if e.symbol in positions and e.symbol not in blocked]
    blocked |= dict(world.protection.release({e.symbol for e in wanted})) if wanted else {}
    listed = _fills_before(world) if wanted else None
    if wanted:
        positions = {p.symbol: p for p in world.broker.positions() if p.qty != ZERO}
    now = world.broker.now()
    reference = world.reference.read(sorted({e.symbol for e in wanted}), now)
    instruments = {i.symbol: i for i in reference.instruments}
    quotes = {q.symbol: q for q in world.broker.quotes(sorted({e.symbol for e in wanted}))}
    cycle_id = _id(world, now, prefix)
    orders = [
        _order(
            world.account_id,
            cycle_id,
            positions[e.symbol],
            instruments.get(e.symbol),
            quotes.get(e.symbol),
            e,
            world.broker.venue,
        )
        for e in wanted
        if e.symbol not in blocked and e.symbol in positions
    ]
    orders = [order for order in orders if order.qty > 0]
    ends: Mapping[str, OrderEnd] = {}
    if orders:
        start = CycleStart(world.account_id, cycle_id, world.mode, now, world.version, sha256(rules_text(rules)))
        claimed = world.journal.begin_cycle(start)
        assert claimed, "the id was free"
        if listed is not None:
            held = {symbol: position.qty for symbol, position in positions.items()}
            after = starting_books(world.journal, world.account_id, cycle_id).orders_after
            note_opening_balance(world.journal, world.account_id, cycle_id, now, held, listed, after)
        _note_begun(world, cycle_id, now, [e for e in exits if e.symbol in {o.symbol for o in orders}])
        ends = world.order_manager.trade(cycle_id, orders)
        _close(world, cycle_id, orders, ends, _sentence(exits, prefix))
        _note_money(world, cycle_id)
    by_symbol = {o.symbol: (o, ends[o.client_order_id]) for o in orders}
    answers = tuple(_answer(e, positions.get(e.symbol), by_symbol.get(e.symbol), blocked) for e in exits)
    _note(world, cycle_id, exits, answers)
    if rules.protection.mode == "broker" and world.is_stopping() and any(one.left != ZERO for one in answers):
        _place_again(world, rules)
    return answers


def _note_begun(world: World, cycle_id: str, now: datetime, exits: Sequence[ExitRequest]) -> None:
    """Record what is being closed and why, before anything is sent: if this process dies, or the broker reports the
    fill later, the symbol still counts as closed by this exit."""
    rows = [(EXIT_BEGUN, wanted.symbol, {"kind": wanted.kind}) for wanted in exits]
    world.journal.record_events(world.account_id, cycle_id, now, rows)


def _place_again(world: World, rules: Rules) -> None:
    """Place the exits that were withdrawn for an order that a stop of the process held back: no later check of this
    process would. Without an answer the next process does it."""
    try:
        held = [p for p in world.broker.positions() if p.qty != ZERO]
        world.protection.place(exit_levels_of(world, rules, held))
    except NO_INFORMATION:
        return


def _fills_before(world: World) -> Mapping[str, Decimal] | None:
    """When the positions are to be taken as they are: by the broker's order id the filled quantity that they include,
    read before them. None when they are not, or when the broker does not list its orders: then the next cycle takes
    them, and no exit is held up for the books."""
    if not adopts_positions(world.journal, world.account_id):
        return None
    try:
        listed = listed_orders(world.journal, world.broker, world.account_id)
    except NO_INFORMATION:
        return None
    last = world.journal.last_end(world.account_id)
    return dict(last.fills_seen if last is not None else {}) | {o.id: o.filled_qty for o in listed.values()}


def _not_sendable(world: World, exits: Sequence[ExitRequest]) -> dict[str, str]:
    """The symbols whose order would not be sent, and why: their resting exits stay, since withdrawing them would leave
    the position unprotected. A flatten is sent under the kill switch and a latched throttle too."""
    killed, latched = world.kill.reason(world.account_id), latched_because(world.journal, world.account_id)
    if world.is_stopping():
        why = "the process is being stopped"
    elif killed is not None:
        why = f"the kill switch is set: {killed}"
    elif latched is not None:
        why = f"the throttle is latched: {latched}; lift it with: rebalancer resume --reason ..."
    else:
        return {}
    return {e.symbol: why for e in exits if e.kind != "flatten"}


def _order(
    account_id: str,
    cycle_id: str,
    position: Position,
    instrument: Instrument | None,
    quote: Quote | None,
    wanted: ExitRequest,
    venue: VenueRules,
) -> Order:
    """A market order that closes the part of a position that is not reserved by other orders."""
    side: Side = "sell" if position.qty > 0 else "buy"
    sides = (quote.bid, quote.ask) if quote is not None else (None, None)
    price = (sides[0] if side == "sell" else sides[1]) or (quote.last if quote is not None else None)
    qty = min(abs(position.qty_available), abs(position.qty))
    worth = price or position.avg_entry_price
    return Order(
        client_order_id=order_id(account_id, cycle_id, "reduce", position.symbol, 1),
        phase="reduce",
        symbol=position.symbol,
        side=side,
        qty=qty,
        notional=cents_toward_zero(qty * worth),
        type="market",
        limit_price=None,
        time_in_force=venue.time_in_force(instrument.asset_class if instrument is not None else "us_equity"),
        position_intent="sell_to_close" if side == "sell" else "buy_to_close",
        price=worth,
        reserve=ZERO,
        drift=0.0,
        because=wanted.because,
    )


def _id(world: World, now: datetime, prefix: str) -> str:
    """An id that no slot and no other run has: its second, or the next free one."""
    moment = now
    while world.journal.cycle(name := f"{prefix}-{moment:%Y-%m-%dT%H:%M:%SZ}", world.account_id) is not None:
        moment += SECOND
    return name


def _close(world: World, cycle_id: str, orders: Sequence[Order], ends: Mapping[str, OrderEnd], because: str) -> None:
    """Record what the next cycle has to know: the positions that it should find."""
    books = starting_books(world.journal, world.account_id, cycle_id)
    expected, fills = dict(books.positions), dict(books.fills_seen)
    for symbol, qty in traded(orders, ends).items():
        expected[symbol] = expected.get(symbol, ZERO) + qty
    for order in orders:
        record = world.journal.order(order.client_order_id)
        if record is not None and record.broker_id is not None:
            fills[record.broker_id] = record.filled_qty
    world.journal.close_cycle(
        CycleEnd(
            account_id=world.account_id,
            cycle_id=cycle_id,
            at=world.broker.now(),
            outcome=CycleOutcome.COMPLETED,
            because=because,
            expected_positions={symbol: qty for symbol, qty in expected.items() if qty != 0},
            unexplained=books.unexplained,
            orders_after=books.orders_after,
            fills_seen=fills,
            equity=None,
            positions_trusted=books.trusted,
        ),
        (),
        carried=[name for name, end in ends.items() if not end.state.is_final],
    )


def _note_money(world: World, cycle_id: str) -> None:
    """Record the account's current value, for `status` alone: the next cycle still compares its cash with what the last
    cycle read, so that a deposit or withdrawal in between is noticed. Without an answer nothing is recorded."""
    try:
        account = world.broker.account()
    except NO_INFORMATION:
        return
    body = {"equity": text_of(account.equity), "cash": text_of(account.cash), "run_at": time_text(world.clock.wall())}
    world.journal.record_event(world.account_id, cycle_id, world.broker.now(), MONEY_AFTER_EXIT, None, body)


def _answer(
    wanted: ExitRequest, position: Position | None, sent: tuple[Order, OrderEnd] | None, blocked: Mapping[str, str]
) -> ExitResult:
    if position is None:
        return ExitResult(wanted.symbol, ZERO, None, ZERO, "")
    if sent is None:
        why = blocked.get(wanted.symbol) or f"{text_of(abs(position.qty))} shares are held by other orders"
        return ExitResult(wanted.symbol, ZERO, None, position.qty, why)
    order, end = sent
    filled = end.filled_qty if order.side == "buy" else -end.filled_qty
    left = position.qty + filled
    problem = "" if left == ZERO else str(end.message) or f"the order is {end.state.value.lower()}"
    if end.state is OrderState.UNKNOWN:
        problem = f"the broker has not reported the outcome of the order: {end.message}"
    return ExitResult(wanted.symbol, filled, end.filled_avg_price, left, problem)


def _note(world: World, cycle_id: str, exits: Sequence[ExitRequest], answers: Sequence[ExitResult]) -> None:
    """Write one record per protective exit that traded, and an alert for each exit and for each that failed."""
    now = world.broker.now()
    rows: list[tuple[str, str, dict[str, object]]] = []
    for wanted, gone in zip(exits, answers, strict=True):
        if gone.filled != ZERO:
            price = None if gone.price is None else text_of(gone.price)
            body = {"kind": wanted.kind, "qty": text_of(abs(gone.filled)), "price": price, "order": cycle_id}
            rows.append((EXIT_TRADED, wanted.symbol, dict(body)))
            said = f"{wanted.symbol}: {text_of(abs(gone.filled))} closed at {price}: {wanted.because}"
            rows.append(alert_row(wanted.symbol, "warning", "exit", said))
        if gone.problem:
            said = f"{wanted.symbol}: {wanted.because}, but {text_of(abs(gone.left))} are left: {gone.problem}"
            if not _is_reported(world, wanted.symbol, gone.problem, now):
                rows.append(alert_row(wanted.symbol, "action", "exit_failed", said, problem=gone.problem))
    if rows:
        world.journal.record_events(world.account_id, cycle_id, now, rows)


def _is_reported(world: World, symbol: str, problem: str, now: datetime) -> bool:
    """Whether this problem was reported recently: the monitor retries every few seconds."""
    alerts = world.journal.recall(world.account_id, "alert", since=now - REPORTED_AGAIN, keys=[symbol])
    return any(one.body.get("problem") == problem for one in alerts)


def _sentence(exits: Sequence[ExitRequest], prefix: str) -> str:
    return f"{prefix}: " + "; ".join(f"{e.symbol}: {e.because}" for e in exits)
