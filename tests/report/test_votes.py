"""Votes and sources in page, document and terminal: who said what, and who was not asked."""

from __future__ import annotations

import json

import pytest

from rebalancer.core.facts import Signal
from rebalancer.ops.source_status import SourceStatus
from rebalancer.report.attention import attention
from rebalancer.report.document import json_of, read_report
from rebalancer.report.page import html_of
from rebalancer.report.records import RunRecord
from rebalancer.report.sources import source_line, sources_line
from rebalancer.report.votes import VoteRow, vote_rows
from tests.report.sample import START, sample_record

ON = SourceStatus(
    "xai", "on", "", "", "", None, 20, 12, 18, 3, "no articles", 3, 25, "0.3", "1", "2026-11-20T15:34:00Z"
)
KEY = ON._replace(
    name="massive", state="off", kind="key", because="massive answered 401: no <b>entry</b>",
    hint="set MASSIVE_API_KEY", calls_per_day=None, usd_per_day=None,
)  # fmt: skip
QUOTA = ON._replace(
    name="alpha_vantage", state="off", kind="quota", because="25 a day", until="2026-11-21T05:00:00Z", usd_per_day=None
)
SPENT = ON._replace(name="perplexity", state="spent", because="all 3 calls of the day are used")


def voted() -> RunRecord:
    """The sample with a second and a third source on one of its names."""
    record = sample_record()
    first = record.snapshot.signals[0]
    more = (
        Signal("v-1", first.symbol, -first.score, first.confidence, "xai", START),
        Signal("v-2", first.symbol, first.score, 0.0, "massive", START),
    )
    snapshot = record.snapshot._replace(signals=(*record.snapshot.signals, *more))
    return record._replace(snapshot=snapshot, weights={"xai": 0.2, "massive": 0.4}, sources=(QUOTA, KEY, SPENT, ON))


def test_votes_stand_side_by_side_with_what_cancels_out() -> None:
    record = voted()
    first, against, unsure = record.snapshot.signals[0], *record.snapshot.signals[-2:]
    (row,) = vote_rows(record)
    shares = tuple(weight / 1.6 for weight in (1.0, 0.4, 0.2))
    assert row == VoteRow(first.symbol, (first, unsure, against), shares, pytest.approx(1 - 0.8 / 1.2))
    page = html_of(record)
    assert f"{first.score:+.2f} × {first.confidence:.2f} × 0.62" in page.replace("\u2212", "-")
    assert "33\u00a0" in page or ">33<" in page


def test_a_run_without_either_shows_neither() -> None:
    assert 'id="sources"' not in html_of(sample_record())
    assert not {"weights", "sources"} & json.loads(json_of(sample_record())).keys()


def test_a_document_with_sources_reads_back() -> None:
    record = voted()
    again = read_report(json_of(record))
    assert (again.sources, again.weights) == (record.sources, record.weights)


def test_what_is_off_is_said_with_its_fix() -> None:
    page = html_of(voted())
    assert "massive answered 401: no &lt;b&gt;entry&lt;/b&gt;; set MASSIVE_API_KEY" in page
    found = [item for item in attention(voted()) if item.title.startswith("Source off")]
    assert [(item.level, item.title, item.text, item.command) for item in found] == [
        ("act", "Source off: massive", "Massive answered 401: no <b>entry</b>. Set MASSIVE_API_KEY.",
         "rebalancer sources list"),
        ("watch", "Source off: alpha_vantage", "25 a day.", "rebalancer sources list"),
    ]  # fmt: skip


def test_sources_in_a_line() -> None:
    assert source_line(ON) == "✔ 12 of 20 names, 3 of 25 calls, 0.30 of 1.00 USD"
    assert source_line(KEY) == (
        "! 12 of 20 names, 3 calls: off: massive answered 401: no <b>entry</b>; set MASSIVE_API_KEY"
    )
    assert source_line(QUOTA) == "! 12 of 20 names, 3 of 25 calls: off, again at 2026-11-21 05:00 UTC: 25 a day"
    assert sources_line((SPENT, ON)) == (
        "perplexity ! 12 of 20 names, 3 of 25 calls, 0.30 of 1.00 USD: no more today: all 3 calls of the day are used"
        "   xai 12/20 ✔"
    )
