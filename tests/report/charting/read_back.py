"""A chart read back from its HTML, as a reader of the page has it: ticks and shapes as values again, and the table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.report.charting.markup import figure_html
from rebalancer.report.charting.records import HEIGHT, WIDTH, Charted
from tests.report.html_tree import Element, parse

TIMES = {"k": Decimal(1000), "M": Decimal(10) ** 6, "bn": Decimal(10) ** 9}
TEXT = re.compile(r"([−+]?)\$?([\d,]+(?:\.\d+)?)(k|M|bn)?(?: (%|bp|×|s|pp))?")


def number_of(text: str) -> Decimal:
    """The value of a label or of a cell: percent as a fraction."""
    found = TEXT.fullmatch(text)
    assert found is not None, text
    sign, digits, times, unit = found.groups()
    number = Decimal(digits.replace(",", "")) * TIMES.get(times or "", Decimal(1)) / (100 if unit == "%" else 1)
    return -number if sign == "−" else number


class Axis(NamedTuple):
    """Two ticks of a linear axis: their values and their places in units of the panel."""

    values: tuple[float, float]
    places: tuple[float, float]

    def value(self, place: float) -> float:
        """The value at a place."""
        (v, w), (p, q) = self.values, self.places
        return v + (place - p) * (w - v) / (q - p)

    @property
    def unit(self) -> float:
        """The value of one unit of the panel: what rounding to it can cost."""
        return abs((self.values[1] - self.values[0]) / (self.places[1] - self.places[0]))


class Seen(NamedTuple):
    """One figure of a page."""

    root: Element

    def panels(self) -> list[Element]:
        return [e for e in self.root.all("div") if classes(e)[:1] == ["p"]]

    def shapes(self, kind: str, panel: int = 0) -> list[list[tuple[int, int]]]:
        """The corners of every shape of a kind, absolute."""
        found = [e for e in self.panels()[panel].all("path") if e.attributes["class"] == kind]
        return [points for path in found for points in corners(str(path.attributes["d"]))]

    def up(self, panel: int = 0) -> Axis:
        """The axis of values beside a panel."""
        (side,) = [e for e in self.panels()[panel].all("div") if classes(e) == ["y"]]
        return axis([(e.text, style(e)["top"]) for e in side.children], HEIGHT)

    def across(self) -> Axis:
        """The axis of values below the panels."""
        (below,) = [e for e in self.root.all("div") if classes(e) == ["x"]]
        return axis([(e.text, style(e)["left"]) for e in below.children if e.tag == "span"], WIDTH)

    def rows(self) -> list[list[str]]:
        """The cells of the table, without its head."""
        (body,) = self.root.all("tbody")
        return [[cell.text for cell in row.children] for row in body.children]

    def head(self) -> list[str]:
        """The heads of the columns with their units."""
        (head,) = self.root.all("thead")
        return [cell.text for cell in head.all("th")]


def seen(chart: Charted) -> Seen:
    return Seen(parse(figure_html(chart, "c")))


def classes(element: Element) -> list[str]:
    return (element.attributes.get("class") or "").split()


def style(element: Element) -> dict[str, float]:
    pairs = (part.split(":") for part in str(element.attributes["style"]).split(";"))
    return {name: float(value.rstrip("%")) for name, value in pairs}


def axis(ticks: Sequence[tuple[str, float]], length: int) -> Axis:
    (low, p), (high, q) = ticks[0], ticks[-1]
    return Axis((float(number_of(low)), float(number_of(high))), (p / 100 * length, q / 100 * length))


def corners(data: str) -> list[list[tuple[int, int]]]:
    """The corners of the pieces of a path, absolute."""
    found: list[list[tuple[int, int]]] = []
    x = y = 0
    for kind, numbers in re.findall(r"([MlhvVHz])([-\d ]*)", data):
        values = [int(n) for n in numbers.split()]
        if kind == "M":
            x, y = values
            found.append([])
        elif kind == "l":
            x, y = x + values[0], y + values[1]
        elif kind in "hH":
            x = values[0] + (x if kind == "h" else 0)
        elif kind in "vV":
            y = values[0] + (y if kind == "v" else 0)
        if kind != "z":
            found[-1].append((x, y))
    return found
