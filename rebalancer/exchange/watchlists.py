"""Watchlists: named, ordered lists of assets."""

from __future__ import annotations

from collections.abc import Mapping

from rebalancer.core.values import time_text
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.calendar import moment_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import bad_request, invalid, not_found, unprocessable
from rebalancer.exchange.records import asset_at

NAME_MAX = 64
Body = dict[str, object]


def listed(exchange: Exchange) -> list[Body]:
    """GET /v2/watchlists, without their assets."""
    with exchange.reading():
        return [_head(exchange, row) for row in exchange.store.documents("watchlist")]


def get(exchange: Exchange, key: str, value: str) -> Body:
    """GET by `id` or `name`. Raises ApiError 404."""
    with exchange.reading():
        return _view(exchange, _find(exchange, key, value))


def create(exchange: Exchange, body: Mapping[str, object]) -> Body:
    """POST /v2/watchlists. Raises ApiError 422."""
    with exchange.request() as at:
        name, symbols = _name(exchange, body, None), _symbols(exchange, body.get("symbols"))
        number = int(exchange.store.meta("watchlists") or 0) + 1
        exchange.store.set_meta("watchlists", str(number))
        identity, now = computed_id(exchange.market.seed, "watchlist", str(number)), time_text(moment_of(at))
        row: Body = {"id": identity, "name": name, "symbols": symbols, "created_at": now, "updated_at": now}
        exchange.store.put_document("watchlist", identity, row)
        return _view(exchange, row)


def update(exchange: Exchange, key: str, value: str, body: Mapping[str, object]) -> Body:
    """PUT: a new name, new symbols or both."""
    with exchange.request() as at:
        row = _find(exchange, key, value)
        if body.get("name"):
            row["name"] = _name(exchange, body, str(row["id"]))
        if body.get("symbols") is not None:
            row["symbols"] = _symbols(exchange, body["symbols"])
        return _put(exchange, row, at)


def add(exchange: Exchange, key: str, value: str, body: Mapping[str, object]) -> Body:
    """POST to a watchlist: append a symbol. Raises ApiError 422 when it is there already."""
    with exchange.request() as at:
        row = _find(exchange, key, value)
        (symbol,) = _symbols(exchange, [body.get("symbol")])
        symbols = _listed_symbols(row)
        if symbol in symbols:
            raise unprocessable("duplicate symbol")
        row["symbols"] = [*symbols, symbol]
        return _put(exchange, row, at)


def remove(exchange: Exchange, identity: str, symbol: str) -> Body:
    """DELETE a symbol of a watchlist. Raises ApiError 404."""
    with exchange.request() as at:
        row = _find(exchange, "id", identity)
        listing = exchange.find(symbol)
        symbols = _listed_symbols(row)
        if listing is None or listing.symbol not in symbols:
            raise not_found(f"symbol not found: {symbol[:24]}")
        row["symbols"] = [name for name in symbols if name != listing.symbol]
        return _put(exchange, row, at)


def delete(exchange: Exchange, key: str, value: str) -> None:
    """DELETE a watchlist. Raises ApiError 404."""
    with exchange.request():
        exchange.store.drop_document("watchlist", str(_find(exchange, key, value)["id"]))


def _find(exchange: Exchange, key: str, value: str) -> Body:
    for row in exchange.store.documents("watchlist"):
        if row[key] == value:
            return row
    raise not_found("watchlist not found")


def _put(exchange: Exchange, row: Body, at: int) -> Body:
    row["updated_at"] = time_text(moment_of(at))
    exchange.store.put_document("watchlist", str(row["id"]), row)
    return _view(exchange, row)


def _name(exchange: Exchange, body: Mapping[str, object], own: str | None) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name or len(name) > NAME_MAX:
        raise invalid("watchlist name must be between 1 and 64 characters")
    if any(row["name"] == name and row["id"] != own for row in exchange.store.documents("watchlist")):
        raise invalid("watchlist name must be unique")
    return name


def _symbols(exchange: Exchange, asked: object) -> list[str]:
    if asked is None:
        return []
    if not isinstance(asked, list) or not all(isinstance(name, str) for name in asked):
        raise bad_request("request body format is invalid: symbols must be a list of strings")
    found = []
    for name in asked:
        listing = exchange.find(name)
        if listing is None:
            raise unprocessable(f'asset "{name[:24]}" not found')
        found.append(listing.symbol)
    return list(dict.fromkeys(found))


def _listed_symbols(row: Body) -> list[str]:
    symbols = row["symbols"]
    assert isinstance(symbols, list)
    return symbols


def _head(exchange: Exchange, row: Body) -> Body:
    account = computed_id(exchange.market.seed, "account")
    return {"account_id": account, **{key: value for key, value in row.items() if key != "symbols"}}


def _view(exchange: Exchange, row: Body) -> Body:
    at = exchange.caught_up  # of the caller's request: to catch up again would begin another transaction
    return {**_head(exchange, row), "assets": [asset_at(exchange, symbol, at) for symbol in _listed_symbols(row)]}
