"""The groups with a cap that a name belongs to: gross, its sector, its correlation group, and the long or short side.

A name without a sector or correlation group is in the group "unknown". By default the unknown sector has the tightest
of all sector limits, so that missing data tightens a cap instead of lifting it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final, NamedTuple

from rebalancer.core.facts import Instrument
from rebalancer.core.rules import Rules

UNKNOWN: Final = "unknown"


class Groups(NamedTuple):
    """Every group by number: first "gross", then such as "sector:Technology", then such as "correlation:g1", then
    "long" and "short".

    limits: the largest share of capital of each; infinite for a side without a limit of its own. sector, cluster: the
    numbers of each symbol's groups.
    """

    labels: tuple[str, ...]
    limits: tuple[float, ...]
    sector: tuple[int, ...]
    cluster: tuple[int, ...]

    def of(self, i: int, *, is_long: bool) -> tuple[int, int, int, int]:
        """The groups that a position of a name in this direction counts towards."""
        return 0, self.sector[i], self.cluster[i], len(self.labels) - (2 if is_long else 1)


def group(symbols: Sequence[str], instruments: Mapping[str, Instrument], gross: float, rules: Rules) -> Groups:
    """Assign the symbols to the groups of every cap. `gross` is the current limit on all names together, a fraction of
    capital (see `overnight_ramp`)."""
    sizing, risk = rules.position_sizing, rules.risk_management
    sectors = [(i.sector if (i := instruments.get(s)) else None) or UNKNOWN for s in symbols]
    clusters = [(i.correlation_group if (i := instruments.get(s)) else None) or UNKNOWN for s in symbols]
    tightest = min([risk.max_sector_exposure, *risk.sector_limits.values()])
    unknown = tightest if risk.max_unknown_sector_exposure is None else risk.max_unknown_sector_exposure
    sector_limits = {
        name: unknown if name == UNKNOWN else risk.sector_limits.get(name, risk.max_sector_exposure)
        for name in sorted(set(sectors))
    }
    cluster_names = sorted(set(clusters))
    first_of_sector = {name: 1 + k for k, name in enumerate(sector_limits)}
    first_of_cluster = {name: 1 + len(sector_limits) + k for k, name in enumerate(cluster_names)}
    return Groups(
        labels=(
            "gross",
            *(f"sector:{name}" for name in sector_limits),
            *(f"correlation:{name}" for name in cluster_names),
            "long",
            "short",
        ),
        limits=(
            gross,
            *sector_limits.values(),
            *(risk.max_correlation_exposure for _ in cluster_names),
            inf if sizing.max_long_exposure is None else sizing.max_long_exposure,
            inf if sizing.max_short_exposure is None else sizing.max_short_exposure,
        ),
        sector=tuple(first_of_sector[name] for name in sectors),
        cluster=tuple(first_of_cluster[name] for name in clusters),
    )
