"""Faults that change an answer: its JSON says something else than the exchange knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange import errors
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.faults.rules import Rule
from rebalancer.exchange.parameters import read_moment
from rebalancer.exchange.views import asset_id, position_view

if TYPE_CHECKING:
    from rebalancer.exchange.books import Position
    from rebalancer.exchange.core import Exchange

_ACCOUNT: Final = "/v2/account"


class Answer(NamedTuple):
    """An answer that has not been sent yet."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _Asked(NamedTuple):
    exchange: Exchange
    method: str
    path: str


def bend(exchange: Exchange, rules: list[Rule], method: str, path: str, answer: Answer) -> Answer:
    """Apply the rules that change JSON, in their order; anything that is not JSON stays as it is."""
    try:
        document: Any = json.loads(answer.body)
    except ValueError:
        return answer
    status, asked = answer.status, _Asked(exchange, method, path)
    for rule in rules:
        change = _CHANGES.get(rule.kind)
        if change is not None:
            status, document = change(asked, rule, status, document)
    return with_body(answer, status, json.dumps(document).encode())


def with_body(answer: Answer, status: int, body: bytes) -> Answer:
    """The same answer with another body, whose length the headers tell."""
    kept = [(name, value) for name, value in answer.headers if name != b"content-length"]
    return Answer(status, [*kept, (b"content-length", str(len(body)).encode())], body)


def refuse_flagged(rules: list[Rule], method: str, path: str) -> None:
    """Refuse what an account with such flags may not do. Raises ApiError 403."""
    opens = (method == "POST" and path == "/v2/orders") or (method == "PATCH" and path.startswith("/v2/orders/"))
    if not opens and not (method == "DELETE" and path.startswith("/v2/positions")):
        return
    for rule in rules:
        if rule.kind != "account_flags":
            continue
        flags = rule.parameters["set"]
        if flags.get("trade_suspended_by_user"):
            raise errors.forbidden("new orders are rejected by user request")
        if flags.get("trading_blocked") or flags.get("account_blocked") or flags.get("status", "ACTIVE") != "ACTIVE":
            raise errors.forbidden("account is not authorized to trade")


def _first(document: Any, field: str) -> dict[str, Any] | None:
    """The object itself, or the first of a list that has the field."""
    rows = document if isinstance(document, list) else [document]
    return next((row for row in rows if isinstance(row, dict) and field in row), None)


def _unknown_enum(_: _Asked, rule: Rule, status: int, document: Any) -> tuple[int, Any]:
    row = _first(document, rule.parameters["field"])
    if row is not None:
        row[rule.parameters["field"]] = rule.parameters["value"]
    return status, document


def _missing_field(_: _Asked, rule: Rule, status: int, document: Any) -> tuple[int, Any]:
    row = _first(document, rule.parameters["field"])
    if row is not None:
        del row[rule.parameters["field"]]
    return status, document


def _set_field(_: _Asked, rule: Rule, status: int, document: Any) -> tuple[int, Any]:
    for row in document if isinstance(document, list) else [document]:
        if isinstance(row, dict) and rule.parameters["field"] in row:
            row[rule.parameters["field"]] = rule.parameters["value"]
    return status, document


def _account_flags(asked: _Asked, rule: Rule, status: int, document: Any) -> tuple[int, Any]:
    if asked.method == "GET" and asked.path == _ACCOUNT and status == 200:
        document.update(rule.parameters["set"])
    return status, document


def _orders_lag(asked: _Asked, rule: Rule, status: int, document: Any) -> tuple[int, Any]:
    """Young orders are missing from lists, and not found alone."""
    with asked.exchange.reading() as at:
        since = at - _micros(rule)

    def is_old(row: Any) -> bool:
        return not isinstance(row, dict) or (read_moment(str(row.get("submitted_at"))) or 0) <= since

    if isinstance(document, list):
        return status, [row for row in document if is_old(row)]
    if status == 200 and not is_old(document):
        refusal = errors.not_found("order not found")
        return refusal.status, refusal.body
    return status, document


def _positions_lag(asked: _Asked, rule: Rule, status: int, document: Any) -> tuple[int, Any]:
    exchange = asked.exchange
    with exchange.reading() as at:
        before = exchange.past.changed_since(at - _micros(rule))
        rows = {symbol: _position_row(exchange, one, at) for symbol, one in before.items() if one is not None}
    if isinstance(document, list):
        changed = {symbol.replace("/", "") for symbol in before}
        return status, sorted(
            [*(row for row in document if row["symbol"] not in changed), *rows.values()], key=lambda row: row["symbol"]
        )
    listing = exchange.find(asked.path.rpartition("/")[2])
    if listing is None or listing.symbol not in before:
        return status, document
    row = rows.get(listing.symbol)
    if row is not None:
        return 200, row
    refusal = errors.not_found("position does not exist")
    return refusal.status, refusal.body


def _position_row(exchange: Exchange, position: Position, at: int) -> dict[str, object]:
    market, symbol = exchange.market, position.symbol
    last, start = market.last(symbol, at), market.day_start(symbol, at)
    return position_view(position, market.listings[symbol], asset_id(symbol), last, start, ZERO)


def _clock_skew(asked: _Asked, rule: Rule, status: int, document: Any) -> tuple[int, Any]:
    if asked.path == "/v2/clock" and status == 200:
        shown = datetime.fromisoformat(document["timestamp"]) + timedelta(seconds=rule.parameters["seconds"])
        document["timestamp"] = shown.isoformat()
    return status, document


def _micros(rule: Rule) -> int:
    return round(float(rule.parameters["seconds"]) * MICROS)


_CHANGES: Final[dict[str, Callable[[_Asked, Rule, int, Any], tuple[int, Any]]]] = {
    "unknown_enum": _unknown_enum,
    "missing_field": _missing_field,
    "set_field": _set_field,
    "account_flags": _account_flags,
    "orders_lag": _orders_lag,
    "positions_lag": _positions_lag,
    "clock_skew": _clock_skew,
}
