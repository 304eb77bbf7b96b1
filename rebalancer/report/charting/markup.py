"""A chart as HTML: a figure with its key, its panels as inline SVG, the axes beside them, and its table behind a fold.

The SVG is one image for screen readers, with a title and a description; the labels beside it are hidden from them.
Every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rebalancer.core.units import amount_of
from rebalancer.report.charting.axis import ending_of, gutter_of, shortened
from rebalancer.report.charting.records import (
    HEIGHT,
    WIDTH,
    Cell,
    Charted,
    DataTable,
    DrawnChart,
    NoChart,
    Panel,
    Tick,
)
from rebalancer.report.visible import TEXT_MAX, visible

if TYPE_CHECKING:
    from markupsafe import Markup

TABLES_MAX: Final = 24_000  # bytes of all tables of charts in one page
LONG: Final = 12  # characters of a name that is broken on a phone


class Plots:
    """The charts of one page. A table follows its chart behind a fold until all tables together would exceed
    `bytes_max`; the later ones are linked instead, and `elsewhere` has them."""

    def __init__(self, charts: Mapping[str, Charted], link: str = "", bytes_max: int = TABLES_MAX) -> None:
        self._shown: dict[str, Markup] = {}
        self.elsewhere: dict[str, DrawnChart] = {}
        left = bytes_max
        for name, chart in charts.items():
            size = len(folded_table(chart, name).encode()) if isinstance(chart, DrawnChart) else 0
            if size > left and link and isinstance(chart, DrawnChart):
                self.elsewhere[name] = chart
                self._shown[name] = figure_html(chart, name, folded=False, link=f"{link}#plot-{name}")
            else:
                left -= size
                self._shown[name] = figure_html(chart, name)

    def __contains__(self, name: str) -> bool:
        return name in self._shown

    def __call__(self, name: str) -> Markup:
        """The figure of one chart."""
        return self._shown[name]


def figure_html(chart: Charted, name: str, *, folded: bool = True, link: str = "") -> Markup:
    """The whole figure. name: unique on the page, letters and digits. folded: its table follows behind a fold; else
    `link` leads to it."""
    from markupsafe import Markup

    head = f'<figure class="plot" id="plot-{name}"><figcaption>{_safe(chart.title)}</figcaption>'
    if isinstance(chart, NoChart):
        return Markup(f'{head}<p class="note need">{_safe(chart.because)}</p></figure>')  # noqa: S704 - escaped
    data = folded_table(chart, name) if folded else _linked(chart, link)
    return Markup(f"{head}{_key(chart)}{_picture(chart, name)}{data}</figure>")  # noqa: S704 - escaped where written


def folded_table(chart: DrawnChart, name: str) -> str:
    """The table of a chart's data behind a fold."""
    return (
        f'<details class="data"><summary>{_size(chart)}</summary>{table_html(chart.table, chart.title, name)}</details>'
    )


def tables_html(chart: DrawnChart, name: str) -> Markup:
    """The table of a chart under its title, for a page of tables."""
    from markupsafe import Markup

    table = table_html(chart.table, chart.title, name)
    return Markup(f'<section id="plot-{name}"><h2>{_safe(chart.title)}</h2>{table}</section>')  # noqa: S704 - escaped


def table_html(table: DataTable, title: str, name: str) -> str:
    """A table with its caption, in a region that scrolls."""
    head = "".join(_head(text, unit, first=not number) for number, (text, unit) in enumerate(table.head))
    body = "\n".join(
        f'<tr><th scope="row">{_safe(row[0].text)}</th>{"".join(map(_cell, row[1:]))}</tr>' for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Data of {_safe(title)}, scrollable">'
        f'<table data-of="plot-{name}"><caption class="hide">{_safe(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(text: str, unit: str, *, first: bool) -> str:
    small = f"<small>{_safe(unit)}</small>" if unit else ""
    return f'<th scope="col"{_class("l" if first else "")}>{_safe(text)}{small}</th>'


def _cell(cell: Cell) -> str:
    figure = f' data-figure="{_safe(cell.figure)}"' if cell.figure else ""
    return f"<td{figure}>{_safe(cell.text)}</td>"


def _linked(chart: DrawnChart, link: str) -> str:
    return f'<p class="data"><a href="{_safe(link)}">{_size(chart)}, on a page of its own</a></p>'


def _size(chart: DrawnChart) -> str:
    rows = amount_of(len(chart.table.rows), "row")
    return f'Table<span class="hide"> of {_safe(chart.title)}</span>: {rows}'


def _key(chart: DrawnChart) -> str:
    if not chart.key:
        return ""
    entries = "".join(f'<span><i class="k {one.kind}"></i>{_safe(one.text)}</span>' for one in chart.key)
    return f'<p class="key" aria-hidden="true">{entries}</p>'


def _picture(chart: DrawnChart, name: str) -> str:
    gutter = gutter_of([tick.text for panel in chart.panels for tick in panel.rows])
    ending = ending_of([tick.text for panel in chart.panels for tick in panel.ends])
    style = f"--g:{gutter:.1f}em" + (f";--e:{ending:.1f}em" if ending else "")
    panels = "".join(_panel(chart, panel, f"{name}-{n}", n) for n, panel in enumerate(chart.panels))
    few = chart.panels[-1].size not in ("rows", "grid")
    below = "".join(_tick(tick, mark=few) for tick in chart.columns)
    return f'<div class="pic" style="{style}">{panels}<div class="x" aria-hidden="true">{below}</div></div>'


def _panel(chart: DrawnChart, panel: Panel, name: str, number: int) -> str:
    rows = len(panel.rows) if panel.size in ("rows", "grid") else 0
    long = bool(rows) and max(len(tick.text) for tick in panel.rows) > LONG
    kinds = _class("p", panel.size, "noted" if panel.notes else "", "long" if long else "")
    left = "".join(f'<span style="top:{_number(t.at)}%">{_safe(shortened(t.text))}</span>' for t in panel.rows)
    named = f'<p class="part" aria-hidden="true">{_safe(panel.name)}</p>' if panel.name else ""
    size = f' style="--n:{rows}"' if rows else ""
    return (
        f'{named}<div{kinds}{size}><div class="y" aria-hidden="true">{left}</div>'
        f'<div class="c">{_svg(chart, panel, name, number)}{_notes(panel)}</div>{_endings(panel)}</div>'
    )


def _svg(chart: DrawnChart, panel: Panel, name: str, number: int) -> str:
    title = f"{chart.title}: {panel.name}" if panel.name else chart.title
    said = f"Below the first part of {chart.title}, on the same axis." if number else chart.text
    shapes = "".join(f'<path class="{path.kind}" d="{path.data}"/>' for path in panel.paths)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-labelledby="plot-{name}-t" aria-describedby="plot-{name}-d">'
        f'<title id="plot-{name}-t">{_safe(title)}</title><desc id="plot-{name}-d">{_safe(said)}</desc>'
        f"{_lines(chart, panel)}{shapes}</svg>"
    )


def _notes(panel: Panel) -> str:
    if not panel.notes:
        return ""
    places = [(f"left:{_number(note.left)}%;top:{_number(note.top)}%", note.text) for note in panel.notes]
    texts = "".join(f'<b style="{place}">{_safe(text)}</b>' for place, text in places)
    return f'<div class="n" aria-hidden="true">{texts}</div>'


def _endings(panel: Panel) -> str:
    if not panel.ends:
        return ""
    texts = "".join(f'<span style="top:{_number(t.at)}%">{_safe(t.text)}</span>' for t in panel.ends)
    return f'<div class="e" aria-hidden="true">{texts}</div>'


def _lines(chart: DrawnChart, panel: Panel) -> str:
    """The lines behind the shapes, as one path: across at every tick, or down for rows; and the one of zero."""
    if panel.size == "grid":
        return ""
    if panel.size == "rows":
        places = [round(tick.at / 100 * WIDTH) for tick in chart.columns if not tick.minor]
        grid = "".join(f"M{x} 0v{HEIGHT}" for x in places)
        zero = None if chart.zero is None else f"M{round(chart.zero / 100 * WIDTH)} 0v{HEIGHT}"
    else:
        grid = "".join(f"M0 {round(tick.at / 100 * HEIGHT)}h{WIDTH}" for tick in panel.rows)
        zero = None if panel.zero is None else f"M0 {round(panel.zero / 100 * HEIGHT)}h{WIDTH}"
    return f'<path class="grid" d="{grid}"/>' + (f'<path class="zero" d="{zero}"/>' if zero else "")


def _tick(tick: Tick, *, mark: bool) -> str:
    minor, place = "m" if tick.minor else "", f' style="left:{_number(tick.at)}%"'
    side = {"start": "s", "end": "f", "middle": ""}[tick.side]
    line = f"<i{_class(minor)}{place}></i>" if mark else ""
    return f"{line}<span{_class(minor, side)}{place}>{_safe(tick.text)}</span>"


def _class(*kinds: str) -> str:
    named = " ".join(kind for kind in kinds if kind)
    return f' class="{named}"' if named else ""


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _safe(text: str) -> str:
    from markupsafe import escape

    return str(escape(visible(text, TEXT_MAX)))
