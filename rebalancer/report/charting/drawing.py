"""Path data in whole units of a panel, each point relative to the last: short, and equal on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rebalancer.report.charting.records import HEIGHT, WIDTH

POINTS_MAX: Final = 400  # of one line

Values = Sequence[float | None]
Point = tuple[int, int]


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


def known(values: Values) -> list[float]:
    """The values that are there and finite."""
    return [value for value in values if value is not None and math.isfinite(value)]


def pieces(line: Values, places: Sequence[float], tops: Sequence[float | None]) -> list[list[Point]]:
    """The corners of a line, broken where a value is missing. tops: distances from the top as fractions."""
    found: list[list[Point]] = [[]]
    for number in thinned(line):
        top = tops[number]
        if top is None or not math.isfinite(top):
            found.append([])
            continue
        found[-1].append(corner(places[number], top))
    return [piece for piece in found if piece]


def corner(left: float, top: float) -> Point:
    """A place, as fractions from the left and the top, in units of the panel."""
    return round(left * WIDTH), round(top * HEIGHT)


def stroke(piece: Sequence[Point]) -> str:
    """One unbroken line; a single point is a dot."""
    (x, y), rest = piece[0], piece[1:]
    parts = [f"M{x} {y}"]
    for after in rest:
        parts.append(f"l{after[0] - x} {after[1] - y}")
        x, y = after
    return "".join(parts) if rest else f"{parts[0]}h0"


def area(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """The surface between two lines over the same places."""
    return stroke([*upper, *reversed(lower)]) + "z" if len(upper) > 1 else ""


def area_to(piece: Sequence[Point], floor: int) -> str:
    """The surface between a line and a level."""
    return f"{stroke(piece)}V{floor}H{piece[0][0]}z" if len(piece) > 1 else ""


def box(left: float, right: float, top: float, bottom: float) -> str:
    """A rectangle, places as fractions. One that would vanish is one unit high."""
    x, wide = round(left * WIDTH), max(round(right * WIDTH) - round(left * WIDTH), 1)
    y, tall = round(min(top, bottom) * HEIGHT), max(abs(round(bottom * HEIGHT) - round(top * HEIGHT)), 1)
    return f"M{x} {y}h{wide}v{tall}h-{wide}z"


def dot(left: float, top: float) -> str:
    """A stroke without length: its cap is a dot or a square that no stretching distorts."""
    return f"M{round(left * WIDTH)} {round(top * HEIGHT)}h0"
