"""How much of each limit is used, in the limit's own unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rebalancer.core.decisions import LimitUse
from rebalancer.core.limits import limit_family
from rebalancer.report.numbers import fixed
from rebalancer.report.words import Word

LIMIT_WARNING: Final = 0.8
QUIET: Final = 0.5  # a group below this share of its limit is folded away
_GROUPS: Final = ("sector", "correlation")


class LimitRow(NamedTuple):
    """One limit as shown. `used` is in percent, None without a limit to divide by; `width` that of its meter."""

    name: str
    unit: str
    limit_text: str
    before_text: str
    after_text: str
    used: float | None
    width: int
    word: Word


def limit_row(limit: LimitUse) -> LimitRow:
    """Format a limit in its unit: a count of orders, or per cent of equity or of capital."""
    kind = limit.measures

    def text(value: float) -> str:
        return fixed(value, 0) if kind.counts else fixed(value * 100, 2)

    share = limit.share
    return LimitRow(
        limit.name,
        kind.unit,
        text(limit.limit),
        text(limit.before),
        text(limit.after),
        None if share is None else share * 100,
        round(min(share or 0.0, 1.0) * 100),
        _word(limit),
    )


class ShownLimits(NamedTuple):
    """The limits in order of importance: those that stop trading, then the most used. `quiet` are groups that are less
    than half used; `idle` counts the unused ones."""

    first: tuple[LimitRow, ...]
    quiet: tuple[LimitRow, ...]
    idle: int


def shown_limits(limits: Sequence[LimitUse]) -> ShownLimits:
    """Sort the limits of sectors and of correlated names by importance."""
    ordered = sorted(limits, key=lambda x: (not x.measures.stops_trading, -(x.share or 0.0), x.name))
    groups = [x for x in ordered if limit_family(x.name) in _GROUPS]
    idle = [x for x in groups if not x.before and not x.after]
    quiet = [x for x in groups if x not in idle and not x.binds and (x.share or 0.0) < QUIET]
    first = [x for x in ordered if x not in idle and x not in quiet]
    return ShownLimits(tuple(map(limit_row, first)), tuple(map(limit_row, quiet)), len(idle))


def is_near(limit: LimitUse) -> bool:
    """True when a limit that stops trading is nearly used up. The orders of one execution are meant to be used: that
    limit is near only when an order had to wait for the next cycle."""
    if limit.name == "orders_per_execution":
        return limit.binds
    return limit.measures.stops_trading and limit.after > limit.limit * LIMIT_WARNING


def _word(limit: LimitUse) -> Word:
    if limit.is_exceeded:
        return Word("✘", "over", "bad")
    if is_near(limit):
        return Word("!", "used up" if limit.after >= limit.limit else "near", "warn")
    if limit.binds:
        return Word("■", "binds", "")
    return Word("■", "used up", "") if (limit.share or 0.0) >= 1 else Word("✔", "free", "ok")
