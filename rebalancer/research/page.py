"""The page of a backtest: one self-contained HTML file in the style of the reports."""

from __future__ import annotations

import json

from rebalancer.report.page import DATA_PLACE, environment, tidy
from rebalancer.report.period.charts import chart
from rebalancer.research.backtest import Backtest
from rebalancer.research.figures import audit_text, figures_of, sentence


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
        "free": sum(run.result.costs) == 0,
    }
    page = tidy(environment().get_template("backtest.html.j2").render(context))
    data = json.dumps(run.document(), ensure_ascii=False).replace("<", "\\u003c")
    return page.replace(DATA_PLACE, f'id="report-data">{data}</script>')
