"""One figure, and a collection of them with names for the templates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from rebalancer.core.documents import plain
from rebalancer.report.numbers import (
    NONE,
    Number,
    bytes_text,
    fixed,
    milliseconds_text,
    money,
    percent,
    points,
    price,
    shares,
    span_text,
)

Form = Literal[
    "usd", "usd_signed", "percent", "percent_signed", "share", "points", "points_signed", "ratio", "count", "bp",
    "cost_bp", "times", "seconds", "span", "milliseconds", "bytes", "days", "shares", "price", "percent_whole",
    "ratio_signed",
]  # fmt: skip


class Shape(NamedTuple):
    """How a figure is written: the unit of its value, its text, and the mark that a column with the unit in its head
    leaves out."""

    unit: str
    text: Callable[[Number | None], str]
    mark: str = ""


def _written(digits: int, unit: str, *, sign: bool = False) -> Callable[[Number | None], str]:
    def text(value: Number | None) -> str:
        shown = fixed(value, digits, sign=sign)
        return shown if shown == NONE else shown + unit

    return text


def _exact(value: Number | None) -> Decimal | None:
    return value if value is None or isinstance(value, Decimal) else Decimal(str(value))


FORMS: Final[Mapping[Form, Shape]] = {
    "usd": Shape("USD", money, "$"),
    "usd_signed": Shape("USD", lambda value: money(value, sign=True), "$"),
    "percent": Shape("fraction", percent, " %"),
    "percent_signed": Shape("fraction", lambda value: percent(value, sign=True), " %"),
    "share": Shape("fraction", lambda value: percent(value, 1), " %"),
    "points": Shape("fraction", points, " pp"),
    "points_signed": Shape("fraction", lambda value: points(value, sign=True), " pp"),
    "ratio": Shape("", _written(2, "")),
    "ratio_signed": Shape("", _written(2, "", sign=True)),
    "count": Shape("", _written(0, "")),
    "bp": Shape("bp", _written(1, " bp"), " bp"),
    "cost_bp": Shape("bp", _written(1, " bp", sign=True), " bp"),
    "times": Shape("", _written(2, " ×"), " ×"),
    "seconds": Shape("s", _written(2, " s"), " s"),
    "span": Shape("s", lambda value: NONE if value is None else span_text(float(value))),
    "milliseconds": Shape("ms", milliseconds_text),
    "bytes": Shape("bytes", bytes_text),
    "shares": Shape("shares", lambda value: shares(_exact(value))),
    "price": Shape("USD", lambda value: price(_exact(value))),
    "percent_whole": Shape("fraction", lambda value: percent(value, 0), " %"),
    "days": Shape("days", _written(1, " d"), " d"),
}


class Figure(NamedTuple):
    """One figure. `value` is exact or a float in the unit of its form; None is "not known", shown as a dash."""

    id: str
    value: Number | None
    form: Form

    @property
    def text(self) -> str:
        """The figure as people read it, with its unit."""
        return FORMS[self.form].text(self.value)

    @property
    def bare(self) -> str:
        """The same without its unit, for a column that has the unit in its head."""
        return self.text.replace(FORMS[self.form].mark, "") if FORMS[self.form].mark else self.text


class Figures:
    """The figures of one view, by the names that its templates use. An id stands once: what is added under it again,
    for another name, is the figure that is there."""

    def __init__(self) -> None:
        self._named: dict[str, Figure] = {}
        self._by_id: dict[str, Figure] = {}

    def add(self, name: str, scope: str, value: Number | None, form: Form, called: str = "") -> None:
        """Add the figure `name@scope`, for the templates under the name `called`, which is its own if not given."""
        key = called or name
        assert key not in self._named, f"{key} is computed twice"
        known = None if value is None or not math.isfinite(value) else value
        figure = Figure(f"{name}@{scope}", known, form)
        self._named[key] = self._by_id.setdefault(figure.id, figure)

    def __getitem__(self, name: str) -> Figure:
        return self._named[name]

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._by_id.values())

    def known(self, name: str) -> bool:
        """Whether a figure is there and has a value."""
        return name in self._named and self._named[name].value is not None

    def document(self) -> dict[str, dict[str, Any]]:
        """The figures by id, for JSON: value (decimals as strings, null when not known), unit, and the text shown."""
        return document_of(self)


def document_of(figures: Iterable[Figure]) -> dict[str, dict[str, Any]]:
    """Figures by id, as JSON has them."""
    return {one.id: {"value": plain(one.value), "unit": FORMS[one.form].unit, "text": one.text} for one in figures}


def scope_of(first: date, last: date) -> str:
    """The days of a window, both included, as they stand in ids."""
    return first.isoformat() if first == last else f"{first.isoformat()}..{last.isoformat()}"
