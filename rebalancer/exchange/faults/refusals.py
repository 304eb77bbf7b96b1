"""Known refusals by name, with the status and body that Alpaca sends."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from rebalancer.exchange import errors
from rebalancer.exchange.errors import ApiError

_NOBODY: Final = "00000000-0000-4000-8000-000000000000"

REFUSALS: Final[dict[str, Callable[[str], ApiError]]] = {
    "buying_power": lambda _: errors.insufficient_buying_power(Decimal("12.34"), Decimal("56.78")),
    "qty": lambda symbol: errors.insufficient_qty(symbol, Decimal(8), Decimal(5), Decimal(5), Decimal(0), []),
    "balance": lambda symbol: errors.insufficient_balance(symbol.split("/")[0], Decimal(2), Decimal(1)),
    "wash_trade": lambda _: errors.wash_trade(_NOBODY, "opposite side limit order exists"),
    "long_while_short": lambda _: errors.forbidden("cannot open a long buy while a short sell order is open"),
    "short_while_long": lambda _: errors.forbidden("cannot open a short sell while a long buy order is open"),
    "not_fractionable": lambda symbol: errors.forbidden(f'asset "{symbol}" is not fractionable'),
    "fractional_off": lambda _: errors.forbidden("fractional trading is disabled for this account"),
    "min_size": lambda _: errors.forbidden("cost basis must be >= minimal amount of order 1"),
    "no_shorting": lambda _: errors.forbidden("account is not allowed to short"),
    "not_authorized": lambda _: errors.forbidden("account is not authorized to trade"),
    "liquidation_only": lambda _: errors.forbidden("account is restricted to liquidation only"),
    "suspended": lambda _: errors.forbidden("new orders are rejected by user request"),
    "permission": lambda _: errors.forbidden("insufficient permission"),
    "day_trading": lambda _: errors.day_trading_protection(),
    "not_tradable": lambda symbol: errors.unprocessable(f'asset "{symbol}" is not tradable'),
    "asset_not_found": lambda symbol: errors.unprocessable(f'asset "{symbol}" not found'),
    "cannot_short": lambda symbol: errors.unprocessable(f'asset "{symbol}" cannot be sold short'),
    "hard_to_borrow": lambda symbol: errors.unprocessable(
        f'only day orders are allowed for hard-to-borrow asset "{symbol}"'
    ),
    "intent": lambda _: errors.unprocessable(
        "position intent mismatch, inferred: sell_to_open, specified: sell_to_close"
    ),
    "fractional_day": lambda _: errors.unprocessable("fractional orders must be DAY orders"),
    "sub_penny": lambda _: errors.unprocessable(
        "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria"
    ),
    "duplicate_id": lambda _: errors.invalid("client_order_id must be unique"),
    "qty_required": lambda _: errors.invalid("qty or notional is required"),
    "already_filled": lambda _: errors.unprocessable('order is already in "filled" state'),
    "pending_cancel": lambda _: errors.unprocessable("order pending cancel"),
    "order_not_found": lambda _: errors.not_found("order not found"),
    "position_not_found": lambda _: errors.not_found("position does not exist"),
    "unauthorized": lambda _: errors.unauthorized(),
    "forbidden": lambda _: ApiError(403, {"message": "Forbidden"}),
    "rate_limited": lambda _: errors.rate_limited(),
    "internal": lambda _: errors.internal(),
}
