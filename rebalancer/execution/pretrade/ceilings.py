"""The hard ceilings for orders that open or enlarge a position. None of them ever stops one that reduces."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO, text_of
from rebalancer.execution.pretrade.attempts import Attempt, counted
from rebalancer.execution.pretrade.case import Case, Refusal
from rebalancer.execution.pretrade.exposure import worst_gross, worst_value
from rebalancer.execution.pretrade.readings import leeway, middle, quote_fault, within


def orders_per_day(case: Case) -> Refusal | None:
    """The number of orders in a day. Part of it is reserved for reductions, which are counted but never refused."""
    risk = case.rules.risk_management
    kept = int(risk.max_orders_per_day * risk.reserved_order_fraction)
    sent = len(counted(case.before, midnight_in_new_york(case.now))) + 1
    if sent <= risk.max_orders_per_day - kept:
        return None
    said = f"{sent} orders today; risk_management.max_orders_per_day is {risk.max_orders_per_day}"
    return Refusal("orders_per_day", f"{said}, {kept} of them kept for reductions" if kept else said)


def orders_per_symbol(case: Case) -> Refusal | None:
    """The number of orders in a day for one symbol."""
    most = case.rules.risk_management.max_orders_per_symbol_per_day
    mine = [one for one in counted(case.before, midnight_in_new_york(case.now)) if one.symbol == case.order.symbol]
    if len(mine) + 1 <= most:
        return None
    said = f"{len(mine) + 1} orders for this symbol today"
    return Refusal("orders_per_symbol", f"{said}; risk_management.max_orders_per_symbol_per_day is {most}")


def orders_per_execution(case: Case) -> Refusal | None:
    """The number of orders in one cycle."""
    most = case.rules.execution.max_orders_per_execution
    assert case.mine is not None
    sent = sum(1 for one in case.before if one.left and one.cycle_id == case.mine.cycle_id) + 1
    if sent <= most:
        return None
    said = f"{sent} orders in this cycle; execution.max_orders_per_execution is {most}"
    return Refusal("orders_per_execution", said)


def duplicate(case: Case) -> Refusal | None:
    """The same symbol, side, intent and quantity was sent recently under another id, and has traded or still may. The
    intent is compared because a trade through zero is two orders that may otherwise be alike."""
    order, window = case.order, case.rules.gate.duplicate_window_seconds
    for one in counted(case.before, case.now - timedelta(seconds=window)):
        theirs = (one.symbol, one.side, one.qty, one.body.get("position_intent"))
        same = theirs == (order.symbol, order.side, order.qty, order.position_intent)
        if same and one.client_order_id != order.client_order_id and _has_effect(one):
            said = f"{one.client_order_id} was the same {(case.now - one.at).total_seconds():.0f} s ago"
            return Refusal("duplicate", f"{said}; gate.duplicate_window_seconds is {window:g}")
    return None


def _has_effect(one: Attempt) -> bool:
    return one.filled > ZERO or one.state in (OrderState.INTENDED, OrderState.OPEN, OrderState.UNKNOWN)


def fresh_quote(case: Case) -> Refusal | None:
    """Its symbol has a quote, and the quote is recent and usable."""
    fault = quote_fault(case.readings.quotes.get(case.order.symbol), case.now, case.rules.quotes)
    return None if fault is None else Refusal("quote", fault)


def price_move(case: Case) -> Refusal | None:
    """Neither the current price nor the order's limit is too far beyond the price at which the order was decided."""
    quote, order = case.readings.quotes.get(case.order.symbol), case.order
    price, most = middle(quote, case.rules.quotes), Decimal(str(case.rules.gate.max_price_move))
    if price is None or quote is None or quote.ask is None or quote.bid is None:
        return Refusal("price_move", "there is no price to compare with")
    if not within(abs(price - order.price), most * order.price):
        moved = f"decided at {text_of(order.price)}, now {text_of(price)}"
        return Refusal("price_move", f"{moved}; gate.max_price_move is {most:%}")
    if order.limit_price is not None:
        slack = most + Decimal(str(case.rules.execution.limit_offset_bps)) / 10_000
        far = order.limit_price - quote.ask if order.side == "buy" else quote.bid - order.limit_price
        if not within(far, slack * price):
            said = f"its limit {text_of(order.limit_price)} is too far beyond the quote"
            return Refusal("price_move", f"{said}; gate.max_price_move is {most:%}")
    return None


def order_quantity(case: Case) -> Refusal | None:
    """The shares of one order."""
    most = case.rules.gate.max_order_quantity
    if within(case.order.qty, most):
        return None
    return Refusal("order_quantity", f"{text_of(case.order.qty)} shares; gate.max_order_quantity is {text_of(most)}")


def order_value(case: Case) -> Refusal | None:
    """The USD value of one order, at the decision price, its limit or the current price, whichever is highest."""
    most = case.rules.position_sizing.max_order_value
    price = middle(case.readings.quotes.get(case.order.symbol), case.rules.quotes)
    limit = case.order.limit_price or ZERO
    value = case.order.qty * max(price, case.order.price, limit) if price is not None else None
    if within(value, most):
        return None
    said = "nobody knows its price" if value is None else f"${value:,.2f}"
    return Refusal("order_value", f"{said}; position_sizing.max_order_value is ${most:,.2f}")


def position_size(case: Case) -> Refusal | None:
    """The worst-case position of its own symbol, including this order."""
    order, most = case.order, case.rules.position_sizing.max_position_size
    after = case.standing.with_order(order.side, order.qty, order.limit_price)
    value = worst_value(case.readings, order.symbol, after, case.rules.quotes)
    if within(value, Decimal(str(most)) * case.capital * leeway(case.rules)):
        return None
    return Refusal("position_size", f"{_dollars(value, order.symbol)}; position_sizing.max_position_size is {most:.1%}")


def total_exposure(case: Case) -> Refusal | None:
    """The worst-case total exposure, including this order: held, open, unknown and in flight, at collared prices."""
    order, most = case.order, case.rules.position_sizing.max_total_exposure
    after = dict(case.standings) | {order.symbol: case.standing.with_order(order.side, order.qty, order.limit_price)}
    value, unknown = worst_gross(case.readings, after, case.rules.quotes)
    if within(value, Decimal(str(most)) * case.capital * leeway(case.rules)):
        return None
    return Refusal("total_exposure", f"{_dollars(value, unknown)}; position_sizing.max_total_exposure is {most:.1%}")


def _dollars(value: Decimal | None, symbol: str) -> str:
    if value is None:
        return f"nobody knows what {symbol} can come to be worth"
    return f"worst case ${value:,.2f}"
