"""The bridge from one equity to a later one: price moves, dividends, interest, fees, slippage, flows; the rest is
unexplained and must be 0.00.

Price moves are reckoned from holdings, prices and fills alone, never from the equity, so that a missing dollar cannot
hide in them: for each symbol, value at the end - value at the beginning - what was paid for what came between. What a
fill was worse than its decision is taken out of them and shown as slippage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from rebalancer.core.values import CENT, ZERO
from rebalancer.performance.records import CashEvent, Fill, OrderHistory, ShareEvent


class Valuation(NamedTuple):
    """The account at one moment: its equity as the broker told it, and per symbol signed shares and their price."""

    equity: Decimal
    holdings: Mapping[str, tuple[Decimal, Decimal]]


class Bridge(NamedTuple):
    """USD, whole cents: opening + price_moves + ... + flows + unexplained = closing, exactly."""

    opening: Decimal
    price_moves: Decimal
    dividends: Decimal
    interest: Decimal
    fees: Decimal
    slippage: Decimal
    other: Decimal
    flows: Decimal
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
    """Explain the change from one standing to the next by everything that happened in between.

    Fees taken in coins are in the price moves of the coin. Parts are rounded to cents after they were added up, and
    what rounding leaves goes to the price moves; only a cent or more that nothing explains is `unexplained`.
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
    return Bridge(start, rest, dividends, interest, fees, lost, other, flows, unexplained, end)


def contributions(
    opening: Valuation, closing: Valuation, fills: Iterable[Fill], shares: Iterable[ShareEvent]
) -> dict[str, Decimal]:
    """What every symbol won or lost by its price alone, slippage included, USD, exact."""
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
    """USD that a fill lost (+) or gained (-) against the decision; zero where no decision is known."""
    history = histories.get(fill.order_id)
    if history is None or history.decision_price is None:
        return ZERO
    return fill.qty * (fill.price - history.decision_price)


def _cents(money: Decimal) -> Decimal:
    return money.quantize(CENT, rounding=ROUND_HALF_EVEN)
