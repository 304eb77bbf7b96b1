"""An order of the exchange: its state, its wire form (Alpaca's Order object) and its stored form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Final, Literal

from rebalancer.core.values import ZERO, Side, text_of, time_text
from rebalancer.exchange.calendar import moment_of

OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "ioc", "fok", "opg", "cls"]
OrderClass = Literal["", "bracket", "oco", "oto"]  # empty is simple
Intent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]
Status = Literal[
    "accepted", "pending_new", "new", "held", "partially_filled", "pending_cancel", "pending_replace",
    "filled", "canceled", "expired", "replaced", "rejected",
]  # fmt: skip
CLOSED: Final = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})
STOPS: Final = frozenset({"stop", "stop_limit", "trailing_stop"})
EXITS: Final = " exits"  # ends the pool of the exits of an entry


@dataclass(slots=True)
class Order:
    """One order. Times are microseconds since 1970, prices USD, quantities shares or coins, never negative."""

    seq: int
    id: str
    client_order_id: str
    symbol: str
    asset_id: str
    asset_class: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    position_intent: Intent
    status: Status
    submitted_at: int
    updated_at: int
    live_at: int  # when it is at the venue and its status becomes new
    fill_from: int  # the earliest moment of its next fill
    expires_at: int
    worst_price: Decimal | None = None  # limit price, or the collar of an opening market order; None is no bound
    reserve_price: Decimal = ZERO  # USD a unit that an opening order holds back from buying power
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO  # sum of price x quantity
    fills: int = 0
    filled_at: int | None = None
    canceled_at: int | None = None
    expired_at: int | None = None
    failed_at: int | None = None
    cancel_at: int | None = None  # when a requested cancellation takes effect
    order_class: OrderClass = ""
    parent: str | None = None  # of a leg: the entry, or of a pair of exits the take-profit
    pool: str = ""  # orders of one pool stand for each other: only the largest holds shares or buying power
    extended_hours: bool = False
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None  # the best trade a trailing stop has seen, in USD
    triggered_at: int | None = None  # when a stop became a market or limit order
    replaces: str | None = None
    replaced_by: str | None = None
    replaced_at: int | None = None
    carried: Decimal = ZERO  # of a replacement: what the replaced order had filled, already taken off the quantity
    replace_at: int | None = None  # when a requested replacement takes effect
    rested: bool = False  # whether a limit order had to wait for its price: then it is the maker of its fills

    @property
    def is_open(self) -> bool:
        return self.status not in CLOSED

    @property
    def is_opening(self) -> bool:
        """Whether it takes the position away from zero."""
        return self.position_intent.endswith("open")

    @property
    def is_crypto(self) -> bool:
        return self.asset_class == "crypto"

    @property
    def is_complex(self) -> bool:
        """Whether it is exempt from the wash-trade rule: part of a bracket or a pair of exits, or a trailing stop."""
        return self.order_class in ("bracket", "oco") or self.type == "trailing_stop"

    @property
    def is_dormant(self) -> bool:
        """Whether it is a stop that has not been triggered."""
        return self.type in STOPS and self.triggered_at is None

    @property
    def is_entry(self) -> bool:
        """Whether legs wait for it to be filled."""
        return self.order_class in ("bracket", "oto") and self.parent is None

    def remaining(self, price: Decimal) -> Decimal:
        """The quantity still to fill; for an order by value, what the rest of the value buys at `price`."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        assert self.notional is not None
        return (self.notional - self.filled_value) / price

    def reserved(self) -> Decimal:
        """USD value held back while the order is open; nothing for a closing one."""
        if not self.is_opening:
            return ZERO
        if self.notional is not None:
            return max(self.notional - self.filled_value, ZERO)
        return self.remaining(self.reserve_price) * self.reserve_price

    @property
    def group(self) -> str:
        """The id that all orders of its group share, replacements included: that of the order that began it."""
        return (self.pool or self.id).removesuffix(EXITS)

    def _grouping(self) -> dict[str, object]:
        """The two fields that only orders of a group have."""
        if not self.order_class:
            return {}
        exit_role = "take_profit" if self.type == "limit" else "stop_loss"
        return {"group_id": self.group, "group_role": "parent" if self.parent is None else exit_role}

    def wire(self, legs: Sequence[Order] = ()) -> dict[str, object]:
        """Alpaca's Order object, with the legs inside it where they are given."""
        average = text_of(round_price(self.filled_value / self.filled_qty)) if self.filled_qty else None
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": _time(self.submitted_at),
            "updated_at": _time(self.updated_at),
            "submitted_at": _time(self.submitted_at),
            "filled_at": _time(self.filled_at),
            "expired_at": _time(self.expired_at),
            "expires_at": _time(self.expires_at),
            "canceled_at": _time(self.canceled_at),
            "failed_at": _time(self.failed_at),
            "replaced_at": _time(self.replaced_at),
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": self.asset_id,
            "symbol": self.symbol,
            "asset_class": self.asset_class,
            "notional": _number(self.notional),
            "qty": _number(self.qty),
            "filled_qty": text_of(self.filled_qty),
            "filled_avg_price": average,
            "order_class": self.order_class,
            "order_type": self.type,
            "type": self.type,
            "side": self.side,
            "position_intent": self.position_intent,
            "time_in_force": self.time_in_force,
            "limit_price": _number(self.limit_price),
            "stop_price": _number(self.stop_price),
            "status": self.status,
            "extended_hours": self.extended_hours,
            "legs": [leg.wire() for leg in legs] or None,
            "trail_percent": _number(self.trail_percent),
            "trail_price": _number(self.trail_price),
            "hwm": _number(self.hwm),
            "ratio_qty": None,
            "subtag": None,
            "source": "access_key",
            **self._grouping(),
        }

    def stored(self) -> str:
        """JSON of all fields, decimals as strings."""
        row = {name: getattr(self, name) for name in _NAMES}
        return json.dumps({k: str(v) if isinstance(v, Decimal) else v for k, v in row.items()})


_NAMES: Final = tuple(field.name for field in fields(Order))
_DECIMALS: Final = (
    "qty", "notional", "limit_price", "worst_price", "reserve_price", "filled_qty", "filled_value", "stop_price",
    "trail_price", "trail_percent", "hwm", "carried",
)  # fmt: skip


def order_from(stored: str) -> Order:
    """Read an order back from its stored form."""
    row = json.loads(stored)
    for name in _DECIMALS:
        if row.get(name) is not None:
            row[name] = Decimal(row[name])
    return Order(**row)


def reservations(orders: Iterable[Order]) -> list[Order]:
    """The opening orders that hold back buying power: of each pool the one with the largest value."""
    largest: dict[str, Order] = {}
    for order in orders:
        if order.is_opening and order.status != "held":
            key = order.pool or order.id
            if key not in largest or order.reserved() > largest[key].reserved():
                largest[key] = order
    return list(largest.values())


def held_quantity(orders: Iterable[Order], price: Decimal) -> Decimal:
    """What closing orders hold of a position; of each pool the largest remainder counts."""
    largest: dict[str, Decimal] = {}
    for order in orders:
        if not order.is_opening and order.status != "held":
            key = order.pool or order.id
            largest[key] = max(largest.get(key, ZERO), order.remaining(price))
    return sum(largest.values(), ZERO)


def round_price(price: Decimal) -> Decimal:
    """An average price as shown: nearest, nine decimals."""
    return price.quantize(Decimal("0.000000001"))


def _number(value: Decimal | None) -> str | None:
    return None if value is None else text_of(value)


def _time(micros: int | None) -> str | None:
    return None if micros is None else time_text(moment_of(micros))
