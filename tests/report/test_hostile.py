"""Text from outside is shown and never obeyed: by the browser, by the terminal, by whoever copies a command."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.decisions import Verdict
from rebalancer.core.reasons import stated
from rebalancer.report.document import embedded_json, json_of, read_report
from rebalancer.report.page import html_of
from rebalancer.report.records import ReconciliationLine, RunRecord
from rebalancer.report.redact import redact
from rebalancer.report.text import explain_text, plan_table, run_table
from rebalancer.report.visible import visible

from .html_tree import Element, parse
from .sample import STORIES, sample_record

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(1)>',
    "' style='position:fixed' x='",
    "{{ 7 * 7 }}{% raw %}",
    "=cmd|' /C calc'!A0",
    "javascript:alert(1)",
    "first\nsecond\r\nthird",
    "\x1b[2J\x1b]0;title\x07 gone",
    "\u202egnp.exe\u2066",
    "zero\u200bwidth\ufeff\u2028line",
    "nul \x00 and \x9b31m and \ud800",
    "; rm -rf ~ #`id`$(id)",
    "A" * 10_000,
    "&lt;b&gt;",
    "𝕳漢字e\u0301",
)
SHORT = sample_record(STORIES[:12])


def poisoned(text: str, record: RunRecord = SHORT) -> RunRecord:
    """The record with one text everywhere where text comes from outside, the names of symbols among them."""
    renamed = {"NVDA": text, "PLTR": text + "!"}

    def name(symbol: str) -> str:
        return renamed.get(symbol, symbol)

    def verdicts(many: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        return tuple(v._replace(symbol=name(v.symbol), because=stated(text)) for v in many)

    snapshot, plan = record.snapshot, record.plan
    return record._replace(
        snapshot=snapshot._replace(
            cycle_id=text,
            account=snapshot.account._replace(restrictions=(text,)),
            positions=tuple(p._replace(symbol=name(p.symbol)) for p in snapshot.positions),
            instruments=tuple(i._replace(symbol=name(i.symbol), sector=text) for i in snapshot.instruments),
            quotes=tuple(q._replace(symbol=name(q.symbol)) for q in snapshot.quotes),
            signals=tuple(s._replace(symbol=name(s.symbol), source=text) for s in snapshot.signals),
        ),
        plan=plan._replace(
            cycle_id=text,
            because=stated(text),
            targets=tuple(
                t._replace(symbol=name(t.symbol), factors={f"sector:{text}": 0.5}, own_cap_name=text, weight=t.own_cap)
                for t in plan.targets
            ),
            orders=tuple(o._replace(symbol=name(o.symbol), because=stated(text)) for o in plan.orders),
            verdicts=verdicts(plan.verdicts),
            unsignalled=verdicts(plan.unsignalled),
            limits=tuple(limit._replace(name=f"sector:{text}") for limit in plan.limits[:2]),
            frozen={text: stated(text)},
            rules_sha256=text,
        ),
        orders=tuple(o._replace(symbol=name(o.symbol), reason=text, message=text) for o in record.orders),
        verdicts=verdicts(record.verdicts),
        because=text,
        positions_after=tuple(p._replace(symbol=name(p.symbol)) for p in record.positions_after),
        reconciled=(ReconciliationLine(text, text, text),),
        broker_calls={text: 3},
        timings=record.timings,
        version=text,
        rules_changed={text: record.rules_changed["position_sizing.no_trade_band.to"]._replace(value=text)},
    )


def shape(tree: Element) -> list[tuple[str, tuple[str, ...]]]:
    """Every element with its attributes, but for the labels below charts: how many there are depends on how much room
    the names beside the chart leave."""
    return [(e.tag, tuple(sorted(e.attributes))) for e in tree.all() if not is_below_a_chart(e)]


def is_below_a_chart(element: Element) -> bool:
    parent = element.parent
    return parent is not None and parent.attributes.get("class") == "x" and element.tag in ("span", "i")


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_page_gains_no_element_and_no_attribute(payload: str) -> None:
    harmless = shape(parse(html_of(poisoned("word"))))
    html = html_of(poisoned(payload))
    assert shape(parse(html)) == harmless
    assert len(html.encode("utf-8")) <= 200_000
    assert set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\u2028\u2066\ufeff]", html)) == set()


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_json_keeps_every_character(payload: str) -> None:
    record = poisoned(payload)
    text = json_of(record)
    assert text.count("\n") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\u2028\u2066\ufeff]", text)
    assert read_report(text) == redact(record)
    embedded = embedded_json(record)
    assert not set(embedded) & set("<>&\n\r\u2028\u2029")
    json.loads(embedded)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
@pytest.mark.parametrize("width", [80, None])
def test_terminal_gets_no_control_characters(payload: str, width: int | None) -> None:
    record = poisoned(payload)
    for text in (
        run_table(record, width=width, colour=False),
        plan_table(record, width=width, colour=False),
        explain_text(payload, record, width=width),
    ):
        assert all(c == "\n" or (c.isprintable() or c == "\u0301") for c in text)
        if width is not None:
            assert max(len(line) for line in text.split("\n")) <= width


def test_hostile_symbol_never_enters_a_command() -> None:
    html = html_of(poisoned("; rm -rf ~"))
    commands = {code.text for code in parse(html).all("code")}
    assert commands <= {
        "rebalancer history", "rebalancer status", "rebalancer kill --cancel",
        "rebalancer explain SYMBOL", "rebalancer config show", "rebalancer explain LLY", "rebalancer explain JPM",
        "rebalancer explain CAT",
    }  # fmt: skip
    assert "rebalancer history" in commands


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_visible_text_is_printable_and_tells_different_texts_apart_by_length(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c.isspace() for c in shown)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", shown)
    if text.isascii() and text.isprintable():
        assert shown == text
    assert visible(text, 10) == (
        shown if len(text) <= 10 else f"{visible(text[:10])}… ({len(text) - 10:,} more characters)"
    )
