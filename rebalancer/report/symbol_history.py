"""What `explain` shows of a symbol beyond its chain: votes and their weights, checks, protection, the last orders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Target
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import Side
from rebalancer.report.allocation import target_of
from rebalancer.report.numbers import (
    amount_of,
    day_text,
    fixed,
    hour_text,
    money,
    percent,
    price,
    shares,
    span_text,
)
from rebalancer.report.records import RunRecord
from rebalancer.report.visible import visible, visible_symbol
from rebalancer.report.votes import counted_votes, disagreement
from rebalancer.report.words import order_word

Links = list[tuple[str, str]]


class PastOrder(NamedTuple):
    """One order of a symbol, by our id, with how it ended."""

    client_order_id: str
    at: datetime
    side: Side
    qty: Decimal
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    state: OrderState
    message: str


class SymbolHistory(NamedTuple):
    """What journal and rules know about one symbol. `weights` are the sources' weights in the consensus, 1 for a source
    that is not named; `protection` is a sentence; `orders` are the last ones, newest first; `rests_on` says, by the id
    of a vote, what its source gave as its reason and the addresses that it read. USD; counts are per trading day."""

    weights: Mapping[str, float]
    min_trade: Decimal
    orders_most: int
    protection: str
    orders: tuple[PastOrder, ...]
    rests_on: Mapping[str, str] = {}


def consensus(symbol: str, record: RunRecord, weights: Mapping[str, float]) -> Links:
    """Every counted vote times its weight; nothing when no signal counted."""
    votes = counted_votes(symbol, record)
    shares_of = [weights.get(vote.source, 1.0) for vote in votes]
    total = sum(shares_of)
    if not votes or total <= 0:
        return []
    parts = [
        f"{visible_symbol(vote.source)} {fixed(vote.score, 2, sign=True)} × confidence {fixed(vote.confidence, 2)}"
        f" × weight {fixed(weight / total, 2)}"
        for vote, weight in zip(votes, shares_of, strict=True)
    ]
    result = sum(v.score * v.confidence * w for v, w in zip(votes, shares_of, strict=True)) / total
    said = f"{' + '.join(parts)} = {fixed(result, 2, sign=True)}"
    if cancelled := disagreement(votes, weights):
        target = target_of(record, symbol)
        lowered = "" if target is None else f", confidence {fixed(target.confidence, 2)}"
        said += f"; {percent(cancelled, 0)} of it cancels out{lowered}"
    return [("consensus", said)]


def grounds(symbol: str, record: RunRecord, rests_on: Mapping[str, str]) -> Links:
    """What the votes on a symbol rest on, as far as their sources said."""
    mine = [s for s in record.snapshot.signals if s.symbol == symbol and s.id in rests_on]
    return [("vote", f"{visible_symbol(s.source)}: {visible(rests_on[s.id])}") for s in mine]


def checks(symbol: str, record: RunRecord, target: Target | None, known: SymbolHistory) -> Links:
    """What was checked before an order could be sent, each with its mark."""
    snapshot = record.snapshot
    found = next((i for i in snapshot.instruments if i.symbol == symbol), None)
    if found is None:
        return [("checks", "✘ the broker does not know it")]
    said = [_mark(found.tradable, "tradable")]
    said.append("– whole shares" if found.lot == 1 else f"✔ fractions of {shares(found.lot)}")
    quote = next((q for q in snapshot.quotes if q.symbol == symbol), None)
    age = None if quote is None else max((snapshot.as_of - quote.at).total_seconds(), 0.0)
    said.append("✘ no price" if age is None else f"✔ price {span_text(age)} old")
    if target is not None:
        value = abs(target.drift) * float(record.plan.capital)
        said.append(_mark(value >= known.min_trade, f"{money(value)} of at least {money(known.min_trade)}"))
    opened = [order for order in snapshot.open_orders if order.symbol == symbol]
    said.append(f"! {amount_of(len(opened), 'open order')}" if opened else "✔ no open order")
    said.append(_mark(symbol not in record.plan.frozen, "position as expected"))
    sent = snapshot.day.orders_sent_by_symbol.get(symbol, 0)
    said.append(_mark(sent < known.orders_most, f"orders today {sent} of {known.orders_most}"))
    said.append(_mark(not snapshot.account.restrictions, "account free to trade"))
    return [("checks", " · ".join(said))]


def afterwards(known: SymbolHistory) -> Links:
    """How the symbol is protected, and its last orders."""
    links: Links = [("exits", visible(known.protection))] if known.protection else []
    return links + [("past", _past(order)) for order in known.orders]


def _past(order: PastOrder) -> str:
    at = f" at {price(order.filled_avg_price)}" if order.filled_avg_price is not None else ""
    said = f": {visible(order.message)}" if order.message else ""
    when = f"{day_text(order.at)} {hour_text(order.at)} ET"
    done = f"{shares(order.filled_qty)} of {shares(order.qty)}{at}"
    word = order_word(order.state, order.filled_qty)
    return f"{when} {order.side} {done} {word}{said}  {visible(order.client_order_id)}"


def _mark(good: bool, text: str) -> str:
    return f"{'✔' if good else '✘'} {text}"
