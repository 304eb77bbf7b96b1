"""Refusals, with the bodies that Alpaca sends: clients match on the code, the words and the extra keys.

The first three digits of a code are usually the HTTP status, except 40010001, which arrives with 422.
"""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.values import text_of


class ApiError(Exception):
    """A refusal. `body` is the JSON answer; nothing has changed when it is raised."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(f"{status} {body.get('message')}")
        self.status, self.body = status, body


def bad_request(message: str) -> ApiError:
    """The body could not be read at all."""
    return ApiError(400, {"code": 40010000, "message": message})


def invalid(message: str) -> ApiError:
    """A field is missing, malformed or contradicts another (422, code 40010001)."""
    return ApiError(422, {"code": 40010001, "message": message})


def unprocessable(message: str) -> ApiError:
    """A well-formed request that this asset or order cannot take (422, code 42210000)."""
    return ApiError(422, {"code": 42210000, "message": message})


def forbidden(message: str, **extra: object) -> ApiError:
    """Refused for this account as it stands now (403, code 40310000); only message and extra keys tell why."""
    return ApiError(403, {"code": 40310000, "message": message, **extra})


def day_trading_protection() -> ApiError:
    """One day trade too many, under the rule that ended on 2026-06-04."""
    return ApiError(403, {"code": 40310100, "message": "trade denied due to pattern day trading protection"})


def not_found(message: str) -> ApiError:
    """The thing asked for does not exist (404)."""
    return ApiError(404, {"code": 40410000, "message": message})


def not_found_here(message: str) -> ApiError:
    """The thing asked for does not exist (404, without a code, as newer calls answer)."""
    return ApiError(404, {"message": message})


def locate_refused(status: int, code: str, message: str) -> ApiError:
    """No locate: the code is a word."""
    return ApiError(status, {"code": code, "message": message})


def bad_parameter(message: str) -> ApiError:
    """A market-data parameter is wrong (400, without a code, as the data API answers)."""
    return ApiError(400, {"message": message})


def unauthorized() -> ApiError:
    """Missing or wrong keys."""
    return ApiError(401, {"message": "unauthorized."})


def rate_limited() -> ApiError:
    """Too many requests in this window."""
    return ApiError(429, {"code": 42910000, "message": "rate limit exceeded"})


def data_rate_limited() -> ApiError:
    """Too many requests of market data in this window; no code, as everywhere in the data API."""
    return ApiError(429, {"message": "too many requests."})


def too_large() -> ApiError:
    """The body is longer than the server reads."""
    return ApiError(413, {"code": 41310000, "message": "request entity too large"})


def internal() -> ApiError:
    """A fault of ours; the request has been rolled back."""
    return ApiError(500, {"code": 50010000, "message": "internal server error occurred"})


def insufficient_qty(
    symbol: str, requested: Decimal, available: Decimal, existing: Decimal, held: Decimal, holders: list[str]
) -> ApiError:
    """More than the position has free. `related_orders` appears only when orders hold shares."""
    words = f"insufficient qty available for order (requested: {text_of(requested)}, available: {text_of(available)})"
    extra: dict[str, object] = {
        "available": text_of(available),
        "existing_qty": text_of(existing),
        "held_for_orders": text_of(held),
        "symbol": symbol,
    }
    if holders:
        extra["related_orders"] = holders
    return forbidden(words, **extra)


def insufficient_balance(coin: str, requested: Decimal, available: Decimal) -> ApiError:
    """More of a coin than the account has free."""
    return forbidden(
        f"insufficient balance for {coin} (requested: {text_of(requested)}, available: {text_of(available)})"
    )


def insufficient_buying_power(buying_power: Decimal, cost_basis: Decimal) -> ApiError:
    """The order's value, collar included, exceeds what the account may still open."""
    return forbidden("insufficient buying power", buying_power=text_of(buying_power), cost_basis=text_of(cost_basis))


def wash_trade(existing_order_id: str, reason: str) -> ApiError:
    """An open order on the other side could trade with this one."""
    return forbidden(
        "potential wash trade detected. use complex orders", existing_order_id=existing_order_id, reject_reason=reason
    )
