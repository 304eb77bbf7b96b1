"""Daily returns of several names over their common days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Course = Mapping[date, float]  # positive closes by day
STRETCH_MAX: Final = timedelta(days=4)  # a long weekend; a return over a longer gap is not a daily return


class Common(NamedTuple):
    """Simple returns, shape (days, names), dated by their later close; `starts` has the days of the earlier ones.
    `left_out`: names with too little history."""

    names: tuple[str, ...]
    days: tuple[date, ...]
    returns: Matrix
    left_out: tuple[str, ...]
    starts: tuple[date, ...] = ()


def common_returns(courses: Mapping[str, Course], least: int, most: int) -> Common:
    """The newest returns common to all names, at most `most`.

    A name with fewer than `least` returns of its own is left out; then, while fewer than `least` are common, the name
    with the shortest history. Possibly no name is left.
    """
    names = sorted(name for name, course in courses.items() if len(_steps([course])) >= least)
    steps = _steps([courses[name] for name in names])
    while names and len(steps) < least:
        names.remove(min(reversed(names), key=lambda name: len(courses[name])))
        steps = _steps([courses[name] for name in names])
    steps = steps[-most:]
    rows = [[courses[name][day] / courses[name][before] - 1.0 for name in names] for before, day in steps]
    return Common(
        tuple(names),
        tuple(day for _, day in steps),
        np.array(rows, dtype=np.float64).reshape(len(steps), len(names)),
        tuple(sorted({*courses} - {*names})),
        tuple(before for before, _ in steps),
    )


def _steps(courses: Sequence[Course]) -> list[tuple[date, date]]:
    """Pairs of consecutive common days, without pairs that are too far apart."""
    days = sorted(set.intersection(*({*course} for course in courses))) if courses else []
    return [(before, day) for before, day in pairwise(days) if day - before <= STRETCH_MAX]
