"""A scale of values: round ticks that cover them, each with a label of its own that says its value exactly.

A step is 1, 2, 2.5 or 5 times a power of ten. Steps and ticks are decimals, so that a label is the tick and not a
rounding of it: with a step of 0.25 the labels have two digits, with one of 0.001 % three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.report.numbers import MINUS

Unit = Literal["%", ""]
FACTORS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
INTERVALS_MOST: Final = 6
SPAN_LEAST: Final = {"%": Decimal("0.0005"), "": Decimal("0.05")}  # a smaller span is noise, and its labels too long
LARGEST: Final = 1e12


class Scale(NamedTuple):
    """Ticks from the lowest to the highest, on the scale of the values, and their labels."""

    ticks: tuple[Decimal, ...]
    labels: tuple[str, ...]

    @property
    def low(self) -> float:
        """The lower end."""
        return float(self.ticks[0])

    @property
    def high(self) -> float:
        """The upper end."""
        return float(self.ticks[-1])

    def from_top(self, value: float) -> float:
        """The distance of a value from the upper end, as a fraction of the whole."""
        return (self.high - value) / (self.high - self.low)


def scale_of(values: Sequence[float], *, base: float = 0.0, plus: str = "+", unit: Unit = "%") -> Scale:
    """The scale that covers all finite values and the base.

    base: the value that is labelled 0 (1.0 for growth). plus: the sign of a percentage above it. unit: "%" labels
    fractions in percent, "" plain numbers.
    """
    zero = Decimal(repr(base))
    apart = [_decimal(value) - zero for value in values if math.isfinite(value)]
    low, high = min([*apart, Decimal(0)]), max([*apart, Decimal(0)])
    step = round_step(max(high - low, SPAN_LEAST[unit]))
    first = (low / step).to_integral_value(ROUND_FLOOR)
    last = max((high / step).to_integral_value(ROUND_CEILING), first + 1)
    distances = [step * (first + number) for number in range(int(last - first) + 1)]
    shown = [label(distance, step, plus=plus, unit=unit) for distance in distances]
    return Scale(tuple(zero + distance for distance in distances), tuple(shown))


def round_step(span: Decimal) -> Decimal:
    """The smallest round step with which a span has at most `INTERVALS_MOST` - 1 intervals: its ends may need one
    more."""
    least = span / (INTERVALS_MOST - 1)
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * factor for factor in FACTORS if power * factor >= least)


def label(distance: Decimal, step: Decimal, *, plus: str, unit: Unit) -> str:
    """A tick as text, with as many digits as the step has."""
    scaled, grain = (distance * 100, step * 100) if unit else (distance, step)
    exponent = grain.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a step is finite"
    text = f"{abs(scaled):,.{max(-exponent, 0)}f}"
    ending = f" {unit}" if unit else ""
    if not distance:
        return f"0{ending}" if unit else text
    above = plus if unit else ""
    return f"{MINUS if distance < 0 else above}{text}{ending}"


def _decimal(value: float) -> Decimal:
    return Decimal(repr(float(min(max(value, -LARGEST), LARGEST))))
