"""Actual and target weights before and after the cycle: by symbol and by sector, with the geometry of the bars.

Weights are signed fractions of capital at decision prices, before and after alike, so that a difference shows the
effect of the trades and not of the market. Drift is weight minus target.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Target
from rebalancer.core.values import ZERO
from rebalancer.report.records import RunRecord

UNKNOWN_SECTOR = "unknown"


class Weights(NamedTuple):
    """One line of the allocation. `now` and `after` are None without a price, `after` also when the broker was not read
    after the orders; `target` is None for a position that the plan gave no weight; `band` is half the width of the
    no-trade band, or a sector's limit."""

    name: str
    now: float | None
    target: float | None
    after: float | None
    band: float | None

    @property
    def drift(self) -> float | None:
        """How far the latest known weight is from the target, as a signed fraction of capital."""
        latest = self.latest
        return None if self.target is None or latest is None else latest - self.target

    @property
    def latest(self) -> float | None:
        """The weight after the orders, or before them when it was not read again."""
        return self.now if self.after is None else self.after

    @property
    def size(self) -> float:
        """The largest of the known weights, for sorting."""
        return max(abs(weight or 0.0) for weight in (self.now, self.target, self.after))


class WeightBar(NamedTuple):
    """A bar in percent of the width of its cell: the band in the background, the bar from zero, and two marks."""

    band_left: float
    band_width: float
    bar_left: float
    bar_width: float
    now: float
    target: float


def by_symbol(record: RunRecord) -> tuple[Weights, ...]:
    """One line per symbol that is held or has a target, the largest position or target first."""
    targets = {target.symbol: target for target in record.plan.targets}
    prices = known_prices(record)
    after = quantities_after(record)
    capital = record.plan.capital
    held = {position.symbol: position.qty for position in record.snapshot.positions}
    rows: list[Weights] = []
    for symbol in sorted({*targets, *held, *(after or {})}):
        target = targets.get(symbol)
        cost = prices.get(symbol)
        now = target.held_weight if target else _weight(held.get(symbol, ZERO), cost, capital)
        rows.append(
            Weights(
                symbol,
                now,
                target.weight if target else None,
                None if after is None else _weight(after.get(symbol, ZERO), cost, capital),
                target.band if target else None,
            )
        )
    shown = [row for row in rows if row.size or row.now is None]
    return tuple(sorted(shown, key=lambda row: (-row.size, row.name)))


def by_sector(record: RunRecord, rows: Iterable[Weights]) -> tuple[Weights, ...]:
    """Sums of absolute weights per sector, which is what the sector caps limit; `band` is the sector's limit."""
    sectors = {i.symbol: i.sector or UNKNOWN_SECTOR for i in record.snapshot.instruments}
    limits = {limit.name: limit.limit for limit in record.plan.limits}
    groups: dict[str, list[Weights]] = {}
    for row in rows:
        groups.setdefault(sectors.get(row.name, UNKNOWN_SECTOR), []).append(row)
    sums = [
        Weights(
            name,
            _gross([row.now for row in members]),
            sum(abs(row.target or 0.0) for row in members),
            _gross([row.after for row in members]),
            limits.get(f"sector:{name}"),
        )
        for name, members in groups.items()
    ]
    return tuple(sorted(sums, key=lambda row: (-row.size, row.name)))


def largest_drift(rows: Iterable[Weights]) -> tuple[float | None, float | None]:
    """The largest distance from a target before and after, as fractions; None where a weight is not known."""
    known = [row for row in rows if row.target is not None]
    return _largest([_less(row.now, row.target) for row in known]), _largest(
        [_less(row.after, row.target) for row in known]
    )


def bars(rows: Iterable[Weights], *, limit: bool = False) -> dict[str, WeightBar]:
    """The bars of all rows on one common scale that includes zero. `limit`: the band reaches from zero to its value."""
    rows = tuple(rows)
    spans = {row.name: _band(row, limit) for row in rows}
    ends = [end for row in rows for end in (*spans[row.name], row.now or 0.0, row.target or 0.0, row.after or 0.0)]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    low, high = min(low, 0.0), max(high, 0.0)
    width = (high - low) or 1.0

    def at(weight: float) -> float:
        return round((weight - low) / width * 100, 1)

    found: dict[str, WeightBar] = {}
    for row in rows:
        bottom, top = spans[row.name]
        latest = row.latest or 0.0
        start, end = at(min(latest, 0.0)), at(max(latest, 0.0))
        found[row.name] = WeightBar(
            at(bottom),
            round(at(top) - at(bottom), 1),
            start,
            round(end - start, 1),
            at(row.now or 0.0),
            at(row.target if row.target is not None else latest),
        )
    return found


def known_prices(record: RunRecord) -> Mapping[str, Decimal]:
    """Decision prices, USD; for symbols that are not in the plan, the last trade or the mid price of the quote."""
    found: dict[str, Decimal] = {}
    for quote in record.snapshot.quotes:
        if quote.last is not None:
            found[quote.symbol] = quote.last
        elif quote.bid is not None and quote.ask is not None:
            found[quote.symbol] = (quote.bid + quote.ask) / 2
    return found | {target.symbol: target.price for target in record.plan.targets if target.price > ZERO}


def quantities_after(record: RunRecord) -> Mapping[str, Decimal] | None:
    """Signed shares after the cycle according to the broker; None when it was not asked."""
    if record.account_after is None:
        return None
    return {position.symbol: position.qty for position in record.positions_after}


def target_of(record: RunRecord, symbol: str) -> Target | None:
    """The target of one symbol, if the plan has one."""
    return next((target for target in record.plan.targets if target.symbol == symbol), None)


def _band(row: Weights, limit: bool) -> tuple[float, float]:
    if row.band is None:
        return (0.0, 0.0)
    if limit:
        return (0.0, row.band)
    middle = row.target or 0.0
    return (middle - row.band, middle + row.band)


def _weight(qty: Decimal, price: Decimal | None, capital: Decimal) -> float | None:
    if price is None or capital <= ZERO:
        return None if qty else 0.0
    return float(qty * price / capital)


def _gross(weights: list[float | None]) -> float | None:
    known = [abs(weight) for weight in weights if weight is not None]
    return sum(known) if len(known) == len(weights) else None


def _less(weight: float | None, target: float | None) -> float | None:
    return None if weight is None or target is None else abs(weight - target)


def _largest(distances: list[float | None]) -> float | None:
    known = [distance for distance in distances if distance is not None]
    return max(known, default=0.0) if len(known) == len(distances) else None
