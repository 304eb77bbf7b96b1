"""Activities, assets and the calendar: requests that only read."""

from __future__ import annotations

from datetime import date
from typing import Final

from rebalancer.exchange import parameters as read
from rebalancer.exchange.calendar import MICROS, midnight_new_york
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import invalid, not_found
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.views import asset_id, asset_view, calendar_view, clock_view

PAGE_MAX: Final = 100
_TRADES: Final = frozenset({"FILL"})
_OTHERS: Final = frozenset({"CSD", "CSW", "CFEE", "DIV", "SPLIT", "CIL", "INT", "FEE"})


def list_activities(exchange: Exchange, kind: str | None, parameters: Parameters) -> list[dict[str, object]]:
    """GET /v2/account/activities[/{type}]: newest first by default; `page_token` is the id of the last row seen."""
    asked = {kind} if kind else set(read.names(parameters, "activity_types"))
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
    day = read.new_york_date(parameters, "date")
    limit = read.count(parameters, "page_size", PAGE_MAX, PAGE_MAX)
    order_id = parameters.get("order_id") or None
    token = parameters.get("page_token", "")
    with exchange.reading() as at:
        beyond = exchange.store.activity_place(token) if token else None
        if token and beyond is None:
            raise invalid("page_token is invalid")
        last = at if until is None else min(at, until)
        if day is not None:
            after = midnight_new_york(day.toordinal()) - 1
            last = min(last, midnight_new_york(day.toordinal() + 1) - 1)
        return exchange.store.activities(
            kinds=asked,
            order_id=order_id,
            after=after,
            until=last,
            ascending=direction == "asc",
            beyond=beyond,
            limit=limit,
        )


def list_assets(exchange: Exchange, parameters: Parameters) -> list[dict[str, object]]:
    """GET /v2/assets, filtered by status, asset_class (default us_equity) and exchange."""
    status = parameters.get("status", "")
    wanted = read.names(parameters, "asset_class") or ["us_equity"]
    venue = parameters.get("exchange", "")
    with exchange.reading() as at:
        return [
            _asset(exchange, listing, at)
            for listing in exchange.market.listings.values()
            if listing.asset_class in wanted
            and (not venue or venue in (listing.exchange, "NYSEARCA" if listing.exchange == "ARCA" else ""))
            and (status in ("", "all") or (status == "active") == listing.tradable)
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
    """GET /v2/calendar: sessions from `start` to `end`, both inclusive; the whole known calendar by default."""
    start = read.new_york_date(parameters, "start") or date.min
    end = read.new_york_date(parameters, "end") or date.max
    table = exchange.sessions
    rows = table.between(start.toordinal(), end.toordinal())
    known = (row for row in rows if row != table.sessions[-1])  # of the last one nobody knows when it settles
    return [calendar_view(row, table.next_open(row.close + MICROS)) for row in known]


def _asset(exchange: Exchange, listing: Listing, at: int) -> dict[str, object]:
    price = exchange.market.last(listing.symbol, at) if listing.tradable else None
    return asset_view(listing, asset_id(listing.symbol), price)
