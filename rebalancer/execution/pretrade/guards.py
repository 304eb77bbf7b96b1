"""The checks that apply to every order, whatever it does: its form, its intent, the kill switch, the throttle, the
session, overselling, and the orders-per-minute count that detects a runaway."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from rebalancer.core.values import ZERO, text_of
from rebalancer.execution.pretrade.attempts import counted
from rebalancer.execution.pretrade.case import Case, Refusal
from rebalancer.execution.pretrade.readings import is_good, within

STOPPING: Final = "stopping"  # the refusal that raises no alert
MINUTE: Final = timedelta(seconds=60)
ORDERS_PER_MINUTE: Final = "orders_per_minute"  # the refusal that latches the throttle


def form(case: Case) -> Refusal | None:
    """Every number is finite and positive, and side and type are known values."""
    order = case.order
    numbers = {"qty": order.qty, "price": order.price}
    if order.type == "limit":
        numbers["limit_price"] = order.limit_price  # type: ignore[assignment]  # None is refused with the rest
    bad = [f"{name} is {value}" for name, value in numbers.items() if not is_good(value)]
    if not (isinstance(order.reserve, Decimal) and order.reserve.is_finite() and order.reserve >= ZERO):
        bad.append(f"reserve is {order.reserve}")
    if order.side not in ("buy", "sell") or order.type not in ("market", "limit"):
        bad.append(f"it is a {order.type} {order.side}")
    if order.type == "market" and order.limit_price is not None:
        bad.append("it is a market order with a limit price")
    return Refusal("form", "; ".join(bad)) if bad else None


def intent(case: Case) -> Refusal | None:
    """The order is the one that was journalled, and it is sent only once."""
    order, mine = case.order, case.mine
    if mine is None:
        return Refusal("intent", "its intent is not in the journal")
    if case.is_second or mine.state is not mine.state.INTENDED:
        return Refusal("intent", "it was sent before")
    sent = {
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "qty": text_of(order.qty),
        "type": order.type,
        "limit_price": None if order.limit_price is None else text_of(order.limit_price),
        "time_in_force": order.time_in_force,
        "position_intent": order.position_intent,
    }
    other = sorted(name for name, value in sent.items() if not _same(mine.body.get(name), value))
    if other:
        return Refusal("intent", f"the journal has another {', '.join(other)} under its id")
    return None


def _same(written: object, sent: str | None) -> bool:
    if written is None or sent is None:
        return written is sent
    return str(written) == sent


def kill_switch(case: Case) -> Refusal | None:
    """Nothing is sent while the switch is set, except a flatten that a person requested."""
    if case.stopped is None or case.closing_only:
        return None
    return Refusal("kill_switch", f"the kill switch is set: {case.stopped}")


def process_stopping(case: Case) -> Refusal | None:
    """Nothing is sent while the process is being stopped, except a flatten. An ordinary end: no alert is raised."""
    if case.stopping is None or case.closing_only:
        return None
    return Refusal(STOPPING, case.stopping)


def throttle_latched(case: Case) -> Refusal | None:
    """Nothing is sent while the throttle is latched."""
    if case.latched is None or case.closing_only:
        return None
    said = f"the gate has been closed since {case.latched}; open it with: rebalancer resume --reason ..."
    return Refusal("throttle", said)


def only_closing(case: Case) -> Refusal | None:
    """In a flatten only orders that reduce a position are sent."""
    if not case.closing_only or case.reduces:
        return None
    return Refusal("closing_only", "positions are being closed; this order would not reduce one")


def session(case: Case) -> Refusal | None:
    """Stocks trade while the session is open by the broker's clock; crypto always."""
    if case.order.symbol in case.readings.coins:
        return None
    hours = case.readings.session
    if hours.is_open and hours.open <= case.now < hours.close:
        return None
    return Refusal("session", "the market is closed by the broker's clock")


def never_oversell(case: Case) -> Refusal | None:
    """An order either closes what is held and not committed to another order, or opens; never both, and never more."""
    order, standing = case.order, case.standing
    promised = standing.sells if order.side == "sell" else standing.buys
    if case.reduces:
        if within(order.qty + promised, abs(standing.held)):
            return None
        word = "sell" if order.side == "sell" else "buy back"
        said = f"{text_of(abs(standing.held))} are held and other orders may still {word} {_quantity_text(promised)}"
        return Refusal("oversell", said)
    if not standing.held.is_finite():
        return Refusal("oversell", "nobody knows how many shares are held")
    if order.side == "sell" and not case.rules.position_sizing.allow_short:
        return Refusal("oversell", f"{text_of(standing.held)} are held and short selling is not allowed")
    if order.position_intent not in ("buy_to_open", "sell_to_open"):
        return Refusal("oversell", f"it says {order.position_intent} and there is nothing to close")
    return None


def _quantity_text(qty: Decimal) -> str:
    return text_of(qty) if qty.is_finite() else "nobody knows how many"


def orders_per_minute(case: Case) -> Refusal | None:
    """A runaway: more attempts within a minute than any cycle makes. The caller latches the throttle."""
    most = case.rules.gate.max_orders_per_minute
    sent = len(counted(case.before, case.now - MINUTE)) + case.pairs + 1
    if case.closing_only or sent <= most:
        return None
    return Refusal(ORDERS_PER_MINUTE, f"{sent} orders within a minute; gate.max_orders_per_minute is {most}")
