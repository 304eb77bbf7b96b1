"""The common axis of a chart: where each value stands, what names it in the table, and labels that never touch.

A label is as wide as its text in a font whose digits are `CHARACTER` em wide. The labels of a picture keep apart on
`WIDE` em; those that are left when the minor ones are hidden keep apart on `NARROW` em: a phone, or half a page. Both
include what stands at the left and the right of the plot, `beside` em.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from rebalancer.report.charting.records import Tick
from rebalancer.report.numbers import day_text, eastern, hour_text

CHARACTER: Final = 0.66  # em; the mean of a label in the widest font of the page is narrower
GAP: Final = 0.8  # em between two labels
NARROW: Final = 24.0  # em: a picture on a phone of 320 px
WIDE: Final = 48.0  # em: a picture in a window of 861 px
BESIDE: Final = 4.4  # em: labels of values at the left of a plot
PLOT_LEAST: Final = 4.0  # em
BROKEN: Final = 9.0  # em: names beside a row of a narrow picture, on two lines
NAME_MOST: Final = 24  # characters of a name beside a row; the table has all of it
OVERHANG: Final = 0.9  # em that a label may stand out beyond the plot
STRIDES: Final = (1, 2, 3, 4, 6, 12, 24, 60, 120, 240, 600, 1200)


class Axis(NamedTuple):
    """The places of values from 0.0 to 1.0, their names in a table, the ticks, and the head of the names' column."""

    head: str
    places: tuple[float, ...]
    names: tuple[str, ...]
    ticks: tuple[Tick, ...]


class MarketHours(NamedTuple):
    """The hours in which a market is open, oldest first, put one after the other: nights and weekends have no width."""

    sessions: tuple[tuple[datetime, datetime], ...]

    def place(self, moment: datetime) -> float:
        """Where a moment lies, from 0.0 at the first open to 1.0 at the last close; outside, the nearest open minute
        before it, or the first open."""
        whole = sum(((close - begin) for begin, close in self.sessions), timedelta())
        number = bisect_right([begin for begin, _ in self.sessions], moment) - 1
        if number < 0 or not whole:
            return 0.0
        before = sum(((close - begin) for begin, close in self.sessions[:number]), timedelta())
        begin, close = self.sessions[number]
        return (before + min(moment, close) - begin) / whole


def days_axis(days: Sequence[date]) -> Axis:
    """One place per day, evenly apart; labelled by day, month or year, whatever fits."""
    last = max(len(days) - 1, 1)
    places = tuple(number / last for number in range(len(days)))
    return Axis("Day", places, tuple(day.isoformat() for day in days), _day_ticks(days, last))


def hours_axis(moments: Sequence[datetime], market: MarketHours) -> Axis:
    """Moments by the hours of the market; one session is labelled by its hours, several by their days. ET."""
    places = tuple(market.place(moment) for moment in moments)
    if len(market.sessions) > 1:
        names = tuple(f"{day_text(moment)} {hour_text(moment)}" for moment in moments)
        starts = [(day_text(begin), market.place(begin)) for begin, _ in market.sessions]
        return Axis("ET", places, names, spaced([(f"{text[:3]} {text[-2:]}", at) for text, at in starts]))
    names = tuple(hour_text(moment) for moment in moments)
    return Axis("ET", places, names, _hour_ticks(market) if market.sessions else ())


def market_hours(moments: Sequence[datetime], sessions: Sequence[tuple[datetime, datetime]] = ()) -> MarketHours:
    """The given sessions that hold any of the moments; without any, the time from the first moment to the last."""
    used = [one for one in sorted(sessions) if any(one[0] <= moment <= one[1] for moment in moments)]
    if used and len({eastern(begin).date() for begin, _ in used}) >= len({eastern(m).date() for m in moments}):
        return MarketHours(tuple(used))
    return MarketHours(((min(moments), max(moments)),) if moments else ())


def names_axis(head: str, names: Sequence[str]) -> Axis:
    """One column per name, placed at its middle; every name labelled that fits."""
    count = max(len(names), 1)
    places = tuple((number + 0.5) / count for number in range(len(names)))
    return Axis(head, places, tuple(names), spaced(list(zip(names, places, strict=True))))


def gutter_of(labels: Sequence[str]) -> float:
    """The em that labels at the left of a plot take up; long ones are cut or broken."""
    longest = max((len(shortened(text)) for text in labels), default=0)
    return max(longest * CHARACTER + 0.8, BESIDE)


def ending_of(texts: Sequence[str]) -> float:
    """The em that texts at the right of a plot take up."""
    return max(len(text) for text in texts) * CHARACTER + 0.8 if texts else 0.0


def shortened(text: str) -> str:
    """A name as it stands beside a row."""
    return text if len(text) <= NAME_MOST else text[: NAME_MOST - 1] + "…"


def spaced(
    candidates: Sequence[tuple[str, float]], beside: float = BESIDE, beside_narrow: float | None = None
) -> tuple[Tick, ...]:
    """Ticks at a regular stride of candidates, so that no two labels touch: in a wide picture all of them, in a narrow
    one those that are not minor. beside: em that the picture needs beside the plot; beside_narrow: in a narrow one,
    where long names are broken."""
    small = max(NARROW - (beside if beside_narrow is None else beside_narrow), PLOT_LEAST)
    ticks = [Tick(text, round(at * 100, 2), False, _side(text, at, small)) for text, at in candidates]
    wide = _stride(ticks, max(WIDE - beside, PLOT_LEAST), STRIDES)
    narrow = _stride(ticks, small, [s for s in STRIDES if s % wide == 0])
    return tuple(t._replace(minor=number % narrow > 0) for number, t in enumerate(ticks) if number % wide == 0)


def extent(tick: Tick, width: float) -> tuple[float, float]:
    """Where a label begins and ends in a plot of `width` em, em from its left."""
    own, middle = len(tick.text) * CHARACTER, tick.at / 100 * width
    shift = {"middle": 0.5, "start": 0.0, "end": 1.0}[tick.side]
    return middle - own * shift, middle + own * (1 - shift)


def _side(text: str, at: float, width: float) -> Literal["middle", "start", "end"]:
    """A label near an end of the axis does not stand out beyond the plot, not even where it is narrow."""
    half = len(text) * CHARACTER / 2 - OVERHANG
    if at * width < half:
        return "start"
    return "end" if (1 - at) * width < half else "middle"


def _stride(ticks: Sequence[Tick], width: float, strides: Sequence[int]) -> int:
    for stride in strides:
        spans = [extent(tick, width) for tick in ticks[::stride]]
        if all(after[0] - before[1] >= GAP for before, after in pairwise(spans)):
            return stride
    return max(len(ticks), 1)


def _day_ticks(days: Sequence[date], last: int) -> tuple[Tick, ...]:
    months = [i for i in range(1, len(days)) if days[i].month != days[i - 1].month or days[i].year != days[i - 1].year]
    years = [i for i in range(1, len(days)) if days[i].year != days[i - 1].year]
    if len(months) < 3:
        return spaced([(f"{day:%m-%d}", i / last) for i, day in enumerate(days)])
    if len(years) < 3:
        aligned = _aligned(days, months)
        return spaced([(f"{days[i]:%Y-%m}", i / last) for i in aligned])
    return spaced([(f"{days[i]:%Y}", i / last) for i in years])


def _aligned(days: Sequence[date], months: Sequence[int]) -> list[int]:
    """First days of months; of many, those of quarters or halves."""
    step = next((s for s in (1, 2, 3, 6) if math.ceil(len(months) / s) <= 6), 6)
    chosen = [i for i in months if (days[i].month - 1) % step == 0]
    return chosen if len(chosen) >= 2 else list(months)


def _hour_ticks(market: MarketHours) -> tuple[Tick, ...]:
    """Full hours; of a long time with their weekday, of a very long one days."""
    begin, close = market.sessions[0]
    long = close - begin
    step = 1 if long <= timedelta(hours=20) else 6 if long <= timedelta(days=6) else 24
    moment, found = eastern(begin).replace(minute=0, second=0, microsecond=0), list[tuple[str, float]]()
    while moment <= close:
        if moment >= begin and moment.hour % step == 0:
            hour = f"{moment:%H:00}"
            text = {1: hour, 6: f"{day_text(moment)[:3]} {hour}", 24: f"{moment:%m-%d}"}[step]
            found.append((text, market.place(moment)))
        moment += timedelta(hours=1)
    return spaced(found if len(found) > 1 else [(hour_text(begin), 0.0), (hour_text(close), 1.0)])
