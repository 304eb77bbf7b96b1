"""Prove that every limit of the pre-trade check works with the values in force: an order just beyond it is refused by
this limit alone, the same order within it passes, and an order that reduces a position passes in either case.

All other limits are opened wide meanwhile, so that the refusal can only come from this limit. Nothing is read or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.decisions import Order
from rebalancer.core.facts import Quote, Session
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import NOTHING
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, Side, text_of
from rebalancer.execution.pretrade.attempts import Attempt
from rebalancer.execution.pretrade.case import Case
from rebalancer.execution.pretrade.exposure import PositionRange
from rebalancer.execution.pretrade.readings import COLLAR_DEAR, Readings, leeway
from rebalancer.execution.pretrade.verdict import refuse

NOW: Final = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
SESSION: Final = Session(True, datetime(2026, 11, 20, 14, 30, tzinfo=UTC), datetime(2026, 11, 20, 21, 0, tzinfo=UTC))
PRICE: Final = Decimal(100)
SECOND: Final = timedelta(seconds=1)
NEW, HELD = "NEW", "HELD"
HUGE: Final = 10**9
WIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "execution": {"max_orders_per_execution": HUGE, "order_type": "market"},
    "position_sizing": {
        "max_position_size": float(HUGE),
        "max_total_exposure": float(HUGE),
        "max_order_value": Decimal(HUGE**2),
        "allow_short": False,
    },
    "risk_management": {
        "max_orders_per_day": HUGE,
        "max_orders_per_symbol_per_day": HUGE,
        "reserved_order_fraction": 0.0,
    },
    "gate": {
        "max_order_quantity": Decimal(HUGE**2),
        "max_orders_per_minute": HUGE,
        "duplicate_window_seconds": 1e-6,
        "max_price_move": float(HUGE),
    },
    "quotes": {"max_age_seconds": float(HUGE), "max_spread": 1.0},
}


class Check(NamedTuple):
    """What the self-test found about one limit, named by its key. `refused`: an order beyond it is refused by it alone.
    `reducing_passes`: an order that reduces a position passes. `halts`: by design the limit stops those too. `words`
    says what was tried."""

    limit: str
    refused: bool
    reducing_passes: bool
    halts: bool
    words: str

    @property
    def holds(self) -> bool:
        """Whether the limit works as intended."""
        return self.refused and self.reducing_passes is not self.halts


class LimitProbe(NamedTuple):
    """How one limit is tried. `make` builds a case beyond it (True) or within it (False); `kept` are further keys that
    keep the value in force; `halts` says whether the limit stops reductions too."""

    refusal: str
    make: Callable[[Rules, bool], Case]
    kept: tuple[str, ...] = ()
    halts: Callable[[Rules], bool] = lambda _: False


def pretrade_selftest(rules: Rules) -> tuple[Check, ...]:
    """Try every limit of the pre-trade check. One row each, in a fixed order."""
    return tuple(_try(key, probe, rules) for key, probe in PROBES.items())


def opened(rules: Rules, wide: Mapping[str, Mapping[str, Any]], keep: tuple[str, ...]) -> Rules:
    """The rules with every limit opened wide except those with these keys. The values lie outside the configurable
    ranges: such rules are for testing only, never for trading."""
    sections = {}
    for section, values in wide.items():
        left = {key: value for key, value in values.items() if f"{section}.{key}" not in keep}
        sections[section] = getattr(rules, section).model_copy(update=left)
    return rules.model_copy(update=sections)


def _try(key: str, probe: LimitProbe, rules: Rules) -> Check:
    alone = opened(rules, WIDE, (key, *probe.kept))
    beyond = probe.make(alone, True)
    refusal = refuse(beyond)
    section, name = key.split(".")
    near = refuse(probe.make(alone, False)) if getattr(getattr(rules, section), name) != 0 else None
    refused = refusal is not None and refusal.limit == probe.refusal and near is None
    reducing = refuse(_reducing(beyond)) is None
    said = "nothing refused it" if refusal is None else f"refused by {refusal.limit}: {refusal.words}"
    if near is not None:
        said += f"; yet one within it was refused too, by {near.limit}: {near.words}"
    return Check(key, refused, reducing, probe.halts(rules), said)


def _case(rules: Rules, **changes: Any) -> Case:
    """A small purchase that every rule allows."""
    order = _order(NEW, "buy", Decimal(1))
    readings = Readings(
        "selftest",
        SESSION,
        Decimal(1_000_000),
        {HELD: Decimal(10)},
        {HELD: PRICE},
        (),
        {symbol: Quote(symbol, PRICE, PRICE, PRICE, NOW) for symbol in (NEW, HELD)},
    )
    case = Case(
        order, rules, NOW, readings, None, None, None, False, (), {HELD: PositionRange(Decimal(10))}, closing_only=False
    )
    return _intended(case._replace(**changes))


def _reducing(case: Case) -> Case:
    """The same case, with an order that closes a holding instead."""
    return _intended(case._replace(order=_order(HELD, "sell", Decimal(10))))


def _intended(case: Case) -> Case:
    return case._replace(mine=_attempt(case.order, NOW, "selftest"))


def _order(symbol: str, side: Side, qty: Decimal) -> Order:
    closes = side == "sell"
    return Order(
        "selftest-order", "reduce" if closes else "increase", symbol, side, qty, ZERO, "market", None, "day",
        "sell_to_close" if closes else "buy_to_open", PRICE, ZERO, 0.0, NOTHING,
    )  # fmt: skip


def _attempt(order: Order, at: datetime, cycle_id: str) -> Attempt:
    body = {
        "client_order_id": order.client_order_id, "symbol": order.symbol, "side": order.side,
        "qty": text_of(order.qty), "type": order.type, "limit_price": None,
        "time_in_force": order.time_in_force, "position_intent": order.position_intent,
    }  # fmt: skip
    return Attempt(1, order.client_order_id, cycle_id, order.symbol, order.side, order.qty, body, at)


def _after(rules: Rules, sent: int, cycle_id: str, symbol: str) -> Case:
    """A purchase after this many others, all of them filled."""
    one = _order(symbol, "buy", Decimal(2))._replace(client_order_id="earlier")
    before = _attempt(one, NOW - SECOND, cycle_id)._replace(state=OrderState.FILLED, filled=one.qty)
    return _case(rules, before=(before,) * max(sent, 0))


def _per_minute(rules: Rules, beyond: bool) -> Case:
    return _after(rules, rules.gate.max_orders_per_minute - (not beyond), "earlier", "OTHER")


def _reserved(rules: Rules) -> int:
    return int(rules.risk_management.max_orders_per_day * rules.risk_management.reserved_order_fraction)


def _per_day(rules: Rules, beyond: bool) -> Case:
    most = rules.risk_management.max_orders_per_day - _reserved(rules)
    return _after(rules, most - (not beyond), "earlier", "OTHER")


def _per_symbol(rules: Rules, beyond: bool) -> Case:
    return _after(rules, rules.risk_management.max_orders_per_symbol_per_day - (not beyond), "earlier", NEW)


def _per_execution(rules: Rules, beyond: bool) -> Case:
    return _after(rules, rules.execution.max_orders_per_execution - (not beyond), "selftest", "OTHER")


def _duplicate(rules: Rules, beyond: bool) -> Case:
    window = timedelta(seconds=rules.gate.duplicate_window_seconds)
    same = _order(NEW, "buy", Decimal(1))._replace(client_order_id="earlier")
    at = NOW - (window if beyond else window + SECOND)
    return _case(rules, before=(_attempt(same, at, "earlier")._replace(state=OrderState.FILLED, filled=same.qty),))


def _quoted(rules: Rules, bid: Decimal, ask: Decimal, at: datetime = NOW) -> Case:
    case = _case(rules)
    quotes = {**case.readings.quotes, NEW: Quote(NEW, bid, ask, PRICE, at)}
    return case._replace(readings=case.readings._replace(quotes=quotes))


def _price_move(rules: Rules, beyond: bool) -> Case:
    share = Decimal(str(rules.gate.max_price_move)) * (Decimal("1.001") if beyond else 1)
    return _quoted(rules, PRICE * (1 + share), PRICE * (1 + share))


def _age(rules: Rules, beyond: bool) -> Case:
    age = timedelta(seconds=rules.quotes.max_age_seconds) + (SECOND if beyond else timedelta(0))
    return _quoted(rules, PRICE, PRICE, NOW - age)


def _spread(rules: Rules, beyond: bool) -> Case:
    half = PRICE * Decimal(str(rules.quotes.max_spread)) / 2 * (Decimal("1.001") if beyond else 1)
    least = Decimal("0.01") if half >= PRICE else PRICE - half  # a bid of zero would be refused for another reason
    return _quoted(rules, least, PRICE + half)


def _sized(rules: Rules, qty: Decimal) -> Case:
    return _case(rules, order=_order(NEW, "buy", qty))


def _quantity(rules: Rules, beyond: bool) -> Case:
    return _sized(rules, rules.gate.max_order_quantity + (1 if beyond else 0))


def _value(rules: Rules, beyond: bool) -> Case:
    return _sized(rules, (rules.position_sizing.max_order_value + (1 if beyond else 0)) / PRICE)


def _position(rules: Rules, beyond: bool) -> Case:
    return _worth(rules, rules.position_sizing.max_position_size, ZERO, beyond)


def _exposure(rules: Rules, beyond: bool) -> Case:
    return _worth(rules, rules.position_sizing.max_total_exposure, 10 * PRICE, beyond)


def _worth(rules: Rules, limit: float, used: Decimal, beyond: bool) -> Case:
    """A purchase that takes the worst case exactly to a limit, or one dollar beyond it."""
    most = Decimal(str(limit)) * _case(rules).capital * leeway(rules) - used
    return _sized(rules, (most + (1 if beyond else -1)) / (PRICE * COLLAR_DEAR))


PROBES: Final[Mapping[str, LimitProbe]] = {
    "gate.max_orders_per_minute": LimitProbe("orders_per_minute", _per_minute, halts=lambda _: True),
    "risk_management.max_orders_per_day": LimitProbe(
        "orders_per_day",
        _per_day,
        kept=("risk_management.reserved_order_fraction",),
    ),
    "risk_management.max_orders_per_symbol_per_day": LimitProbe("orders_per_symbol", _per_symbol),
    "execution.max_orders_per_execution": LimitProbe("orders_per_execution", _per_execution),
    "gate.duplicate_window_seconds": LimitProbe("duplicate", _duplicate),
    "quotes.max_age_seconds": LimitProbe("quote", _age),
    "quotes.max_spread": LimitProbe("quote", _spread),
    "gate.max_price_move": LimitProbe("price_move", _price_move),
    "gate.max_order_quantity": LimitProbe("order_quantity", _quantity),
    "position_sizing.max_order_value": LimitProbe("order_value", _value),
    "position_sizing.max_position_size": LimitProbe("position_size", _position),
    "position_sizing.max_total_exposure": LimitProbe("total_exposure", _exposure),
}
