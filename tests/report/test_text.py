"""What the terminal shows, as snapshots at 80 columns and through a pipe."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from rebalancer.accounting.newest_day import NewestDay
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.report.columns import TableRow, cells_wide, clip, table
from rebalancer.report.figures.of_status import figures_of_status
from rebalancer.report.records import RunRecord, RunSummary, StatusView
from rebalancer.report.summary import summary_of
from rebalancer.report.text import explain_text, history_table, plan_table, run_table, status_text

from .golden import assert_golden
from .sample import START, dry, many_stories, sample_record

RECORD = sample_record()
LAST = summary_of(RECORD, "2026/page.html")
STATUS = StatusView(
    mode="paper", account_id="PA3XK81L7Q2", stopped="", last=LAST, last_seconds=37.95, now=START + timedelta(hours=4),
    equity=Decimal("97498.07"), last_equity=Decimal("96420.10"), drawdown=0.0238, cash=Decimal("8204.18"), positions=15,
    open_orders=1, unknown_orders=1, alerts=("PLTR is frozen: rebalancer explain PLTR",),
    next_at=START + timedelta(minutes=5), next_hint="timer enabled",
    figures=tuple(figures_of_status(
        NewestDay(START.date(), Decimal("97498.07"), Decimal("8204.18"), Decimal("99875.09"), 0.01118), None
    )),
)  # fmt: skip


@pytest.mark.parametrize("width", [80, None], ids=["80", "piped"])
def test_tables(width: int | None) -> None:
    name = "piped" if width is None else str(width)
    assert_golden(f"run.{name}.txt", run_table(RECORD, width=width, colour=False))
    assert_golden(f"plan.{name}.txt", plan_table(dry(RECORD), width=width, colour=False))
    cycles = [LAST, LAST._replace(outcome=CycleOutcome.HALTED_DRAWDOWN, orders=0, filled=0, needs=0)]
    assert_golden(f"history.{name}.txt", history_table(cycles, width=width, colour=False))
    assert_golden(f"status.{name}.txt", status_text(STATUS, width=width, colour=False))
    explained = "\n".join(
        explain_text(s, RECORD, width=width) for s in ("NVDA", "AAPL", "BRK.B", "PLTR", "JNJ", "ABNB", "NOPE")
    )
    assert_golden(f"explain.{name}.txt", explained)


@pytest.mark.parametrize("record", [RECORD, dry(RECORD), sample_record(many_stories(60))], ids=["run", "dry", "wide"])
def test_colour_adds_nothing_and_80_columns_are_enough(record: RunRecord) -> None:
    for show in (run_table, plan_table):
        plain = show(record, width=80, colour=False)
        painted = show(record, width=80, colour=True)
        assert "\x1b[" in painted
        assert re.sub(r"\x1b\[\d*m", "", painted) == plain
        assert max(cells_wide(line) for line in plain.split("\n")) <= 80


def test_a_pipe_gets_every_character() -> None:
    message = "a word " * 1000
    record = RECORD._replace(orders=tuple(line._replace(message=message) for line in RECORD.orders))
    assert message.strip() in run_table(record, width=None, colour=False)
    assert message.strip() in explain_text("AAPL", record)


def test_unknown_facts_are_dashes() -> None:
    empty = STATUS._replace(
        last=None, last_seconds=None, equity=None, last_equity=None, drawdown=None, cash=None, positions=None,
        open_orders=0, unknown_orders=0, alerts=(), next_at=None, next_hint="run: rebalancer run-now",
        stopped="kill switch", figures=(),
    )  # fmt: skip
    assert status_text(empty, width=80, colour=False) == (
        "PAPER ••••7Q2   ✘ stopped: kill switch\n"
        "last     no cycle has run yet\n"
        "equity   –   drawdown –   cash –\n"
        "orders   open 0   unknown 0   positions –\n"
        "next     run: rebalancer run-now\n"
    )


def test_no_history_says_what_to_do() -> None:
    none: list[RunSummary] = []
    assert history_table(none, width=80, colour=False) == "No cycle has run yet. Start one with: rebalancer run-now\n"


def test_status_needs_no_heavy_library() -> None:
    heavy = ["rich", "jinja2", "pydantic", "sqlalchemy", "pandas", "numpy", "alpaca", "structlog"]
    code = f"import sys, rebalancer.report.text; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_wide_letters_line_up() -> None:
    rows = [TableRow(("漢字", "1")), TableRow(("ab", "22"))]
    lines = table(("name", "n"), "<>", rows, width=None, colour=False)
    assert lines == ["  name   n", "  漢字   1", "  ab    22"]
    assert clip("漢字漢字", 5) == "漢字…"


MONDAY_11 = datetime(2026, 11, 16, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "from_close", "words"),
    [
        (None, False, "today"),
        (datetime(2026, 11, 20, 15, 5, tzinfo=UTC), False, "since 10:05 ET"),  # the first reading of the account
        (datetime(2026, 11, 19, 21, 5, tzinfo=UTC), True, "today"),
        (datetime(2026, 11, 18, 21, 5, tzinfo=UTC), True, "since the close of Wed 2026-11-18"),
        (MONDAY_11, False, "since Mon 2026-11-16 11:00 ET"),  # no day was closed since
    ],
)
def test_the_return_says_what_it_is_counted_from(since: datetime | None, from_close: bool, words: str) -> None:
    text = status_text(STATUS._replace(since=since, from_close=from_close), width=None, colour=False)
    (line,) = [line for line in text.splitlines() if line.startswith("equity")]
    assert line == f"equity   $97,498.07   {words} ▲ +1.12 %   drawdown −2.38 %   cash 8.4 %"
