"""A scale of values: round ticks that cover them, each with a label of its own that says its value exactly.

A step is 1, 2, 2.5 or 5 times a power of ten. Steps and ticks are decimals, so that a label is the tick and not a
rounding of it: with a step of 0.25 the labels have two digits, with one of 0.001 % three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.report.figures.figure import Form
from rebalancer.report.numbers import MINUS

Unit = Literal["%", "", "$", "bp", "×", "s", "n"]  # "n" counts: no step below one
FACTORS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
INTERVALS_MOST: Final = 6
SPAN_LEAST: Final[dict[Unit, Decimal]] = {  # a smaller span is noise, and its labels too long
    "%": Decimal("0.0005"), "": Decimal("0.05"), "$": Decimal("0.05"), "bp": Decimal("0.05"), "×": Decimal("0.05"),
    "s": Decimal("0.05"), "n": Decimal(1),
}  # fmt: skip
LARGEST: Final = 1e12
SHORT: Final = ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 4, "k"))
DIVISORS: Final = {"bn": Decimal(10) ** 9, "M": Decimal(10) ** 6, "k": Decimal(1000), "": Decimal(1)}
UNITS: Final[dict[Form, Unit]] = {
    "usd": "$", "usd_signed": "$", "percent": "%", "percent_signed": "%", "share": "%", "bp": "bp", "cost_bp": "bp",
    "times": "×", "seconds": "s",
    "count": "n",
}  # fmt: skip


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


def scale_of(
    values: Sequence[float],
    *,
    base: float = 0.0,
    plus: str = "+",
    unit: Unit = "%",
    intervals: int = INTERVALS_MOST,
) -> Scale:
    """The scale that covers all finite values and the base.

    base: the value that is labelled 0 (1.0 for growth). plus: the sign of what lies above it, where the unit has one.
    unit: "%" labels fractions in percent, "" plain numbers, "$" dollars with k, M or bn. intervals: at most so many.
    """
    zero = Decimal(repr(base))
    apart = [_decimal(value) - zero for value in values if math.isfinite(value)]
    low, high = min([*apart, Decimal(0)]), max([*apart, Decimal(0)])
    step = round_step(max(high - low, SPAN_LEAST[unit]), intervals, whole=unit == "n")
    first = (low / step).to_integral_value(ROUND_FLOOR)
    last = max((high / step).to_integral_value(ROUND_CEILING), first + 1)
    distances = [step * (first + number) for number in range(int(last - first) + 1)]
    largest = max(abs(distances[0]), abs(distances[-1]))
    short = next((name for least, name in SHORT if largest >= least), "") if unit == "$" else ""
    shown = [label(distance, step, plus=plus, unit=unit, short=short) for distance in distances]
    return Scale(tuple(zero + distance for distance in distances), tuple(shown))


def round_step(span: Decimal, intervals: int = INTERVALS_MOST, *, whole: bool = False) -> Decimal:
    """The smallest round step with which a span has at most `intervals` - 1 intervals: its ends may need one more.
    whole: no step that is not a whole number."""
    least = max(span / (intervals - 1), Decimal(1)) if whole else span / (intervals - 1)
    power = Decimal(1).scaleb(least.adjusted())
    steps = (power * factor for factor in FACTORS if power * factor >= least)
    return next(step for step in steps if not whole or step % 1 == 0)


def label(distance: Decimal, step: Decimal, *, plus: str, unit: Unit, short: str = "") -> str:
    """A tick as text, with as many digits as the step has. short: what dollars are divided by, "" for nothing."""
    divisor = Decimal(100) ** -1 if unit == "%" else DIVISORS[short]
    scaled, grain = distance / divisor, step / divisor
    exponent = grain.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a step is finite"
    text = f"{abs(scaled):,.{max(-exponent, 0)}f}"
    before, ending = ("$" if unit == "$" else ""), (f" {unit}" if unit not in ("", "$", "n") else short)
    if not distance:
        return f"{before}0{ending if unit != '$' else ''}" if unit else text
    above = plus if unit in ("%", "bp", "$") else ""
    return f"{MINUS if distance < 0 else above}{before}{text}{ending}"


def _decimal(value: float) -> Decimal:
    return Decimal(repr(float(min(max(value, -LARGEST), LARGEST))))
