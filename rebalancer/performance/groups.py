"""The same figures for every symbol, sector, source, asset class, regime and hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rebalancer.performance.fees import NEW_YORK
from rebalancer.performance.stats import TripStats, trip_stats
from rebalancer.performance.trips import Trip

KEYS: Final[Mapping[str, Callable[[Trip], str]]] = {
    "symbol": lambda trip: trip.symbol,
    "sector": lambda trip: trip.sector,
    "source": lambda trip: trip.source,
    "asset_class": lambda trip: trip.asset_class,
    "regime": lambda trip: trip.regime,
    "side": lambda trip: trip.side,
    "reason": lambda trip: trip.reason,
    "hour": lambda trip: f"{trip.opened_at.astimezone(NEW_YORK):%H}:00",
}


def grouped(trips: Sequence[Trip], name: str) -> dict[str, TripStats]:
    """The figures of every group of one kind (see `KEYS`), by its name. Every trip is in exactly one."""
    groups: defaultdict[str, list[Trip]] = defaultdict(list)
    for trip in trips:
        groups[KEYS[name](trip)].append(trip)
    return {group: trip_stats(groups[group]) for group in sorted(groups)}
