"""Splits of time into training and test days, without leakage: walk-forward, and combinatorial.

Purging drops training days whose results reach into a test window; an embargo drops training days after one (Lopez de
Prado 2018, chapter 7). Days are places in a series, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


class TimeSplit(NamedTuple):
    """Places of the training days and of the test days, each ascending."""

    train: Places
    test: Places


def walk_forward_splits(
    days: int, train: int, test: int, *, purge: int = 0, embargo: int = 0, anchored: bool = False
) -> Iterator[TimeSplit]:
    """Train on `train` days, leave out `purge`, test on the next `test` days, and move on by `test`.

    anchored: training begins with the first day and grows; else it is always `train` days long. embargo: so many days
    after each test window are in no later training window. Raises ValueError where not one split fits.
    """
    if train < 2 or test < 1 or purge < 0 or embargo < 0:
        raise ValueError(f"train {train}, test {test}, purge {purge}, embargo {embargo}: 2, 1, 0 and 0 at least")
    if train + purge + test > days:
        raise ValueError(f"train {train} + purge {purge} + test {test} are more than the {days} days there are")
    tested: list[int] = []  # where earlier test windows ended
    for first in range(train + purge, days - test + 1, test):
        ends = first - purge
        rows = np.arange(0 if anchored else ends - train, ends)
        for end in tested:
            rows = rows[(rows < end) | (rows >= end + embargo)]
        tested.append(first + test)
        yield TimeSplit(rows, np.arange(first, first + test))


def combinatorial_splits(
    days: int, groups: int, tests: int, *, purge: int = 0, embargo: int = 0
) -> Iterator[TimeSplit]:
    """Every choice of `tests` of `groups` blocks of days as test windows; the rest is training, without `purge` days on
    both sides of each window, and without `embargo` more days after it.

    Raises ValueError for fewer groups than days, and for a choice of all or none.
    """
    if not 1 <= tests < groups or groups > days:
        raise ValueError(f"{tests} of {groups} groups of {days} days: at least one test group, and one to train on")
    blocks = np.array_split(np.arange(days), groups)
    for chosen in combinations(range(groups), tests):
        is_test, is_train = np.zeros(days, dtype=bool), np.ones(days, dtype=bool)
        for group in chosen:
            first, last = int(blocks[group][0]), int(blocks[group][-1])
            is_test[first : last + 1] = True
            is_train[max(first - purge, 0) : last + 1 + purge + embargo] = False
        yield TimeSplit(np.flatnonzero(is_train), np.flatnonzero(is_test))


def paths_of(groups: int, tests: int) -> int:
    """How many complete series the test windows of all combinatorial splits make."""
    splits = sum(1 for _ in combinations(range(groups), tests))
    return splits * tests // groups
