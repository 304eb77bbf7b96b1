"""The page: its look as a golden file, and the laws that every page keeps."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import pairwise

import pytest

from rebalancer.core.decisions import Plan
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.report.allocation import by_symbol
from rebalancer.report.document import embedded_json
from rebalancer.report.page import ROWS_ALL, ROWS_MAX, html_of, index_html
from rebalancer.report.records import RunRecord
from rebalancer.report.summary import summary_of

from .golden import assert_golden
from .html_tree import Element, parse
from .sample import dry, many_stories, sample_record


def empty_record() -> RunRecord:
    """A cycle that met a closed market: no positions, no signals, no orders."""
    record = sample_record(())
    plan: Plan = record.plan._replace(verdicts=(), limits=(), targets=(), outcome=CycleOutcome.SKIPPED_MARKET_CLOSED)
    return record._replace(
        plan=plan,
        snapshot=record.snapshot._replace(signals=()),
        verdicts=(),
        outcome=CycleOutcome.SKIPPED_MARKET_CLOSED,
        because="the market is closed",
        account_after=None,
        reconciled=(),
        broker_calls={},
        timings=(),
        rules_changed={},
    )


PAGES = {
    "paper": sample_record(),
    "live": sample_record(mode="live"),
    "simulated": sample_record(mode="simulated"),
    "dry_run": dry(sample_record()),
    "empty": empty_record(),
    "wide": sample_record(many_stories(100)),
}


@pytest.fixture(params=PAGES, ids=str)
def page(request: pytest.FixtureRequest) -> Element:
    return parse(html_of(PAGES[request.param]))


def test_golden_page() -> None:
    assert_golden("paper.html", html_of(sample_record()))


def test_same_record_same_bytes() -> None:
    assert html_of(sample_record()) == html_of(sample_record())


def test_nothing_outside_is_named(page: Element) -> None:
    for element in page.all():
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "action", "xlink:href", "data", "poster", "srcset"):
                assert value is not None
                assert value.startswith("#") or value == "data:,"
    styles = "".join(style.own_text for style in page.all("style"))
    assert "url(" not in styles
    assert "@import" not in styles


@pytest.mark.parametrize("name", PAGES)
def test_no_url_anywhere(name: str) -> None:
    html = html_of(PAGES[name])
    assert re.findall(r"https?:|//[a-z]", html.replace("http-equiv", "")) == []


def test_policy_forbids_everything_but_styles(page: Element) -> None:
    policies = [m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert [s.attributes for s in page.all("script")] == [{"type": "application/json", "id": "report-data"}]


def test_headings_in_order(page: Element) -> None:
    levels = [int(h.tag[1]) for h in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_table_can_be_read_aloud(page: Element) -> None:
    for table in page.all("table"):
        captions = list(table.all("caption"))
        assert len(captions) == 1
        assert captions[0].text.strip()
        assert all(th.attributes.get("scope") in ("col", "row") for th in table.all("th"))
        region = table.parent
        assert region is not None
        assert region.attributes["tabindex"] == "0"
        assert region.attributes["role"] == "region"
        assert region.attributes["aria-label"]


def test_every_row_fills_its_table(page: Element) -> None:
    for table in page.all("table"):
        widths = {sum(int(cell.attributes.get("colspan") or 1) for cell in row.children) for row in table.all("tr")}
        assert len(widths) == 1, next(table.all("caption")).text


def test_ids_are_unique_and_references_resolve(page: Element) -> None:
    ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    wanted = [e.attributes["aria-labelledby"] for e in page.all() if "aria-labelledby" in e.attributes]
    assert set(wanted) <= set(ids)


def test_language_viewport_and_status(page: Element) -> None:
    assert [html.attributes["lang"] for html in page.all("html")] == ["en"]
    assert any(m.attributes.get("name") == "viewport" for m in page.all("meta"))
    assert len([e for e in page.all() if e.attributes.get("role") == "status"]) == 1


@pytest.mark.parametrize(
    ("name", "words"), [("paper", "PAPER"), ("live", "LIVE"), ("simulated", "SIMULATED"), ("dry_run", "DRY RUN")]
)
def test_mode_is_said_in_words_and_border(name: str, words: str) -> None:
    tree = parse(html_of(PAGES[name]))
    assert [e.text for e in tree.all("span") if e.attributes.get("class") == "mode"] == [words]
    assert [b.attributes["class"] for b in tree.all("body")] == [name]


def sections(record: RunRecord) -> list[str | None]:
    return [s.attributes["id"] for s in parse(html_of(record)).all("section")]


def test_sections() -> None:
    assert sections(sample_record()) == [
        "attention", "equity", "figures", "trades", "allocation", "signals", "limits", "positions", "health", "config",
    ]  # fmt: skip
    assert sections(empty_record()) == ["equity", "figures", "health", "config"]


def test_what_was_not_read_afterwards_is_not_shown() -> None:
    html = html_of(dry(sample_record()))
    heads = [th.text for th in parse(html).all("th") if th.attributes.get("scope") == "col"]
    assert "After%" not in heads
    assert "FillUSD" not in heads
    assert "Before any order." in html


@pytest.mark.parametrize(("symbols", "bytes_max"), [(12, 150_000), (25, 150_000), (100, 250_000), (1000, 450_000)])
def test_size(symbols: int, bytes_max: int) -> None:
    assert len(html_of(sample_record(many_stories(symbols))).encode()) <= bytes_max


def test_embedded_document_takes_what_the_tables_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebalancer.report.page.PAGE_BYTES_TARGET", 80_000)
    html = html_of(sample_record())
    assert len(html.encode()) <= 80_000
    assert json.loads(next(parse(html).all("script")).own_text)["abridged"] == "market facts and targets"


def names_in(record: RunRecord) -> list[list[str]]:
    """The names in the tables of the allocation by symbol."""
    tables = {t.attributes.get("data-of"): t for t in parse(html_of(record)).all("table")}
    both = [tables["plot-allocation"], tables["plot-allocation_rest"]]
    return [[next(row.all("th", "td")).text for row in next(t.all("tbody")).all("tr")] for t in both]


def test_a_long_table_shows_its_first_rows_and_unfolds_to_all_of_them() -> None:
    record = sample_record(many_stories(100))
    first, rest = names_in(record)
    assert len(first) == ROWS_MAX
    assert sorted(first + rest) == sorted(row.name for row in by_symbol(record))
    traded = {line.symbol for line in record.orders}
    both = first + rest
    assert [name in traded for name in both] == sorted((name in traded for name in both), reverse=True)  # traded first


def test_a_table_beyond_what_a_page_can_hold_says_so() -> None:
    record = sample_record(many_stories(1000))
    first, rest = names_in(record)
    assert len(first) + len(rest) == ROWS_ALL
    titles = [f.text for f in parse(html_of(record)).all("figcaption")]
    left = len(by_symbol(record)) - ROWS_ALL
    assert f"Weight of {ROWS_ALL - ROWS_MAX} more names, of capital; the JSON file has {left:,} besides" in titles


def test_embedded_document_is_the_record() -> None:
    tree = parse(html_of(sample_record()))
    data = json.loads(next(tree.all("script")).own_text)
    assert data["schema"] == "rebalancer.report/1"
    assert data["plan"]["cycle_id"] == "2026-11-20T15:35Z"
    assert data["snapshot"]["account"] == {
        "id": "••••7Q2", "equity": "97512.34", "last_equity": "96420.1", "peak_equity": "99870.55", "cash": "11870.44",
        "buying_power": "98011.2", "multiplier": "2", "shorting_enabled": True, "restrictions": [],
    }  # fmt: skip


def test_embedded_document_says_when_it_is_abridged() -> None:
    for symbols, left_out in ((100, "market facts and targets"), (1000, "all but the summary")):
        document = json.loads(embedded_json(sample_record(many_stories(symbols))))
        assert (document["schema"], document["abridged"]) == ("rebalancer.report/1", left_out)
    assert "abridged" not in json.loads(embedded_json(sample_record()))


def test_account_number_is_nowhere() -> None:
    record = sample_record()
    refused = record._replace(
        orders=tuple(line._replace(message="account PA3XK81L7Q2 is restricted") for line in record.orders)
    )
    html = html_of(refused)
    assert "PA3XK81L7Q2" not in html
    assert "account ••••7Q2 is restricted" in html


def test_contrast_of_every_text_colour_in_both_themes() -> None:
    css = next(parse(html_of(sample_record())).all("style")).own_text
    light, dark = (_variables(block) for block in re.findall(r":root\{(color-scheme[^}]*|--paper[^}]*)\}", css)[:2])
    dark = light | dark
    modes = re.findall(r"--mode:(#[0-9a-f]{6})", css)
    for theme, own_modes in ((light, modes[2:6]), (dark, modes[6:10])):
        assert len(own_modes) == 4
        for ink in [*(theme[name] for name in ("ink", "soft", "ok", "warn", "bad", "mode")), *own_modes]:
            assert _contrast(ink, theme["paper"]) >= 4.5
        for ground in ("hint", "code"):
            assert _contrast(theme["ink"], theme[ground]) >= 4.5


def _variables(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z]+):(#[0-9a-f]{6})", block))


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_index_lists_runs_and_broken_files() -> None:
    run = summary_of(sample_record(), "2026/2026-11-20_1035_paper_20261120T1535Z.html")._replace(
        turnover=Decimal("43295.89")
    )
    html = index_html([run], ["2026/broken.html"], 3)
    assert_golden("index.html", html)
    assert [a.attributes["href"] for a in parse(html).all("a")] == [run.page]


def test_every_period_of_the_index_has_a_name_of_its_own() -> None:
    names = ["2026-11-20_paper_day", "2026-W47_paper_week", "2026-11_paper_month", "2026_paper_year", "2026_paper_all"]
    tree = parse(index_html((), (), 0, [f"2026/{name}.html" for name in names]))
    shown = [a.text for a in tree.all("a") if (a.attributes.get("href") or "").startswith("2026/")]
    assert shown == ["2026-11-20", "Week 2026-W47", "Month 2026-11", "Year 2026", "All days to 2026"]
