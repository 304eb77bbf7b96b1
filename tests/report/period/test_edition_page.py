"""The page of an edition: its look as a golden file, its sections, its words, and the laws that every page keeps."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from decimal import Decimal

import pytest

from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.report.document import json_of, read_report
from rebalancer.report.period.document import EMBEDDED_MAX, edition_json, embedded_edition
from rebalancer.report.period.names import EDITION_NAME, edition_name, edition_year
from rebalancer.report.period.page import edition_html, edition_pages, redacted
from rebalancer.report.period.records import AlertRow, Idle, PeriodReport
from rebalancer.report.period.results import BridgeLine, BridgeSection
from rebalancer.report.period.words import attention_of, change_of, sentence_of, slot_runs, title_of
from tests.report.golden import assert_golden
from tests.report.html_tree import Element, parse
from tests.report.period.sample import DAY, OPEN, edition, slots
from tests.report.sample import many_stories, sample_record
from tests.report.test_hostile import PAYLOADS

# The laws of every page: collected here as well, with this module's pages.
from tests.report.test_page import (  # noqa: F401 - tests, used by being here
    test_every_row_fills_its_table,
    test_every_table_can_be_read_aloud,
    test_headings_in_order,
    test_ids_are_unique_and_references_resolve,
    test_language_viewport_and_status,
    test_policy_forbids_everything_but_styles,
)

D = Decimal
EMPTY = (
    "slots", "trades", "idle", "alarms", "contributions", "quality", "quality_by_hour", "gaps", "guarded", "trips",
    "expected", "broken", "through_the_day", "books",
)  # fmt: skip
UNKNOWN = ("latest", "bridge", "performance", "next_run")


def bare(**changes: object) -> PeriodReport:
    """A day on which nothing is known but the account."""
    empty: dict[str, object] = dict.fromkeys(EMPTY, ()) | dict.fromkeys(UNKNOWN)
    return edition(**{**empty, "rules_changed": {}, **changes})


def wide() -> PeriodReport:
    """A hundred symbols in every table."""
    latest = sample_record(many_stories(100))
    plain = edition(latest=latest)
    return plain._replace(
        trades=plain.trades * 9,
        idle=tuple(Idle(f"S{i}", plain.idle[0].outcome, plain.idle[0].because, i) for i in range(100)),
        guarded=plain.guarded * 50,
        gaps=plain.gaps * 50,
        trips=plain.trips * 80,
        quality=plain.quality * 9,
        alarms=plain.alarms * 100,
    )


PAGES = {
    "day": edition(),
    "month": edition(period="month", first=date(2026, 11, 1)),
    "bare": bare(),
    "wide": wide(),
}


@pytest.fixture(params=PAGES, ids=str)
def page(request: pytest.FixtureRequest) -> Element:
    return parse(edition_html(PAGES[request.param]))


def test_books_without_prices_say_how_their_price_moves_came_about() -> None:
    day = edition()
    assert day.bridge is not None
    older = "These books have no closing prices"
    assert older in edition_html(day._replace(bridge=day.bridge._replace(by_prices=False)))
    assert older not in edition_html(day)


def test_golden_edition() -> None:
    assert_golden("edition.html", edition_html(edition()))


def test_nothing_outside_is_named(page: Element) -> None:
    for element in page.all():
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "action", "xlink:href", "data", "poster", "srcset"):
                assert value is not None
                assert value.startswith("#") or value == "data:," or re.fullmatch(r"[\w-]+\.html", value)


def sections(one: PeriodReport) -> list[str | None]:
    return [s.attributes["id"] for s in parse(edition_html(one)).all("section")]


def test_sections_and_their_order() -> None:
    assert sections(edition()) == [
        "attention", "equity", "figures", "trades", "allocation", "exposure", "bridge", "performance", "trips",
        "signals", "limits", "positions", "quality", "health", "config",
    ]  # fmt: skip
    assert sections(bare()) == ["equity", "figures", "exposure", "health", "config"]


@pytest.mark.parametrize(("name", "bytes_max"), [("day", 150_000), ("bare", 60_000), ("wide", 400_000)])
def test_size(name: str, bytes_max: int) -> None:
    assert len(edition_pages(PAGES[name]).page.encode()) <= bytes_max


def test_every_slot_is_in_the_strip() -> None:
    tree = parse(edition_html(edition()))
    (strip,) = (u for u in tree.all("ul") if u.attributes.get("class") == "strip")
    marks = [li.attributes["class"] for li in strip.all("li")]
    assert len(marks) == 78
    assert {mark: marks.count(mark) for mark in sorted(set(marks))} == {"bad": 2, "did": 5, "ok": 71}
    assert next(a.attributes["href"] for a in strip.all("a")) == "2026-11-20_1430_paper_20261120T1430Z.html"


def test_a_longer_edition_lists_only_the_slots_that_did_not_run() -> None:
    tree = parse(edition_html(edition(period="month", first=date(2026, 11, 1))))
    assert [u for u in tree.all("ul") if u.attributes.get("class") == "strip"] == []
    listed = next(t for t in tree.all("table") if "as planned" in next(t.all("caption")).text)
    assert [th.text for th in listed.all("th") if th.attributes["scope"] == "row"] == [
        "Fri 2026-11-20 10:30",
        "Fri 2026-11-20 13:40",
    ]


def test_an_amount_too_small_to_see_has_no_colour() -> None:
    lines = tuple(BridgeLine("Fees", D(amount)) for amount in ("0.004", "-0.004", "0.01", "-0.01"))
    tree = parse(edition_html(bare(bridge=BridgeSection(D(1), lines, D(0), D(1)))))
    bridge = next(t for t in tree.all("table") if next(t.all("caption")).text == "Bridge")
    cells = [(td.text, td.attributes.get("class")) for td in bridge.all("td")][1:5]
    assert cells == [("0.00", None), ("0.00", None), ("+0.01", "ok"), ("−0.01", "bad")]


SENTENCES = [
    (edition(latest=None, alarms=()), "78 slots (71 holding, 5 traded, 1 halted, 1 missed); 7 of 11 orders filled "
     "(7 sells, 4 buys), 1 planned and not sent, turnover 22.0 % of capital, $14.61 lost to slippage (+3.4 bp); "
     "equity +0.40 %; 1 thing needs you."),
    (bare(), "No orders; equity +0.40 %; nothing needs you."),
    (bare(equity_before=None), "No orders; nothing needs you."),
]  # fmt: skip


@pytest.mark.parametrize(("one", "said"), SENTENCES)
def test_the_sentence(one: PeriodReport, said: str) -> None:
    assert sentence_of(one, attention_of(one)) == said


def test_a_deposit_is_not_a_profit() -> None:
    assert change_of(bare(equity=D(1500), equity_before=D(1000), flows=D(500))) == 0
    assert change_of(bare(equity=D(600), equity_before=D(1000), flows=D(-500))) == D("0.1")


def test_what_needs_a_person() -> None:
    unexplained = BridgeSection(D(100), (BridgeLine("Price moves", D(1)),), D("0.01"), D("101.01"))
    unknown = tuple(
        t._replace(line=t.line._replace(state=OrderState.UNKNOWN)) for t in edition().trades if t.line.symbol == "AAPL"
    )
    slots = tuple(s for s in edition().slots if s.outcome is CycleOutcome.MISSED)
    alarms = (AlertRow(edition().made_at, "info", "x"), AlertRow(edition().made_at, "action", "throttle latched"))
    one = bare(bridge=unexplained, trades=unknown, slots=slots, alarms=alarms, broken=("cycle 3: torn row",))
    assert [(item.level, item.title, item.command) for item in attention_of(one)] == [
        ("act", "A record cannot be read", "rebalancer doctor"),
        ("act", "The accounts do not reconcile", "rebalancer doctor"),
        ("act", "Throttle latched", "rebalancer status"),
        ("act", "Unknown at the broker: AAPL", "rebalancer explain AAPL"),
        ("watch", "1 slot missed", "rebalancer status"),
    ]
    assert attention_of(bare()) == ()


def test_a_bridge_that_does_not_add_up_is_told() -> None:
    torn = BridgeSection(D(100), (BridgeLine("Price moves", D(1)),), D(0), D(102))
    assert [item.title for item in attention_of(bare(bridge=torn))] == ["The accounts do not reconcile"]


def test_the_embedded_document_is_the_edition_or_says_what_is_missing() -> None:
    whole = json.loads(next(parse(edition_html(bare())).all("script")).own_text)
    assert (whole["schema"], whole["first"], whole["equity"]) == ("rebalancer.edition/1", "2026-11-20", "98404.11")
    assert whole["account_id"] == "••••7Q2"
    sizes = [(EMBEDDED_MAX, "the last cycle"), (2000, "all but the summary")]
    for bytes_max, left_out in sizes:
        short = json.loads(embedded_edition(redacted(wide()._replace(performance=None)), bytes_max))
        assert short["abridged"] in (left_out, "all but the summary")


def test_the_last_cycle_of_an_edition_is_the_document_of_its_own_report() -> None:
    whole = redacted(edition())
    assert whole.latest is not None
    report = json.loads(json_of(whole.latest))
    del report["sentence"], report["figures"]
    assert json.loads(edition_json(whole))["latest"] == report
    assert read_report(json.dumps(report)) == whole.latest


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_texts_are_shown_and_never_obeyed(payload: str) -> None:
    plain = edition()
    one = plain._replace(
        trades=tuple(
            t._replace(because=payload, line=t.line._replace(symbol=payload, message=payload)) for t in plain.trades
        ),
        idle=tuple(i._replace(symbol=payload, because=payload) for i in plain.idle),
        alarms=tuple(a._replace(text=payload) for a in plain.alarms),
        slots=tuple(s._replace(because=payload) for s in plain.slots),
        guarded=tuple(g._replace(symbol=payload, kept=payload) for g in plain.guarded),
        trips=tuple(t._replace(symbol=payload, source=payload, reason=payload) for t in plain.trips),
        gaps=tuple(g._replace(symbol=payload) for g in plain.gaps),
        quality=tuple(q._replace(name=payload) for q in plain.quality),
        broken=(payload,),
    )  # fmt: skip
    html = edition_html(one)
    tree, plain_tree = parse(html), parse(edition_html(plain._replace(broken=("x",))))
    assert [e.tag for e in tree.all("script", "img", "style", "iframe", "a", "form")] == [
        e.tag for e in plain_tree.all("script", "img", "style", "iframe", "a", "form")
    ]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    json.loads(next(tree.all("script")).own_text)


NAMES = [("day", "2026-11-20_paper_day"), ("week", "2026-W47_paper_week"), ("month", "2026-11_paper_month"),
         ("year", "2026_paper_year"), ("all", "2026_paper_all")]  # fmt: skip


@pytest.mark.parametrize(("period", "name"), NAMES)
def test_names(period: str, name: str) -> None:
    one = bare(period=period)
    assert (edition_name(one), edition_year(one)) == (name, "2026")
    assert EDITION_NAME.fullmatch(name)
    assert title_of(one)


def test_a_name_is_built_from_known_words_only() -> None:
    with pytest.raises(ValueError, match="is not a mode"):
        edition_name(bare(mode="../../etc"))
    assert DAY.isoformat() in title_of(bare())


def test_slots_in_a_row_that_ended_alike_are_one_line() -> None:
    halted = {3, 4, 5, 9}
    bent = tuple(
        slot._replace(
            outcome=CycleOutcome.HALTED_DRAWDOWN if n in halted else CycleOutcome.HOLDING, because=f"said at {n}"
        )
        for n, slot in enumerate(slots())
    )
    found = slot_runs(bent[::-1])
    assert [(x.first, x.last, x.slots) for x in found] == [(bent[3], bent[5], 3), (bent[9], bent[9], 1)]


def test_a_halt_that_the_cycle_tells_is_not_told_again_by_its_alert() -> None:
    words = "3.00% lost today; the limit is 2.00%"
    day = edition(
        alarms=(
            AlertRow(OPEN, "action", f"{words}: reductions only", "latched", "daily_loss"),
            AlertRow(OPEN, "action", "something else"),
        )
    )
    assert day.latest is not None
    halted = day._replace(
        latest=day.latest._replace(because=f"{words}; latched", outcome=CycleOutcome.HALTED_DAILY_LOSS)
    )
    titles = [item.title for item in attention_of(halted)]
    assert "Something else" in titles
    assert not any(title.startswith("3.00%") for title in titles)
    assert any(item.title.startswith("3.00%") for item in attention_of(day))


def test_a_reason_of_the_last_cycle_hides_no_alarm_of_a_symbol_that_occurs_in_it() -> None:
    alarm = AlertRow(OPEN, "action", "T: without stop and target for 400 s", "unprotected", "T")
    latest = sample_record()._replace(because="1 trade beyond the band denied: DENIED_ORDERS_PER_EXECUTION")
    shown = attention_of(edition(alarms=(alarm,), latest=latest))
    assert "T: without stop and target for 400 s" in [item.title for item in shown if item.level == "act"]


def test_many_alerts_of_one_kind_are_one_thing_and_never_hide_one_that_needs_a_person() -> None:
    names = [f"S{n:02d}" for n in range(30)]
    many = [
        AlertRow(OPEN + timedelta(minutes=n), "warning", f"{s}: bare", "unprotected", s) for n, s in enumerate(names)
    ]
    few = [AlertRow(OPEN, "warning", f"{s}: sold", "exit", s) for s in names[:3]]
    person = AlertRow(OPEN, "action", "V: cannot be left", "exit_failed", "V")
    day = edition(alarms=(person, *few, *many))
    told = [item for item in attention_of(day) if "lert" in item.text]
    assert [(item.level, item.title) for item in told] == [
        ("act", "V: cannot be left"), ("watch", "S00: sold"), ("watch", "S01: sold"), ("watch", "S02: sold"),
        ("watch", "S29: bare"),
    ]  # fmt: skip
    assert told[-1].text == (
        "The last of 30 such alerts, from 09:30:00 to 09:59:00 ET; "
        "also S00, S01, S02, S03, S04, S05, S06, S07, S08, S09, S10, S11 and 17 more."
    )
    apart = edition(alarms=(*(AlertRow(OPEN, "warning", f"no code {n}") for n in range(30)), person))
    assert attention_of(apart)[0].title == "V: cannot be left"


def test_many_orders_unfold() -> None:
    one = edition().trades[0]
    tree = parse(edition_html(edition(trades=(one,) * 40)))
    (section,) = (s for s in tree.all("section") if s.attributes["id"] == "trades")
    rows = [len(list(next(t.all("tbody")).all("tr"))) for t in section.all("table")]
    assert rows[:2] == [15, 25]
    assert "25 more orders" in [s.text for s in section.all("summary")]


def test_a_part_of_the_drift_that_nobody_has_is_no_column() -> None:
    tree = parse(edition_html(edition()))
    ledger = next(t for t in tree.all("table") if "Drift ledger" in next(t.all("caption")).text)
    heads = [th.text for th in ledger.all("th") if th.attributes["scope"] == "col"]
    assert heads == [
        "Symbol",
        "Target%",
        "Achieved%",
        "Now%",
        "Gappp",
        "roundingpp",
        "bandpp",
        "unfilledpp",
        "price movepp",
    ]
