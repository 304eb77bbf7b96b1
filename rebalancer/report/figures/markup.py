"""Figures in pages: each shown figure carries its id, `data-figure="id"`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rebalancer.report.figures.figure import Figure, Figures
from rebalancer.report.visible import TEXT_MAX, visible

if TYPE_CHECKING:
    from markupsafe import Markup

ARROWS = {True: "▲ ", False: "▼ "}


def figure_span(one: Figure, *, bare: bool = False, arrow: bool = False) -> Markup:
    """A figure's text in an element with its id. bare: without the unit, for a column that has it in its head. arrow:
    with the direction before it."""
    from markupsafe import Markup, escape

    text = one.bare if bare else one.text
    mark = ARROWS[one.value > 0] if arrow and one.value and any(c in "123456789" for c in text) else ""
    identity = escape(visible(one.id, TEXT_MAX))
    return Markup('{}<span data-figure="{}">{}</span>').format(mark, identity, text)


def shown_in(figures: Figures) -> Callable[..., Markup]:
    """The function `fig(name)` of the templates."""

    def fig(name: str, *, bare: bool = False, arrow: bool = False) -> Markup:
        return figure_span(figures[name], bare=bare, arrow=arrow)

    return fig
