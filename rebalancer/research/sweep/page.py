"""The page of a sweep: ranking, heat maps, and what the number of trials leaves of the best."""

from __future__ import annotations

import json
from typing import Final

import numpy as np

from rebalancer.report.page import DATA_PLACE, environment, tidy
from rebalancer.research.sweep.summary import (
    FAILURES_SHOWN,
    RANKED,
    HeatMap,
    SweepSummary,
    by_value,
    heat_maps,
    point_text,
    sentence,
    text_of,
)

SHARE: Final = 45  # per cent of the colour of the strongest cell


def sweep_html(summary: SweepSummary) -> str:
    """Render the page: one self-contained HTML file."""
    done = summary.sweep.done
    context = {
        "s": summary,
        "sweep": summary.sweep,
        "sentence": sentence(summary),
        "ranking": summary.ranking[:RANKED],
        "keys": [] if summary.best is None else list(summary.best.keys),
        "maps": heat_maps(done, summary.by),
        "values": by_value(done, summary.by),
        "failures": [(point_text(one), problem) for one, problem in summary.sweep.failures[:FAILURES_SHOWN]],
        "shade": shade,
        "text_of": text_of,
    }
    page = tidy(environment().get_template("sweep.html.j2").render(context))
    data = json.dumps(summary.document(), ensure_ascii=False).replace("<", "\\u003c")
    return page.replace(DATA_PLACE, f'id="report-data">{data}</script>')


def shade(found: HeatMap, value: float | None) -> str:
    """The background of a cell: the stronger, the nearer to the best of the map; "" for the lower half."""
    cells = [cell for row in found.cells for cell in row if cell is not None]
    low, high = min(cells), max(cells)
    if value is None or high - low < 1e-12:
        return ""
    place = (value - float(np.median(cells))) / max(high - float(np.median(cells)), 1e-12)
    if place <= 0:
        return ""
    return f"background:color-mix(in srgb,var(--ok) {place * SHARE:.0f}%,transparent)"
