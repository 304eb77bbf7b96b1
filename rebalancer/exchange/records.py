"""Activities, assets and the calendar: requests that only read."""

from __future__ import annotations

from datetime import date
from typing import Final

from rebalancer.exchange import parameters as read
from rebalancer.exchange.calendar import midnight_new_york
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import bad_request, invalid, not_found
from rebalancer.exchange.ledger import USD
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.switches import (
    ACTIVITY_FILTERS,
    ACTIVITY_GROUPS,
    calendar_day,
    one_of,
    size,
    some_of,
)
from rebalancer.exchange.views import asset_id, asset_view, attributes_of, calendar_view, clock_view

PAGE_MAX: Final = 100
_SETTLED_DAYS: Final = 10  # a session is settled within so many days
CLASSES: Final = (
    "us_equity", "us_option", "crypto", "crypto_perp", "treasury", "corporate", "global_equity", "us_index",
    "us_equity_chain", "ipo",
)  # fmt: skip
VENUES: Final = (
    "AMEX", "ARCA", "ASCX", "BATS", "NYSE", "NASDAQ", "NYSEARCA", "OTC", "CRYPTO", "FTXU", "CBSE", "GNSS", "ERSX",
)  # fmt: skip
ATTRIBUTES: Final = (
    "ptp_no_exception", "ptp_with_exception", "ipo", "has_options", "options_late_close", "fractional_eh_enabled",
    "overnight_tradable", "overnight_halted",
)  # fmt: skip
_TRADES: Final = frozenset({"FILL"})
_OTHERS: Final = frozenset({"CSD", "CSW", "CFEE", "DIV", "SPLIT", "CIL", "INT", "FEE"})


def list_activities(exchange: Exchange, kind: str | None, parameters: Parameters) -> list[dict[str, object]]:
    """GET /v2/account/activities[/{type}]: newest first by default; `page_token` is the id of the last row seen."""
    asked = set(some_of(parameters, "activity_types", ACTIVITY_FILTERS))
    if kind is not None:
        if kind not in ACTIVITY_FILTERS:
            raise invalid(f"invalid activity_type: {kind[:40]}")
        asked = {kind}
    asked = {name for one in asked for name in ACTIVITY_GROUPS.get(one, (one,))}
    category = parameters.get("category", "")
    if category and asked:
        raise invalid("category and activity_types cannot be combined")
    if category not in ("", "trade_activity", "non_trade_activity"):
        raise invalid("invalid category")
    if category == "trade_activity":
        asked = set(_TRADES)
    elif category == "non_trade_activity":
        asked = set(_OTHERS)
    direction = read.choice(parameters, "direction", ("desc", "asc"), 'direction can only be "asc" or "desc"')
    after, until = read.moment(parameters, "after"), read.moment(parameters, "until")
    day = read.calendar_date(parameters, "date")
    limit = size(parameters, "page_size", PAGE_MAX)
    order_id = read.order_id(parameters["order_id"]) if parameters.get("order_id") else None
    token = parameters.get("page_token", "")
    with exchange.reading() as at:
        beyond = exchange.store.activity_place(token) if token else None
        if token and beyond is None:
            raise invalid("page_token is invalid")
        last = at if until is None else min(at, until)
        if day is not None:
            after = midnight_new_york(day.toordinal()) - 1
            last = min(last, midnight_new_york(day.toordinal() + 1) - 1)
        rows = exchange.store.activities(
            kinds=asked,
            order_id=order_id,
            after=after,
            until=last,
            ascending=direction == "asc",
            beyond=beyond,
            limit=limit,
        )
        return [row if row["activity_type"] in _TRADES else {"currency": USD, **row} for row in rows]


def list_assets(exchange: Exchange, parameters: Parameters) -> list[dict[str, object]]:
    """GET /v2/assets, filtered by status, asset_class (default us_equity), exchange and any of some attributes."""
    status = one_of(parameters, "status", ("active", "inactive", "all"))
    wanted = some_of(parameters, "asset_class", CLASSES) or ["us_equity"]
    venues = set(some_of(parameters, "exchange", VENUES))
    attributes = set(some_of(parameters, "attributes", ATTRIBUTES))
    with exchange.reading() as at:
        return [
            _asset(exchange, exchange.listing(listing.symbol), at)
            for listing in exchange.market.listings.values()
            if listing.asset_class in wanted
            and (not venues or venues & {listing.exchange, "NYSEARCA" if listing.exchange == "ARCA" else ""})
            and (status in ("", "all") or (status == "active") == listing.tradable)
            and (not attributes or attributes.intersection(attributes_of(listing)))
        ]


def get_asset(exchange: Exchange, name: str) -> dict[str, object]:
    """GET /v2/assets/{symbol or id}. Raises ApiError 404."""
    with exchange.reading() as at:
        return asset_at(exchange, name, at)


def asset_at(exchange: Exchange, name: str, at: int) -> dict[str, object]:
    """One asset, inside the caller's request. Raises ApiError 404."""
    listing = exchange.find(name)
    if listing is None:
        raise not_found(f"asset not found for {name[:40]}")
    return _asset(exchange, listing, at)


def get_clock(exchange: Exchange) -> dict[str, object]:
    """GET /v2/clock."""
    with exchange.reading() as at:
        return clock_view(exchange.sessions, at)


def get_calendar(exchange: Exchange, parameters: Parameters) -> list[dict[str, object]]:
    """GET /v2/calendar: sessions from `start` to `end`, both inclusive, by their own day or by that of settlement."""
    start = (calendar_day(parameters, "start") or date.min).toordinal()
    end = (calendar_day(parameters, "end") or date.max).toordinal()
    date_type = parameters.get("date_type", "").upper()
    if date_type not in ("", "TRADING", "SETTLEMENT"):
        raise bad_request(f"invalid date_type: {date_type[:20]}")
    by_settlement = date_type == "SETTLEMENT"
    table = exchange.sessions
    found = table.between(start - (_SETTLED_DAYS if by_settlement else 0), end)
    pairs = [(row, table.next_open(row.close)) for row in found if row != table.sessions[-1]]  # nobody knows its own
    return [calendar_view(*pair) for pair in pairs if start <= pair[by_settlement].day <= end]


def _asset(exchange: Exchange, listing: Listing, at: int) -> dict[str, object]:
    price = exchange.market.last(listing.symbol, at) if listing.tradable else None
    return asset_view(listing, asset_id(listing.symbol), price)
