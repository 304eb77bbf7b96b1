"""Figures in pages: each shown figure carries its id, `data-figure="id"`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rebalancer.report.figures.figure import Figures
from rebalancer.report.visible import TEXT_MAX, visible

if TYPE_CHECKING:
    from markupsafe import Markup

ARROWS = {True: "▲ ", False: "▼ "}


def shown_in(figures: Figures) -> Callable[..., Markup]:
    """The function `fig(name)` of the templates: the figure's text in an element with its id."""
    from markupsafe import Markup, escape

    def fig(name: str, *, bare: bool = False, arrow: bool = False) -> Markup:
        """bare: without the unit, for a column that has it in its head. arrow: with the direction before it."""
        one = figures[name]
        text = one.bare if bare else one.text
        mark = ARROWS[one.value > 0] if arrow and one.value and any(c in "123456789" for c in text) else ""
        identity = escape(visible(one.id, TEXT_MAX))
        return Markup('{}<span data-figure="{}">{}</span>').format(mark, identity, text)

    return fig
