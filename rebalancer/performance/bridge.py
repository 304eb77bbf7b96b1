"""The bridge from one equity to a later one: price moves, dividends, interest, fees, slippage and flows; the remainder
is unexplained and must be 0.00.

Price moves are computed from holdings, prices and fills alone, never from the equity, so that a discrepancy cannot hide
in them: per symbol, closing value - opening value - net amount paid for shares in between. The slippage of fills
against their decision prices is taken out of them and shown separately.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import NamedTuple

from rebalancer.core.values import CENT, ZERO
from rebalancer.performance.records import CashEvent, Fill, OrderHistory, ShareEvent


class Valuation(NamedTuple):
    """The account at one moment: its equity as reported by the broker, and per symbol signed shares and price."""

    equity: Decimal
    holdings: Mapping[str, tuple[Decimal, Decimal]]


class Bridge(NamedTuple):
    """USD, whole cents: opening + price_moves + ... + flows + accepted + unexplained = closing, exactly.

    `accepted` is the change of equity between two days because a person accepted other positions; zero within a day.
    """

    opening: Decimal
    price_moves: Decimal
    dividends: Decimal
    interest: Decimal
    fees: Decimal
    slippage: Decimal
    other: Decimal
    flows: Decimal
    accepted: Decimal
    unexplained: Decimal
    closing: Decimal


def bridge(
    opening: Valuation,
    closing: Valuation,
    fills: Iterable[Fill],
    cash: Iterable[CashEvent],
    shares: Iterable[ShareEvent],
    histories: Mapping[str, OrderHistory] | None = None,
) -> Bridge:
    """Explain the change in equity from one valuation to the next.

    Fees deducted in coins are part of the coin's price moves. Parts are summed, then rounded to cents, and the rounding
    remainder goes to the price moves; `unexplained` is only a difference of a cent or more.
    """
    fills, events, shares = tuple(fills), tuple(cash), tuple(shares)
    exact = contributions(opening, closing, fills, shares)
    slippage = -sum((slippage_of(fill, histories or {}) for fill in fills), ZERO)
    kinds: defaultdict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        kinds["fee" if event.kind == "coin_fee" else event.kind] += event.amount
    kinds["flow"] += sum((s.qty * s.price for s in shares if s.kind == "in_kind"), ZERO)
    moves = sum(exact.values(), ZERO) - slippage
    said = opening.equity + moves + slippage + sum(kinds.values(), ZERO)
    missing = closing.equity - said
    unexplained = ZERO if abs(missing) < CENT else _cents(missing)
    dividends, interest, fees, other, flows = (
        _cents(kinds[k]) for k in ("dividend", "interest", "fee", "other", "flow")
    )
    lost, start, end = _cents(slippage), _cents(opening.equity), _cents(closing.equity)
    rest = end - start - dividends - interest - fees - lost - other - flows - unexplained
    return Bridge(start, rest, dividends, interest, fees, lost, other, flows, ZERO, unexplained, end)


def bridge_by_remainder(
    opening: Decimal,
    closing: Decimal,
    *,
    dividends: Decimal,
    interest: Decimal,
    fees: Decimal,
    other: Decimal,
    flows: Decimal,
    unexplained: Decimal,
    slippage: Decimal = ZERO,
) -> Bridge:
    """The bridge without prices: price moves are the remainder once all else is known, and may hide a discrepancy."""
    moves = closing - opening - (dividends + interest + fees + other + slippage + flows + unexplained)
    return Bridge(opening, moves, dividends, interest, fees, slippage, other, flows, ZERO, unexplained, closing)


def sum_of(days: Sequence[Bridge]) -> Bridge:
    """The bridge over at least one day, oldest first: parts are added up, gaps between days are `accepted`."""
    parts = {
        name: sum((getattr(day, name) for day in days), ZERO)
        for name in ("price_moves", "dividends", "interest", "fees", "slippage", "other", "flows", "unexplained")
    }
    between = sum((after.opening - before.closing for before, after in pairwise(days)), ZERO)
    accepted = between + sum((day.accepted for day in days), ZERO)
    return Bridge(opening=days[0].opening, closing=days[-1].closing, accepted=accepted, **parts)


def contributions(
    opening: Valuation, closing: Valuation, fills: Iterable[Fill], shares: Iterable[ShareEvent]
) -> dict[str, Decimal]:
    """The profit or loss of every symbol from price moves, including slippage; exact USD."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for symbol, (qty, price) in closing.holdings.items():
        found[symbol] += qty * price
    for symbol, (qty, price) in opening.holdings.items():
        found[symbol] -= qty * price
    for fill in fills:
        found[fill.symbol] -= fill.qty * fill.price
    for event in shares:
        if event.kind == "in_kind":
            found[event.symbol] -= event.qty * event.price
    return dict(sorted(found.items()))


def slippage_of(fill: Fill, histories: Mapping[str, OrderHistory]) -> Decimal:
    """USD that a fill lost (+) or gained (-) against the decision price; zero where that is not known."""
    history = histories.get(fill.order_id)
    if history is None or history.decision_price is None:
        return ZERO
    return fill.qty * (fill.price - history.decision_price)


def _cents(money: Decimal) -> Decimal:
    return money.quantize(CENT, rounding=ROUND_HALF_EVEN)
