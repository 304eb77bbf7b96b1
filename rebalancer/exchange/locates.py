"""Locates: the right to sell short shares of a hard-to-borrow name, bought in lots of 100 for one trading date.

The objects and refusals are those of Alpaca's file of June 2026. A locate is used once, by the orders that open a
short, and its fee is never given back. What cannot be located is no refusal: the locate is there, and rejected.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple
from uuid import UUID

from rebalancer.core.values import CENT, cents_toward_zero, text_of, time_text
from rebalancer.exchange import parameters as read
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.calendar import moment_of
from rebalancer.exchange.errors import ApiError, locate_refused, not_found_here
from rebalancer.exchange.located import locate_day, locate_end
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.state import State

LOT: Final = 100
FEE_RATE: Final = Decimal("0.0004")  # of the share price, for one day
QTY_MAX: Final = 10_000  # shares of one name that can be located in one request
_SYMBOLS_MAX: Final = 100
_LIMIT_DEFAULT, _LIMIT_MAX = 1000, 10_000
_STATUSES: Final = ("active", "expired", "rejected")
_PRICE: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class _Asked(NamedTuple):
    """A well-formed request for a locate."""

    symbol: str
    qty: int
    limit: Decimal | None
    all_or_none: bool


def quotes(state: State, parameters: Parameters) -> dict[str, object]:
    """GET /v1/locates/quotes: fee a share and shares that can be located, and why a name has no quote."""
    names = list(dict.fromkeys(read.names(parameters, "symbols")))
    if not 1 <= len(names) <= _SYMBOLS_MAX:
        raise locate_refused(400, "invalid_symbols", f"symbols must contain 1 to {_SYMBOLS_MAX} unique symbols")
    with state.reading() as at:
        rows, problems = list[dict[str, object]](), list[dict[str, object]]()
        for name in names:
            listing = state.find(name)
            refusal = _refusal(listing)
            if refusal is not None:
                problems.append({"symbol": name, **refusal})
                continue
            assert listing is not None
            price, when = text_of(_fee(state, listing, at)), time_text(moment_of(at))
            rows.append({"symbol": listing.symbol, "price": price, "available_qty": QTY_MAX, "quoted_at": when})
        return {"quotes": rows, "errors": problems}


def listed(state: State, parameters: Parameters) -> dict[str, object]:
    """GET /v1/locates: newest first, by status, symbol and trading date (`end` is exclusive). Raises ApiError 400."""
    status, symbol = parameters.get("status", ""), parameters.get("symbol", "")
    if status not in ("", *_STATUSES):
        raise _invalid("invalid status")
    start, end = _day(parameters, "start"), _day(parameters, "end")
    text = parameters.get("limit", "")
    if text and not (re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= _LIMIT_MAX):
        raise _invalid("invalid limit")
    limit, token = int(text or _LIMIT_DEFAULT), parameters.get("page_token", "")
    with state.reading() as at:
        rows = [
            (_shown(row, at), int(str(row["day"])))
            for row in sorted(state.store.documents("locate"), key=_newest_last, reverse=True)
        ]
    found = [
        row
        for row, day in rows
        if status in ("", row["status"])
        and symbol in ("", row["symbol"])
        and (start is None or day >= start.toordinal())
        and (end is None or day < end.toordinal())
    ]
    first = _place(token, [str(row["id"]) for row in found]) if token else 0
    more = _token(str(found[first + limit - 1]["id"])) if len(found) > first + limit else None
    return {"locates": found[first : first + limit], "next_page_token": more}


def get_locate(state: State, identity: str) -> dict[str, object]:
    """GET /v1/locates/{locate_id}. Raises ApiError 400, 404."""
    try:
        identity = str(UUID(identity))
    except ValueError:
        raise _invalid("locate_id is not a UUID") from None
    with state.reading() as at:
        for row in state.store.documents("locate"):
            if row["id"] == identity:
                return _shown(row, at)
    raise not_found_here("locate not found")


def locate(state: State, body: Mapping[str, object]) -> dict[str, object]:
    """POST /v1/locates: locate at once, all that is asked for or what there is. Raises ApiError; then nothing has
    changed. A locate that cannot be had is rejected: status and reason say so, and it costs nothing."""
    asked = _read(body)
    listing = state.find(asked.symbol)
    refusal = _refusal(listing)
    if refusal is not None:
        raise locate_refused(422, refusal["code"], refusal["message"])
    assert listing is not None
    with state.request() as at:
        price = _fee(state, listing, at)
        reason = _rejection(asked, price)
        qty = 0 if reason else min(asked.qty, QTY_MAX)
        cost = (qty * price).quantize(CENT, rounding=ROUND_CEILING)
        if cost > state.numbers(at).available:
            raise locate_refused(422, "insufficient_buying_power", "insufficient buying power to cover locate fee")
        number = str(len(state.store.documents("locate")) + 1)
        row: dict[str, object] = {
            "id": computed_id(state.market.seed, "locate", number),
            "symbol": listing.symbol,
            "requested_qty": asked.qty,
            "limit_price": None if asked.limit is None else text_of(asked.limit),
            "all_or_none": asked.all_or_none,
            "qty": str(qty),
            "left": str(qty),
            "price": text_of(price),
            "cost": text_of(cost),
            "day": locate_day(at),
            "reason": reason,
            "created_at": time_text(moment_of(at)),
        }
        state.store.put_document("locate", str(row["id"]), row)
        if cost:
            words = f"locate fee {listing.symbol}"
            state.books.charge("FEE", "LCT", -cost, at, str(row["id"]), words, symbol=listing.symbol)
        return _shown(row, at)


def _read(body: Mapping[str, object]) -> _Asked:
    symbol, qty, all_or_none = body.get("symbol"), body.get("qty"), body.get("all_or_none")
    if not isinstance(symbol, str) or type(qty) is not int or not isinstance(all_or_none, bool | None):
        raise locate_refused(400, "invalid_request_body", "invalid request body")
    if qty <= 0 or qty % LOT or qty >= 10**12:
        raise _invalid("quantity must be in round lots of 100")
    limit = body.get("limit_price")
    if limit is not None and not (isinstance(limit, str) and _PRICE.fullmatch(limit)):
        raise locate_refused(400, "invalid_limit_price", "invalid limit_price")
    return _Asked(symbol, qty, None if limit is None else Decimal(str(limit)), bool(all_or_none))


def _rejection(asked: _Asked, price: Decimal) -> str | None:
    """Why nothing is located. The words are chosen, but for the first."""
    if asked.all_or_none and asked.qty > QTY_MAX:
        return "inventory_unavailable"
    return "limit_price_exceeded" if asked.limit is not None and price > asked.limit else None


_UNKNOWN: Final = {"code": "symbol_not_found", "message": "symbol not found"}
_EASY: Final = {
    "code": "easy_to_borrow",
    "message": "security is easy-to-borrow and does not require a locate",
}


def _refusal(listing: Listing | None) -> dict[str, str] | None:
    """Why a name can have no locate: it is not a tradable stock, or needs none."""
    if listing is None or listing.is_crypto or not listing.tradable:
        return _UNKNOWN
    return None if listing.is_hard_to_borrow else _EASY


def _fee(state: State, listing: Listing, at: int) -> Decimal:
    """USD a share: a fraction of the price, at least a tenth of a cent."""
    price = state.market.last(listing.symbol, at) * FEE_RATE
    return max(cents_toward_zero(price * 10) / 10, CENT / 10)


def _shown(row: Mapping[str, object], at: int) -> dict[str, object]:
    """Alpaca's object. What a rejected locate does not have is left out."""
    qty, price, expires = Decimal(str(row["qty"])), Decimal(str(row["price"])), locate_end(int(str(row["day"])))
    shown: dict[str, object] = {
        "id": row["id"],
        "symbol": row["symbol"],
        "requested_qty": row.get("requested_qty", int(qty)),
        "limit_price": row.get("limit_price"),
        "all_or_none": row.get("all_or_none", False),
        "status": "active" if at < expires else "expired",
        "created_at": row["created_at"],
    }
    if row.get("reason") is not None:
        return {**shown, "status": "rejected", "rejection_reason": row["reason"]}
    return {
        **shown,
        "located_qty": int(qty),
        "located_price": text_of(price),
        "total_fee": row.get("cost", text_of((qty * price).quantize(CENT, rounding=ROUND_CEILING))),
        "expires_at": time_text(moment_of(expires)),
    }


def _newest_last(row: Mapping[str, object]) -> tuple[str, str]:
    return str(row["created_at"]), str(row["id"])


def _day(parameters: Parameters, name: str) -> date | None:
    try:
        return read.calendar_date(parameters, name)
    except ApiError:
        raise _invalid(f"invalid {name}") from None


def _invalid(words: str) -> ApiError:
    return locate_refused(400, "invalid_input", f"invalid input: {words}")


def _token(identity: str) -> str:
    """A page token: the last row of the page before."""
    return base64.urlsafe_b64encode(identity.encode()).decode()


def _place(token: str, ids: list[str]) -> int:
    try:
        return ids.index(base64.urlsafe_b64decode(token).decode()) + 1
    except (ValueError, binascii.Error):
        raise _invalid("invalid page_token") from None
