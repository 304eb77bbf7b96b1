"""Steps of prices that look like splits: counted where no corporate action explains them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

import numpy as np

from rebalancer.research.market import Market

SPLITS: Final = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
SPLIT_TOLERANCE: Final = 0.01


class SplitStep(NamedTuple):
    """A step from one day to the next whose size is within one per cent of a usual split. day: an ordinal."""

    day: int
    symbol: str
    ratio: str
    place: str


def suspected_splits(market: Market, where: Callable[[int], str]) -> tuple[SplitStep, ...]:
    """All such steps, by bar. where: the place of a bar, for messages."""
    starts = np.flatnonzero(np.append(False, market.day[1:] != market.day[:-1]))
    if not starts.size:
        return ()
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = market.close[starts - 1] / market.close[starts]
    found: list[tuple[int, int, str]] = []
    for ratio in SPLITS:
        for value, text in ((ratio, f"{ratio:g}:1"), (1 / ratio, f"1:{ratio:g}")):
            for row, name in np.argwhere(np.abs(steps / value - 1) < SPLIT_TOLERANCE).tolist():
                found.append((int(starts[row]), name, text))
    return tuple(SplitStep(int(market.day[t]), market.symbols[i], text, where(t)) for t, i, text in sorted(found))


def unexplained(steps: Sequence[SplitStep], known: Collection[tuple[int, str]]) -> tuple[SplitStep, ...]:
    """The steps on days, by symbol, for which no split is known."""
    return tuple(step for step in steps if (step.day, step.symbol) not in known)


def split_words(steps: Sequence[SplitStep]) -> tuple[str, ...]:
    """The warning about such steps, if there are any."""
    if not steps:
        return ()
    first = steps[0]
    return (
        f"{len(steps)} steps look like unadjusted splits, the first {first.symbol} {first.ratio} at {first.place}: "
        "use adjusted prices, or give the splits with --actions",
    )
