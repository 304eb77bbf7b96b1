"""Locates: the right to sell short shares of a hard-to-borrow name, bought in lots of 100 for one day.

A locate is used once, by the orders that open a short, and its fee is never given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Final

from rebalancer.core.values import CENT, cents_toward_zero, text_of, time_text
from rebalancer.exchange import errors
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.calendar import moment_of, new_york_day
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.order_request import decimal_in
from rebalancer.exchange.state import State

LOT: Final = 100
FEE_RATE: Final = Decimal("0.0004")  # of the share price, for one day
_QTY_MAX: Final = 10_000  # shares of one name that can be located in one request


def quotes(state: State, parameters: Mapping[str, str]) -> dict[str, object]:
    """GET /v1/locates/quotes: fee a share and shares that can be located, for hard-to-borrow names."""
    names = [name.strip() for name in parameters.get("symbols", "").split(",") if name.strip()]
    if not names:
        raise errors.invalid("symbols is required")
    with state.reading() as at:
        found = {name: state.find(name) for name in names}
        rows = [
            {"symbol": row.symbol, "price": text_of(_fee(state, row, at)), "available_qty": str(_QTY_MAX)}
            for row in found.values()
            if row is not None and row.is_hard_to_borrow
        ]
        return {"quotes": rows}


def listed(state: State) -> list[dict[str, object]]:
    """GET /v1/locates: all locates, newest first."""
    with state.reading():
        return [_shown(row) for row in reversed(state.store.documents("locate"))]


def locate(state: State, body: Mapping[str, object]) -> dict[str, object]:
    """POST /v1/locates: buy a locate at once. Raises ApiError; then nothing has changed."""
    symbol = body.get("symbol")
    listing = state.find(symbol) if isinstance(symbol, str) else None
    if listing is None:
        raise errors.unprocessable(f'asset "{str(symbol)[:24]}" not found')
    qty = decimal_in(body.get("qty"), "qty")
    limit = None if body.get("limit_price") in (None, "") else decimal_in(body["limit_price"], "limit_price")
    if qty <= 0 or qty % LOT:
        raise errors.invalid("qty must be a multiple of 100")
    if not listing.is_hard_to_borrow:
        raise errors.unprocessable("easy_to_borrow")
    with state.request() as at:
        price = _fee(state, listing, at)
        if qty > _QTY_MAX or (limit is not None and price > limit):
            raise errors.unprocessable("insufficient_inventory" if qty > _QTY_MAX else "limit_price_exceeded")
        cost = (qty * price).quantize(CENT, rounding=ROUND_CEILING)
        power = state.numbers(at).available
        if cost > power:
            raise errors.unprocessable("insufficient_buying_power")
        number = str(len(state.store.documents("locate")) + 1)
        row: dict[str, object] = {
            "id": computed_id(state.market.seed, "locate", number),
            "symbol": listing.symbol,
            "qty": text_of(qty),
            "left": text_of(qty),
            "price": text_of(price),
            "day": new_york_day(at),
            "status": "filled",
            "created_at": time_text(moment_of(at)),
        }
        state.store.put_document("locate", str(row["id"]), row)
        words = f"locate fee {listing.symbol}"
        state.books.charge("FEE", "LCT", -cost, at, str(row["id"]), words, symbol=listing.symbol)
        return _shown(row)


def _fee(state: State, listing: Listing, at: int) -> Decimal:
    """USD a share: a fraction of the price, at least a tenth of a cent."""
    price = state.market.last(listing.symbol, at) * FEE_RATE
    return max(cents_toward_zero(price * 10) / 10, CENT / 10)


def _shown(row: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if key not in ("left", "day")} | {
        "remaining_qty": text_of(Decimal(str(row["left"])))
    }
