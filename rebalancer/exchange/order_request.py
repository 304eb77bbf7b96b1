"""Reading the body of POST /v2/orders as tolerantly as Alpaca does.

Nulls and empty strings count as absent, numbers may be JSON numbers or strings, and unknown keys are ignored. The order
of the checks follows Alpaca's public server source of old: prices, quantity, type, side, time in force, combinations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Final, Literal, NamedTuple, cast

from rebalancer.core.values import CENT, Side
from rebalancer.exchange.errors import bad_request, forbidden, invalid, unprocessable
from rebalancer.exchange.order import STOPS, Intent, OrderClass, OrderType, TimeInForce

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_LARGEST: Final = Decimal(10) ** 12
_UNITS: Final = Decimal("0.000000001")  # nine decimals; further ones are cut off
_TYPES: Final = ("market", "limit", "stop", "stop_limit", "trailing_stop")
_FORCES: Final = ("day", "gtc", "ioc", "fok", "opg", "cls")
_CLASSES: Final = ("simple", "bracket", "oco", "oto")
_TRAIL_MIN: Final = Decimal("0.1")
_EXITS: Final = (("take_profit", "limit_price"), ("stop_loss", "stop_price"), ("stop_loss", "limit_price"))
_INTENTS: Final = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")


class Exits(NamedTuple):
    """The exits of a complex order, USD: a take-profit's limit, a stop-loss's stop and limit."""

    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_limit: Decimal | None = None


class OrderRequest(NamedTuple):
    """A well-formed order request; nothing has been asked of the account or the asset yet."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None = None
    client_order_id: str | None = None
    position_intent: Intent | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    order_class: OrderClass = ""
    exits: Exits = Exits()

    @property
    def is_fractional(self) -> bool:
        """Whether it asks for a part of a share, directly or by value."""
        return self.qty is None or self.qty != self.qty.to_integral_value()


def read_order_request(body: Mapping[str, object]) -> OrderRequest:
    """Read an order request. Raises ApiError with Alpaca's words for the first thing that is wrong."""
    given = {key: value for key, value in body.items() if value is not None and value != ""}
    if given.get("order_class") == "mleg":  # its legs have the symbol and the side, which would be missing below
        raise unprocessable("order class mleg is not supported")
    prices = {name: _decimal(given, name) for name in ("limit_price", "stop_price", "trail_price", "trail_percent")}
    for name, price in prices.items():
        if price is not None and price <= 0:
            raise invalid(f"{name.replace('_', ' ')} must be > 0")
    qty, notional = _decimal(given, "qty"), _decimal(given, "notional")
    _check_amount(qty, notional)
    kind = _one_of(given, "type", _TYPES, "invalid order type")
    side = cast(Side, _one_of(given, "side", ("buy", "sell"), "invalid side"))
    force = _one_of(given, "time_in_force", _FORCES, "invalid time_in_force")
    if "symbol" not in given:
        raise invalid("symbol is required")
    symbol = _text(given, "symbol")
    order_class, exits = _read_class(given, kind)
    if order_class == "oco":
        prices["limit_price"] = exits.take_profit
    _check_prices(kind, prices)
    extended = _read_extended(given, kind, force, order_class)
    if "advanced_instructions" in given:
        raise forbidden("account not allowed to use advanced_instructions")
    client_order_id = _text(given, "client_order_id") if "client_order_id" in given else None
    if client_order_id is not None and len(client_order_id) > 128:
        raise invalid("client_order_id must be no more than 128 characters")
    intent = _one_of(given, "position_intent", _INTENTS, "invalid position_intent", required=False)
    cut = None if qty is None else qty.quantize(_UNITS, rounding=ROUND_DOWN)
    if cut == 0:
        raise invalid("qty must be > 0")
    return OrderRequest(
        symbol,
        side,
        cast(OrderType, kind),
        cast(TimeInForce, force),
        cut,
        notional,
        prices["limit_price"],
        client_order_id,
        cast("Intent | None", intent or None),
        prices["stop_price"],
        prices["trail_price"],
        prices["trail_percent"],
        extended,
        order_class,
        exits,
    )


def check_force(request: OrderRequest, *, crypto: bool) -> None:
    """Refuse a type, time in force or class that the instrument cannot have. Raises ApiError."""
    force, kind, order_class = request.time_in_force, request.type, request.order_class
    if crypto:
        if order_class:
            known = {"bracket": "otoco"}.get(order_class, order_class)
            raise unprocessable(f"crypto orders not allowed for advanced order_class: {known}")
        if kind in ("stop", "trailing_stop"):
            raise unprocessable("invalid order type for crypto order")
        if force not in ("gtc", "ioc") or (kind == "stop_limit" and force != "gtc"):
            raise unprocessable("invalid crypto time_in_force")
        if request.extended_hours:
            raise unprocessable("crypto orders are not eligible for extended hours trading")
        return
    if request.is_fractional:
        if force != "day":
            raise unprocessable("fractional orders must be DAY orders")
        if order_class:
            raise unprocessable("fractional orders must be simple orders")
        if kind == "trailing_stop":
            raise unprocessable("fractional orders must be market, limit, stop or stop_limit orders")
    if force not in ("day", "gtc") and (order_class or kind not in ("market", "limit")):
        raise unprocessable(f"{order_class or kind.replace('_', ' ')} orders must be DAY or GTC orders")


def check_trail(percent: Decimal | None) -> None:
    """Refuse a trail outside 0.1 to 100 per cent. Raises ApiError."""
    if percent is not None and percent < _TRAIL_MIN:
        raise invalid("trail_percent must be greater than or equal to 0.1")
    if percent is not None and percent >= 100:
        raise invalid("trail_percent must be less than 100")


def decimal_in(value: object, name: str) -> Decimal:
    """Read a number or a numeric string. Raises ApiError 400 for anything else, NaN and infinity included."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise bad_request(f"request body format is invalid: {name} must be a number")
    text = str(value).strip()
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        raise bad_request(f"request body format is invalid: {name} must be a number")
    number = Decimal(text)
    if abs(number) >= _LARGEST:
        raise invalid(f"{name} is too large")
    return number


def _check_amount(qty: Decimal | None, notional: Decimal | None) -> None:
    if qty is None and notional is None:
        raise invalid("qty or notional is required")
    if qty is not None and notional is not None:
        raise invalid("only one of qty or notional is accepted")
    for name, amount in (("qty", qty), ("notional", notional)):
        if amount is not None and amount <= 0:
            raise invalid(f"{name} must be > 0")
    if notional is not None and notional != notional.quantize(CENT):
        raise unprocessable("notional value must be limited to 2 decimal places")


def _check_prices(kind: str, prices: Mapping[str, Decimal | None]) -> None:
    limit, stop = prices["limit_price"], prices["stop_price"]
    if kind == "market" and (limit is not None or stop is not None):
        raise invalid("market orders require no stop or limit price")
    if kind == "limit" and limit is None:
        raise invalid("limit orders require a limit price")
    if kind == "limit" and stop is not None:
        raise invalid("limit orders require no stop price")
    if kind == "stop" and stop is None:
        raise invalid("stop orders require a stop price")
    if kind == "stop" and limit is not None:
        raise invalid("stop orders require no limit price")
    if kind == "stop_limit" and (stop is None or limit is None):
        raise invalid("stop limit orders require both stop and limit price")
    if kind == "trailing_stop":
        if (prices["trail_price"] is None) == (prices["trail_percent"] is None):
            raise invalid("trailing stop orders must specify one of trail_price or trail_percent")
        check_trail(prices["trail_percent"])
        if limit is not None or stop is not None:
            raise invalid("trailing stop orders require no stop or limit price")
    elif prices["trail_price"] is not None or prices["trail_percent"] is not None:
        raise invalid(f"{kind.replace('_', ' ')} orders require no trail_price or trail_percent")


def _read_class(given: Mapping[str, object], kind: str) -> tuple[OrderClass, Exits]:
    """The order class and the exits that it needs. Raises ApiError."""
    order_class = _one_of(given, "order_class", _CLASSES, "invalid order_class", required=False)
    exits = _read_exits(given)
    wanted = {"take_profit.limit_price": exits.take_profit, "stop_loss.stop_price": exits.stop_loss}
    if order_class in ("", "simple"):
        if any(price is not None for price in wanted.values()):
            raise invalid("take_profit and stop_loss require order_class bracket, oco or oto")
        return "", exits
    if order_class == "bracket" and kind not in ("market", "limit"):
        raise invalid("bracket orders must be market or limit orders")
    if order_class == "oco" and kind != "limit":
        raise invalid("oco orders must be limit orders")
    missing = [name for name, price in wanted.items() if price is None]
    if order_class == "oto":
        if kind == "trailing_stop":
            raise invalid("trailing stop orders must be simple orders")
        if len(missing) != 1:
            raise invalid("oto orders require one of take_profit.limit_price or stop_loss.stop_price")
    elif missing:
        raise invalid(f"{order_class} orders require {missing[0]}")
    return cast(OrderClass, order_class), exits


def _read_exits(given: Mapping[str, object]) -> Exits:
    found: dict[str, Decimal | None] = {}
    for name, field in _EXITS:
        part = given.get(name, {})
        if not isinstance(part, dict):
            raise bad_request("request body format is invalid")
        price = _decimal({key: value for key, value in part.items() if value is not None and value != ""}, field)
        if price is not None and price <= 0:
            raise invalid(f"{name}.{field} must be > 0")
        found[f"{name}.{field}"] = price
    return Exits(*found.values())


def _read_extended(given: Mapping[str, object], kind: str, force: str, order_class: str) -> bool:
    extended = given.get("extended_hours", False)
    if not isinstance(extended, bool):
        raise bad_request("request body format is invalid: extended_hours must be true or false")
    if extended and kind in STOPS:
        raise unprocessable("stop orders are not eligible for extended hours trading")
    if extended and (kind != "limit" or force not in ("day", "gtc")):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if extended and order_class:
        raise unprocessable(f"{order_class} orders are not eligible for extended hours trading")
    return extended


def _decimal(given: Mapping[str, object], name: str) -> Decimal | None:
    return decimal_in(given[name], name) if name in given else None


def _text(given: Mapping[str, object], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise bad_request(f"request body format is invalid: {name} must be a string")
    return value


def _one_of(
    given: Mapping[str, object], name: str, allowed: tuple[str, ...], words: str, *, required: bool = True
) -> str | Literal[""]:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise bad_request(f"request body format is invalid: {name} must be a string")
    if value not in allowed and (required or value):
        raise invalid(words)
    return value
