"""Positions: list, look up, close."""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Decimal
from typing import Final

from rebalancer.core.values import ZERO, Side
from rebalancer.exchange.books import SMALLEST, Position
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError, invalid, not_found
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.order import held_quantity
from rebalancer.exchange.order_request import OrderRequest, decimal_in
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.switches import switch
from rebalancer.exchange.views import asset_id, position_view

_WHOLE: Final = Decimal(1)
_PLAIN: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")


def list_positions(exchange: Exchange) -> list[dict[str, object]]:
    """GET /v2/positions, by symbol."""
    with exchange.reading() as at:
        return [_view(exchange, position, at) for _, position in sorted(exchange.books.positions.items())]


def get_position(exchange: Exchange, name: str) -> dict[str, object]:
    """GET /v2/positions/{symbol or asset id}. Raises ApiError 404."""
    with exchange.reading() as at:
        return _view(exchange, _held(exchange, name), at)


def close_position(exchange: Exchange, name: str, parameters: Parameters) -> dict[str, object]:
    """DELETE /v2/positions/{symbol or asset id}, whole or by `qty` or `percentage`. Returns the order."""
    with exchange.request() as at:
        position = _held(exchange, name)
        qty = _closing_qty(position, _listing(exchange, position), parameters)
        return exchange.shown(exchange.place(_closing(exchange, position, qty), at))


def close_all(exchange: Exchange, parameters: Parameters) -> list[dict[str, object]]:
    """DELETE /v2/positions: one market order a position; with `cancel_orders`, open orders are cancelled before."""
    cancelling = switch(parameters, "cancel_orders")
    with exchange.request() as at:
        if cancelling:
            for order in tuple(exchange.orders.values()):
                if order.is_open:  # its sibling's cancellation may have cancelled it
                    exchange.cancel(order, at, at_once=True)
        answer: list[dict[str, object]] = []
        for symbol, position in sorted(exchange.books.positions.items()):
            row: dict[str, object] = {"symbol": symbol.replace("/", "")}
            try:
                order = exchange.place(_closing(exchange, position, abs(position.qty)), at)
                row |= {"order_id": order.id, "status": 200, "body": order.wire()}
            except ApiError as refusal:
                row |= {"status": refusal.status, "body": refusal.body}
            answer.append(row)
        return answer


def _closing(exchange: Exchange, position: Position, qty: Decimal) -> OrderRequest:
    crypto = _listing(exchange, position).is_crypto
    side: Side = "sell" if position.qty > 0 else "buy"
    return OrderRequest(position.symbol, side, "market", "gtc" if crypto else "day", qty, None)


def _closing_qty(position: Position, listing: Listing, parameters: Parameters) -> Decimal:
    qty, percentage = parameters.get("qty", ""), parameters.get("percentage", "")
    if qty and percentage:
        raise invalid("only one of qty or percentage is accepted")
    if not qty and not percentage:
        return abs(position.qty)
    text = qty or percentage
    if not _PLAIN.fullmatch(text):
        raise invalid(f"{'qty' if qty else 'percentage'} must be a number")
    number = decimal_in(text, "qty" if qty else "percentage")
    if percentage:
        if not ZERO < number <= 100:
            raise invalid("percentage must be between 0 and 100")
        whole = position.qty < 0 or not listing.fractionable
        lot = _WHOLE if whole else SMALLEST
        number = (abs(position.qty) * number / 100).quantize(lot, rounding=ROUND_DOWN)
    number = number.quantize(SMALLEST, rounding=ROUND_DOWN)
    if number <= 0:
        raise invalid("qty must be > 0")
    return number


def _held(exchange: Exchange, name: str) -> Position:
    listing = exchange.find(name)
    position = None if listing is None else exchange.books.positions.get(listing.symbol)
    if position is None:
        raise not_found("position does not exist")
    return position


def _listing(exchange: Exchange, position: Position) -> Listing:
    return exchange.market.listings[position.symbol]


def _view(exchange: Exchange, position: Position, at: int) -> dict[str, object]:
    market, symbol = exchange.market, position.symbol
    bid, ask = market.quote(symbol, at)
    closing = "sell" if position.qty > 0 else "buy"
    price = bid if closing == "sell" else ask
    held = held_quantity((order for order in exchange.open_orders_of(symbol) if order.side == closing), price)
    last, start = market.last(symbol, at), market.day_start(symbol, at)
    return position_view(position, _listing(exchange, position), asset_id(symbol), last, start, held)
