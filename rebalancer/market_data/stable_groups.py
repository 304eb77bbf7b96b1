"""Correlation groups that do not flicker: shrunk correlations, one step a week, and two weeks that agree.

1. The correlations of the last `RETURNS_USED` daily returns are shrunk towards their mean (Ledoit and Wolf, "Honey, I
   Shrunk the Sample Covariance Matrix", 2003), as much as the data calls for.
2. The first groups are clusters of average linkage: names whose mean correlation is above the threshold.
3. After every week each name is compared with every group: its mean correlation with the group's other names. It
   wants to join one above threshold + `MARGIN`, to change for one that is `MARGIN` better, and to be alone when its own
   is below threshold - `MARGIN`. It does so when it wanted the same the week before.

Nothing after a week changes its groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.market_data.statistics import RETURNS_MIN, RETURNS_USED

MARGIN: Final = 0.05
ALONE: Final = ""

Floats = NDArray[np.float64]


class StableGroups(NamedTuple):
    """The groups at the end of a week. of: the group of every name, as a name of one of its members once. wanted: where
    names wanted to be that week and were not; `ALONE` is in no group."""

    week: date
    of: Mapping[str, str]
    wanted: Mapping[str, str]

    def named(self) -> dict[str, str]:
        """Every name with its group, called after the first member."""
        first: dict[str, str] = {}
        for symbol in sorted(self.of):
            first.setdefault(self.of[symbol], symbol)
        return {symbol: first[group] for symbol, group in self.of.items()}


def week_ends(days: Sequence[date]) -> list[int]:
    """The places of the last session of every week that is over: one of a later week follows it."""
    return [i for i in range(len(days) - 1) if days[i].isocalendar()[:2] != days[i + 1].isocalendar()[:2]]


def groups_through(
    before: StableGroups | None, days: Sequence[date], symbols: Sequence[str], returns: Floats, threshold: float
) -> StableGroups | None:
    """The groups at the end of the last week that is over.

    before: those of an earlier week, from which it goes on; None begins with the first week that has enough returns.
    days: sessions, to the next one, which is not over. returns: daily log returns, shape (len(days) - 1, symbols), each
    of the session at its place; NaN where there is none. None while there are too few returns.
    """
    found = before
    for end in week_ends(days):
        if found is None or days[end] > found.week:
            found = next_groups(found, days[end], symbols, returns[: end + 1], threshold) or found
    return found


def next_groups(
    before: StableGroups | None, week: date, symbols: Sequence[str], returns: Floats, threshold: float
) -> StableGroups | None:
    """The groups one week further. returns: up to the end of that week. None while there are too few of them."""
    window = returns[-RETURNS_USED:]
    names = np.flatnonzero(np.isfinite(window).sum(axis=0) >= RETURNS_MIN)
    days = np.isfinite(window[:, names]).all(axis=1)
    if not names.size or int(days.sum()) < RETURNS_MIN:
        return None
    known = [symbols[i] for i in names.tolist()]
    correlation = shrunk_correlation(window[days][:, names])
    if before is None:
        labels = average_clusters(correlation, threshold)
        return StableGroups(week, {s: known[labels[i]] for i, s in enumerate(known)}, {})
    return _moved(before, week, known, correlation, threshold)


def _moved(
    before: StableGroups, week: date, known: Sequence[str], correlation: Floats, threshold: float
) -> StableGroups:
    """Move the names that wanted the same in two successive weeks, in the order of their symbols."""
    of = {symbol: before.of.get(symbol, symbol + "*") for symbol in known}  # a new name begins alone
    place = {symbol: i for i, symbol in enumerate(known)}
    wanted: dict[str, str] = {}
    for symbol in sorted(known):
        there = _wanted_by(symbol, of, place, correlation, threshold)
        if there is None:
            continue
        if symbol in before.of and before.wanted.get(symbol) != there:
            wanted[symbol] = there
        else:
            of[symbol] = symbol + "*" if there == ALONE else there
    return StableGroups(week, of, wanted)


def _wanted_by(
    symbol: str, of: Mapping[str, str], place: Mapping[str, int], correlation: Floats, threshold: float
) -> str | None:
    """Where a name wants to be; None where it is."""
    members: dict[str, list[int]] = {}
    for other, group in of.items():
        if other != symbol:
            members.setdefault(group, []).append(place[other])
    row, own = correlation[place[symbol]], of[symbol]
    near = {group: float(row[rows].mean()) for group, rows in members.items()}
    now = near.get(own)
    best = max((group for group in near if group != own), key=lambda group: (near[group], group), default=None)
    if best is not None and near[best] > max(threshold, threshold if now is None else now) + MARGIN:
        return best
    return ALONE if now is not None and now < threshold - MARGIN else None


def shrunk_correlation(returns: Floats) -> Floats:
    """Correlations shrunk towards their mean. returns: shape (days, names), without gaps."""
    apart = returns - returns.mean(axis=0)
    deviation = apart.std(axis=0)
    rows = np.divide(apart, deviation, out=np.zeros_like(apart), where=deviation > 0)
    days, count = rows.shape
    sample = rows.T @ rows / days
    if count < 2:
        return np.asarray(sample)
    off = ~np.eye(count, dtype=bool)
    mean = float(sample[off].mean())
    target = np.where(off, mean, sample)
    squares = rows**2
    noise = squares.T @ squares / days - sample**2  # the variance of each entry, times the days
    common = (rows**3).T @ rows / days - sample  # and its covariance with the target's
    distance = float(((sample - target) ** 2).sum())
    if distance <= 0:
        return np.asarray(sample)
    strength = (float(noise[off].sum()) - mean * float(common[off].sum())) / distance / days
    share = min(max(strength, 0.0), 1.0)
    return np.asarray((1 - share) * sample + share * target)


def average_clusters(correlation: Floats, threshold: float) -> list[int]:
    """Clusters of average linkage whose mean correlation is above the threshold: for every name the first one of its
    cluster. Merges nearest neighbours, the highest correlation first."""
    near = correlation.copy()
    np.fill_diagonal(near, -np.inf)
    size = np.ones(len(near))
    label = list(range(len(near)))
    while len(near) > 1:
        best = int(near.argmax())
        i, j = sorted(divmod(best, len(near)))
        if not near[i, j] > threshold:
            break
        joined = (near[i] * size[i] + near[j] * size[j]) / (size[i] + size[j])
        near[i, :], near[:, i] = joined, joined
        near[i, i] = near[j, :] = near[:, j] = -np.inf
        size[i] += size[j]
        label = [i if one == j else one for one in label]
    return label
