"""Daily closes to features: the one text that training and scoring share.

A feature of day t is computed from the closes up to and including day t, and may be used from the next day of New York
on: `known_closes` leaves out the bar of the day that is not over. A row depends on the closes of its own symbol alone,
so it is the same whoever else is asked. All features but `volatility` are without a unit; moves are in units of the
symbol's own volatility.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.documents import canonical_json, sha256

Floats = NDArray[np.float64]

WINDOW: Final = 253  # closes: a year of returns
NAMES: Final = (
    "momentum_12_1",  # a year without the last month
    "momentum_6_1",
    "momentum_3_1",
    "move_of_month",
    "move_of_week",
    "move_of_day",
    "volatility",  # of a year, annualised, logarithm
    "volatility_20_to_year",  # logarithm of the ratio
    "volatility_60_to_year",
    "below_high",  # of the year
    "above_mean_50",
    "above_mean_200",
    "rising_days_60",  # share
    "skewness",
    "largest_fall_21",
)
DAYS_OF_YEAR: Final = 252  # returns
_MONTH: Final = 21
_ROWS: Final = 2048  # computed at once


def known_closes(closes: Mapping[date, float], today: date) -> tuple[list[date], Floats]:
    """The days and closes that may be used on `today`, oldest first: those of earlier days of New York."""
    days = sorted(day for day, close in closes.items() if day < today and isfinite(close) and close > 0)
    return days, np.array([closes[day] for day in days], dtype=np.float64)


def features_of(windows: Floats) -> Floats:
    """The features of some windows, in the order of `NAMES`.

    windows: shape (rows, 253), closes above zero, oldest first. Returns shape (rows, features); NaN where a feature is
    not defined, such as a ratio to a price that does not move.
    """
    x = np.log(np.ascontiguousarray(windows, dtype=np.float64))
    steps = np.ascontiguousarray(x[:, 1:] - x[:, :-1])
    last = x[:, -1]
    mean = steps.mean(axis=-1)
    away = steps - mean[:, None]
    daily = np.sqrt((away * away).sum(axis=-1) / (steps.shape[1] - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = (
            _move(x, _MONTH, DAYS_OF_YEAR, daily),
            _move(x, _MONTH, DAYS_OF_YEAR // 2, daily),
            _move(x, _MONTH, DAYS_OF_YEAR // 4, daily),
            _move(x, 0, _MONTH, daily),
            _move(x, 0, 5, daily),
            _move(x, 0, 1, daily),
            np.log(daily * np.sqrt(DAYS_OF_YEAR)),
            np.log(_deviation(steps, 20) / daily),
            np.log(_deviation(steps, 60) / daily),
            (last - x.max(axis=-1)) / (daily * np.sqrt(DAYS_OF_YEAR)),
            (last - _tail(x, 50).mean(axis=-1)) / (daily * np.sqrt(50)),
            (last - _tail(x, 200).mean(axis=-1)) / (daily * np.sqrt(200)),
            (_tail(steps, 60) > 0).mean(axis=-1),
            (away * away * away).mean(axis=-1) / (daily * daily * daily),
            _tail(steps, _MONTH).min(axis=-1) / daily,
        )
    found = np.stack(columns, axis=-1)
    found[~np.isfinite(found) | (daily == 0)[:, None]] = np.nan
    return found


def windows_of(closes: Floats) -> Iterator[tuple[int, Floats]]:
    """Every window of one symbol's closes, some at a time, with the place of the first one's last close."""
    if len(closes) < WINDOW:
        return
    views = np.lib.stride_tricks.sliding_window_view(closes, WINDOW)
    for start in range(0, len(views), _ROWS):
        yield start + WINDOW - 1, views[start : start + _ROWS]


def _move(x: Floats, end: int, begin: int, daily: Floats) -> Floats:
    """The move between two days, counted back from the last one, in units of the volatility of that time."""
    found: Floats = (x[:, -1 - end] - x[:, -1 - begin]) / (daily * np.sqrt(begin - end))
    return found


def _tail(rows: Floats, count: int) -> Floats:
    return np.ascontiguousarray(rows[:, -count:])


def _deviation(steps: Floats, count: int) -> Floats:
    tail = _tail(steps, count)
    away = tail - tail.mean(axis=-1)[:, None]
    found: Floats = np.sqrt((away * away).sum(axis=-1) / (count - 1))
    return found


@cache
def features_hash() -> str:
    """What changes when any feature is computed otherwise: the hash of the names and of the features of fixed closes,
    to six digits. A model is used only with the features that it was trained on."""
    place = np.arange(4 * WINDOW, dtype=np.float64)
    probes = [100 * np.exp(np.cumsum(0.01 * np.sin(place * place + shift) + 0.0005 * shift)) for shift in (0.0, 1.0)]
    rows = [features_of(probe[start : start + WINDOW][None])[0] for probe in probes for start in range(0, 700, 70)]
    return sha256(canonical_json([WINDOW, list(NAMES), [[f"{value:.6g}" for value in row] for row in rows]]))[:12]
