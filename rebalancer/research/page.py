"""The page of a backtest: one self-contained HTML file in the style of the reports."""

from __future__ import annotations

import json
from typing import Final

from rebalancer.report.page import DATA_PLACE, environment, tidy
from rebalancer.report.period.charts import chart
from rebalancer.research.backtest import Backtest
from rebalancer.research.figures import audit_text, figures_of, sentence
from rebalancer.research.market import NO_COSTS

HEAT_LEAST: Final = 0.0005  # a return that is shown as zero has no colour
HEAT_MOST: Final = 0.08  # and from here on the strongest
HEAT_SHARE: Final = 45  # per cent of the colour


def heat(month: float | None) -> str:
    """The background of a cell of monthly returns: green or red, and the stronger the larger; "" for none."""
    if month is None or abs(month) < HEAT_LEAST:
        return ""
    share = min(abs(month) / HEAT_MOST, 1.0) * HEAT_SHARE
    return f"background:color-mix(in srgb,var(--{'ok' if month > 0 else 'bad'}) {share:.0f}%,transparent)"


def backtest_html(run: Backtest, benchmark: str = "") -> str:
    """Render the page. The same run gives the same bytes, but for its seconds."""
    figures = figures_of(run, benchmark)
    lines = [figures.growth] + ([figures.benchmark] if figures.benchmark else [])
    context = {
        "run": run,
        "f": figures,
        "sentence": sentence(run),
        "audit": audit_text(run),
        "differs": run.result.audit.differences > 0,
        "growth_chart": chart(figures.days, lines, base=1.0),
        "drawdown_chart": chart(figures.days, [figures.drawdown]),
        "exposure_chart": chart(figures.days, [figures.exposure, figures.net], plus=""),
        "turnover_chart": chart(figures.days, [figures.turnover], unit=""),
        "free": run.setup.costs == NO_COSTS,
        "heat": heat,
    }
    page = tidy(environment().get_template("backtest.html.j2").render(context))
    data = json.dumps(run.document(), ensure_ascii=False).replace("<", "\\u003c")
    return page.replace(DATA_PLACE, f'id="report-data">{data}</script>')
