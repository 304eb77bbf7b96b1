"""A chart as HTML: named for screen readers, with nothing that a hostile name could do."""

from __future__ import annotations

import pytest

from rebalancer.report.charting.axis import names_axis
from rebalancer.report.charting.bars import Heads, RowBar, row_chart
from rebalancer.report.charting.lines import Line, Lines, line_chart
from rebalancer.report.charting.markup import figure_html
from rebalancer.report.charting.records import NoChart
from tests.report.html_tree import parse

HOSTILE = '</svg><script>x</script>"\u202e'


def test_an_image_with_a_title_and_a_description() -> None:
    chart = line_chart("Equity", names_axis("Day", ["a", "b"]), [Lines([Line("Account", [0.0, -0.0123])])])
    root = parse(figure_html(chart, "equity"))
    (svg,) = root.all("svg")
    assert svg.attributes["role"] == "img"
    by_id = {e.attributes.get("id"): e for e in root.all()}
    named = [by_id[svg.attributes[name]] for name in ("aria-labelledby", "aria-describedby")]
    assert [e.text for e in named] == [
        "Equity",
        "Account: 0.00 % on a, lowest −1.23 % on b, highest 0.00 % on a, −1.23 % on b.",
    ]
    assert next(root.all("figcaption")).text == "Equity"
    assert [e.text for e in root.all("summary")] == ["Table: 2 rows of Equity"]


@pytest.mark.parametrize(("days", "rows"), [("a", "1 row"), ("ab", "2 rows")])
def test_a_table_on_another_page_is_linked(days: str, rows: str) -> None:
    chart = row_chart("Equity", [RowBar(day, 1.0) for day in days], "usd", Heads("Day", "Equity"))
    root = parse(figure_html(chart, "equity", folded=False, link="data.html#equity"))
    assert list(root.all("table")) == []
    assert [(e.attributes["href"], e.text) for e in root.all("a")] == [
        ("data.html#equity", f"Table: {rows}, on a page of its own of Equity")
    ]


def test_a_hostile_name_stays_text() -> None:
    html = figure_html(row_chart(HOSTILE, [RowBar(HOSTILE, 1.0)], "usd", Heads("Name", HOSTILE)), "c")
    root = parse(html)
    assert list(root.all("script")) == []
    assert "\u202e" not in html
    assert next(root.all("figcaption")).text == HOSTILE.replace("\u202e", "\\u202e")


def test_what_is_missing_is_said() -> None:
    root = parse(figure_html(NoChart("Beta", "Needs 60 days; there are 12."), "beta"))
    assert root.text == "BetaNeeds 60 days; there are 12."
    assert list(root.all("svg", "details")) == []
