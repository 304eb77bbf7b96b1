"""Concentration of a portfolio in few names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

TOP: Final = 5


class Concentration(NamedTuple):
    """Shares of the gross value. `hhi` is the sum of their squares (Herfindahl-Hirschman index), from 1/n to 1;
    `effective` is 1/hhi: the number of equally sized names with the same concentration."""

    largest: str
    largest_share: float
    top_five: float
    hhi: float
    effective: float


def concentration(values: Mapping[str, float]) -> Concentration | None:
    """Concentration of signed values, shorts by absolute value; None when all are zero."""
    gross = sum(abs(value) for value in values.values())
    if not gross:
        return None
    ranked = sorted(((abs(value) / gross, name) for name, value in values.items()), key=lambda x: (-x[0], x[1]))
    hhi = sum(share**2 for share, _ in ranked)
    return Concentration(ranked[0][1], ranked[0][0], min(sum(share for share, _ in ranked[:TOP]), 1.0), hhi, 1.0 / hhi)
