"""Line charts as inline SVG, drawn by hand: integer paths in the picture, all text in HTML beside it.

A line longer than `POINTS_MAX` values is thinned: the lowest and the highest value of each stretch are kept, so that no
peak and no trough is lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from rebalancer.report.charting.scale import Unit, scale_of
from rebalancer.report.numbers import eastern

POINTS_MAX: Final = 800
WIDTH: Final = 1600  # units of the picture; it is stretched to the page
HEIGHT: Final = 400

Values = Sequence[float | None]


class Tick(NamedTuple):
    """A place on an axis: its text, and its distance from the top or the left in percent."""

    text: str
    at: float


class Chart(NamedTuple):
    """One picture: a path per line, ticks of both axes, and where zero lies (None: outside)."""

    paths: tuple[str, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    zero: float | None


def chart(
    days: Sequence[date],
    lines: Sequence[Values],
    *,
    base: float = 0.0,
    plus: str = "+",
    unit: Unit = "%",
) -> Chart | None:
    """Draw lines of one value per day on a common scale; None when there are fewer than two days.

    base: the value that is labelled 0 % (1.0 for growth). plus: the sign of what lies above it. unit: "" for plain
    numbers. A value that is missing or not finite breaks its line.
    """
    return _drawn(lines, len(days), lambda: _columns(days), base, plus, unit)


def chart_of_moments(moments: Sequence[datetime], values: Values) -> Chart | None:
    """Draw one line over the hours of a day, evenly spaced in time as slots are; values are growth, 1.0 is 0 %."""
    return _drawn([values], len(moments), lambda: _hours(moments), 1.0, "+", "%")


def _drawn(
    lines: Sequence[Values], length: int, columns: Callable[[], tuple[Tick, ...]], base: float, plus: str, unit: Unit
) -> Chart | None:
    if length < 2 or any(len(line) != length for line in lines):
        return None
    known = [v for line in lines for v in line if v is not None and math.isfinite(v)]
    if not known:
        return None
    scale = scale_of(known, base=base, plus=plus, unit=unit)
    places = [scale.from_top(float(tick)) for tick in scale.ticks]
    rows = tuple(Tick(text, round(place * 100, 1)) for text, place in zip(scale.labels, places, strict=True))
    paths = tuple(_path(line, scale.from_top) for line in lines)
    return Chart(paths, rows, columns(), round(scale.from_top(base) * HEIGHT, 1))


def thinned(line: Values) -> list[int]:
    """The indexes of the values that are drawn: all of them, or the extremes of equal parts, and both ends."""
    if len(line) <= POINTS_MAX:
        return list(range(len(line)))
    parts = POINTS_MAX // 2 - 1
    kept = {0, len(line) - 1}
    for number in range(parts):
        start, end = number * len(line) // parts, (number + 1) * len(line) // parts
        places = [i for i in range(start, end) if line[i] is not None]
        if places:
            kept.add(min(places, key=lambda i: (line[i], i)))
            kept.add(max(places, key=lambda i: (line[i], -i)))
        else:
            kept.add(start)
    return sorted(kept)


def _path(line: Values, down: Callable[[float], float]) -> str:
    """The line as one SVG path with whole numbers, each point relative to the last."""
    parts: list[str] = []
    at: tuple[int, int] | None = None
    for place in thinned(line):
        value = line[place]
        if value is None or not math.isfinite(value):
            at = None
            continue
        x, y = round(place * WIDTH / (len(line) - 1)), round(down(value) * HEIGHT)
        parts.append(f"M{x} {y}" if at is None else f"l{x - at[0]} {y - at[1]}")
        at = (x, y)
    return "".join(parts)


def _columns(days: Sequence[date]) -> tuple[Tick, ...]:
    """Days labelled below the picture: the first of a month or year where there is room, else the days themselves."""
    last = len(days) - 1
    months = [i for i in range(1, len(days)) if days[i].month != days[i - 1].month]
    years = [i for i in range(1, len(days)) if days[i].year != days[i - 1].year]
    if len(months) < 3:
        places = sorted({round(i * last / min(4, last)) for i in range(min(4, last) + 1)})
        return tuple(Tick(f"{days[i]:%m-%d}", round(i / last * 100, 1)) for i in places)
    if len(months) <= 8:
        return tuple(Tick(f"{days[i]:%Y-%m}", round(i / last * 100, 1)) for i in months)
    if len(years) < 3:
        months = months[:: math.ceil(len(months) / 6)]
        return tuple(Tick(f"{days[i]:%Y-%m}", round(i / last * 100, 1)) for i in months)
    years = years[:: math.ceil(len(years) / 8)]
    return tuple(Tick(f"{days[i]:%Y}", round(i / last * 100, 1)) for i in years)


def _hours(moments: Sequence[datetime]) -> tuple[Tick, ...]:
    """Every full hour in New York, where there is room."""
    last = len(moments) - 1
    hours = [i for i in range(1, len(moments)) if eastern(moments[i]).hour != eastern(moments[i - 1]).hour]
    hours = hours[:: max(1, math.ceil(len(hours) / 8))]
    return tuple(Tick(f"{eastern(moments[i]):%H}:00", round(i / last * 100, 1)) for i in hours)
