"""Lot matching: determine which shares a sale closes, first in, first out or at average cost.

1. all share movements are processed in order of time, and of id at equal times, regardless of input or recording order.
   A sale dated before the purchase is therefore a short that the purchase closes: no lot is ever closed before it was
   opened, and no holding time is negative
2. a fill away from zero opens a lot; a fill toward zero closes lots; one through zero does both
3. a corporate action scales the shares of every lot alike and leaves its cost unchanged
4. the fees of a fill are part of its cost, kept apart from the price

The arithmetic is exact in total: money taken out of a lot is rounded to `GRAIN`, and the lot keeps the exact remainder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.performance.records import Fill, LotMethod, ShareEvent

GRAIN: Final = Decimal("0.000000000001")  # USD; far below a cent, and still exact for billions of dollars
SHARE_GRAIN: Final = Decimal("0.000000001")  # shares: nine decimals, as at Alpaca


@dataclass(slots=True)
class Lot:
    """Shares bought (or sold short) together: signed quantity; total cost with the same sign; opening fees."""

    symbol: str
    order_id: str
    at: datetime
    qty: Decimal
    cost: Decimal
    fees: Decimal


class Closing(NamedTuple):
    """A part of one lot, closed by one fill. `qty` has the sign of the lot: + for a long. `cost` and `proceeds` have it
    too, so that profit before fees is proceeds - cost. `fees` are those of opening and closing."""

    symbol: str
    opening_order: str
    closing_order: str
    opened_at: datetime
    closed_at: datetime
    qty: Decimal
    cost: Decimal
    proceeds: Decimal
    fees: Decimal

    @property
    def gross(self) -> Decimal:
        """Profit (+) or loss (-) before fees, USD."""
        return self.proceeds - self.cost


class Matched(NamedTuple):
    """All closings, oldest first, and the lots still open."""

    closings: tuple[Closing, ...]
    open: tuple[Lot, ...]


def match_lots(fills: Iterable[Fill], shares: Iterable[ShareEvent], method: LotMethod) -> Matched:
    """Match closing fills with the lots they close."""
    book = _Book(method)
    moves: list[Fill | ShareEvent] = [*fills, *shares]
    for move in sorted(moves, key=lambda m: (m.at, m.id, m.symbol, m.qty, m.price)):
        if isinstance(move, Fill):
            book.trade(move)
        elif move.kind == "in_kind":
            book.trade(Fill(move.id, "", move.at, move.symbol, move.qty, move.price))
        else:
            book.change(move)
    return Matched(tuple(book.closings), tuple(lot for lots in book.lots.values() for lot in lots))


def spread(amount: Decimal, weights: Sequence[Decimal], grain: Decimal = GRAIN) -> list[Decimal]:
    """Allocate an amount in proportion to weights. The parts add up to it exactly; the last takes the remainder."""
    left, total, parts = amount, sum(weights, ZERO), list[Decimal]()
    for weight in weights[:-1]:
        part = (amount * weight / total).quantize(grain, rounding=ROUND_HALF_EVEN) if total else ZERO
        parts.append(part)
        left -= part
    return [*parts, left]


class _Book:
    def __init__(self, method: LotMethod) -> None:
        self.method = method
        self.lots: defaultdict[str, list[Lot]] = defaultdict(list)
        self.closings: list[Closing] = []

    def trade(self, fill: Fill) -> None:
        """Close lots of the opposite sign, then open a lot with the remainder of the fill."""
        lots, left, fees = self.lots[fill.symbol], fill.qty, fill.fee
        while left and lots and lots[0].qty * left < 0:
            part = min(abs(left), abs(lots[0].qty))
            own = fees if part == abs(left) else spread(fees, [part, abs(left) - part])[0]
            self._close(lots, part, fill, own)
            left, fees = left + part if left < 0 else left - part, fees - own
        if left:
            self._open(lots, Lot(fill.symbol, fill.order_id, fill.at, left, left * fill.price, fees))

    def _open(self, lots: list[Lot], lot: Lot) -> None:
        if self.method == "average" and lots:
            whole = lots[0]
            whole.qty, whole.cost, whole.fees = whole.qty + lot.qty, whole.cost + lot.cost, whole.fees + lot.fees
        else:
            lots.append(lot)

    def _close(self, lots: list[Lot], part: Decimal, fill: Fill, fees: Decimal) -> None:
        lot = lots[0]
        qty = part if lot.qty > 0 else -part
        rest = lot.qty - qty
        cost = lot.cost if not rest else (lot.cost * qty / lot.qty).quantize(GRAIN, rounding=ROUND_HALF_EVEN)
        paid = lot.fees if not rest else (lot.fees * qty / lot.qty).quantize(GRAIN, rounding=ROUND_HALF_EVEN)
        self.closings.append(
            Closing(
                lot.symbol, lot.order_id, fill.order_id, lot.at, fill.at, qty, cost, qty * fill.price, paid + fees
            )
        )  # fmt: skip
        if rest:
            lot.qty, lot.cost, lot.fees = rest, lot.cost - cost, lot.fees - paid
        else:
            lots.pop(0)

    def change(self, event: ShareEvent) -> None:
        """Apply a change in shares that leaves the total cost unchanged. A position that vanishes is closed with zero
        proceeds; shares received without a position cost zero. A spin-off or merger is thus right in total over all
        symbols, though not for each of them."""
        lots = self.lots[event.symbol]
        held = sum((lot.qty for lot in lots), ZERO)
        after = held + event.qty
        if not held:
            lots.append(Lot(event.symbol, "", event.at, event.qty, ZERO, ZERO))
        elif held * after <= 0:
            self.trade(Fill(event.id, "", event.at, event.symbol, event.qty, ZERO))
        else:
            for lot, qty in zip(lots, spread(after, [lot.qty for lot in lots], SHARE_GRAIN), strict=True):
                lot.qty = qty
            self.lots[event.symbol] = _whole(lots)


def _whole(lots: list[Lot]) -> list[Lot]:
    """Drop lots that a reverse split has reduced to no shares; their cost goes to the next one."""
    kept: list[Lot] = []
    cost = fees = ZERO
    for lot in lots:
        if lot.qty:
            lot.cost, lot.fees, cost, fees = lot.cost + cost, lot.fees + fees, ZERO, ZERO
            kept.append(lot)
        else:
            cost, fees = cost + lot.cost, fees + lot.fees
    if kept:
        kept[-1].cost, kept[-1].fees = kept[-1].cost + cost, kept[-1].fees + fees
    return kept
