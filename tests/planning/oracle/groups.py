"""The groups with a cap that a name belongs to: gross, its sector, its correlation group, and the long or short side.

A name without a sector or correlation group is in the group "unknown". By default the unknown sector has the tightest
of all sector limits, so that missing data tightens a cap instead of lifting it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rebalancer.core.facts import Instrument
from rebalancer.core.rules import Rules
from tests.planning.oracle.cap_weights import Family, Floats

UNKNOWN = "unknown"


class Groups(NamedTuple):
    """The groups of every symbol, as arrays for the projection and by name for exact checks.

    `limits` maps a group's name, such as "sector:Technology", to its largest share of capital; `of` maps a symbol to
    its groups' names, without the sides, which depend on the sign of the position.
    """

    families: tuple[Family, ...]
    limits: Mapping[str, float]
    of: Mapping[str, tuple[str, ...]]

    def names(self, symbol: str, *, is_long: bool) -> tuple[str, ...]:
        """All groups that a position in this direction counts towards."""
        side = "long" if is_long else "short"
        return (*self.of[symbol], side) if side in self.limits else self.of[symbol]


def group(symbols: Sequence[str], instruments: Mapping[str, Instrument], gross: float, rules: Rules) -> Groups:
    """Assign the symbols to the groups of every cap. Group limits are fractions of capital; `gross` is the current
    limit on all names together (see `overnight_ramp`)."""
    sizing, risk = rules.position_sizing, rules.risk_management
    sectors = [(i.sector if (i := instruments.get(s)) else None) or UNKNOWN for s in symbols]
    clusters = [(i.correlation_group if (i := instruments.get(s)) else None) or UNKNOWN for s in symbols]
    tightest = min([risk.max_sector_exposure, *risk.sector_limits.values()])
    unknown = tightest if risk.max_unknown_sector_exposure is None else risk.max_unknown_sector_exposure
    sector_limits = {
        name: unknown if name == UNKNOWN else risk.sector_limits.get(name, risk.max_sector_exposure)
        for name in sorted(set(sectors))
    }
    cluster_limits = dict.fromkeys(sorted(set(clusters)), risk.max_correlation_exposure)
    families = (
        _family("gross", ["gross"] * len(symbols), {"gross": gross}),
        _family("sector", sectors, sector_limits),
        _family("correlation", clusters, cluster_limits),
    )
    limits: dict[str, float] = {"gross": gross}
    limits |= {f"sector:{name}": limit for name, limit in sector_limits.items()}
    limits |= {f"correlation:{name}": limit for name, limit in cluster_limits.items()}
    if sizing.max_long_exposure is not None:
        limits["long"] = sizing.max_long_exposure
    if sizing.max_short_exposure is not None:
        limits["short"] = sizing.max_short_exposure
    of = {
        symbol: ("gross", f"sector:{sector}", f"correlation:{cluster}")
        for symbol, sector, cluster in zip(symbols, sectors, clusters, strict=True)
    }
    return Groups(families, limits, of)


def side_family(signs: Floats, limits: Mapping[str, float]) -> Family:
    """The family of the long and the short side, by the sign of each weight."""
    return Family(
        "side",
        ("long", "short"),
        np.where(signs < 0, 1, 0).astype(np.int64),
        np.array([limits.get("long", np.inf), limits.get("short", np.inf)]),
    )


def group_name(family: str, label: str) -> str:
    """The full name of a group: "gross", "long", "sector:Technology", "correlation:g1"."""
    return label if family in ("gross", "side") else f"{family}:{label}"


def _family(name: str, labels: Sequence[str], limits: Mapping[str, float]) -> Family:
    position = {label: k for k, label in enumerate(limits)}
    member = np.array([position[label] for label in labels], dtype=np.int64)
    return Family(name, tuple(limits), member, np.array(list(limits.values())))
