"""`status` after a cycle: every line of the screen, from the journal alone, plain in a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from rebalancer.accounting.newest_day import NewestDay
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import decimal_of, time_text
from rebalancer.journal import Journal
from rebalancer.journal.records import CycleStart
from rebalancer.ops.run_lock import RunLock
from rebalancer.report.columns import cells_wide
from rebalancer.report.figures.of_status import figures_of_status
from rebalancer.report.numbers import clock_text
from rebalancer.report.records import LimitStatus, RunSummary, StatusView
from rebalancer.report.status import status_text
from tests.cli.conftest import Command

AT = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)
VIEW = StatusView(
    mode="paper", account_id="PA3XK81L7Q2", stopped="",
    last=RunSummary("2026-11-20T15:05Z", AT, "paper", CycleOutcome.COMPLETED, "", 10, 9, Decimal(0), Decimal(0), 1),
    last_seconds=None, now=AT + timedelta(minutes=3), equity=Decimal("344158.71"), last_equity=Decimal("340313.17"),
    drawdown=0.091, cash=Decimal("13766.35"), positions=9, open_orders=1, unknown_orders=0,
    alerts=("AAPL has no stop (4 min ago, sent by webhook)",), next_at=AT + timedelta(minutes=5),
    next_hint="session runs, process 4711", drift=0.0412, band=0.0025, drift_of="NVDA",
    limits=(LimitStatus("gross", 0.73, 0.8), LimitStatus("orders_today", 10, 100, counts=True)),
    protection="8 of 9 positions at the broker", unprotected=("AAPL",),
    report="reports/2026/2026-11-20_1005_paper_20261120T1505Z.html", environment="production", profile="growth",
    next_here="16:10",
    figures=tuple(figures_of_status(
        NewestDay(AT.date(), Decimal("344158.71"), Decimal("13766.35"), Decimal("378612.44"), 0.0113), None
    )),
)  # fmt: skip
GOLDEN = """\
PAPER ••••7Q2   production, profile growth   ✔ armed
last     Fri 2026-11-20 10:05 ET ✔ completed   9 of 10 orders filled   (3 min
         ago)
equity   $344,158.71   today ▲ +1.13 %   drawdown −9.10 %   cash 4.0 %
orders   open 1   unknown 0   positions 9
drift    max 4.12 pp of ±0.25 (NVDA) at the last plan
limits   gross 73.0 of 80.0 % after the last plan; orders today 10 of 100
exits    8 of 9 positions at the broker   ! without: AAPL
report   reports/2026/2026-11-20_1005_paper_20261120T1505Z.html
alert    ! AAPL has no stop (4 min ago, sent by webhook)
next     Fri 2026-11-20 10:10 ET (16:10 local)   session runs, process 4711
"""


def test_the_whole_screen_at_80_columns() -> None:
    assert status_text(VIEW, width=80, colour=False) == GOLDEN
    reason = "the quotes were wrong for an hour " * 5
    stopped = status_text(VIEW._replace(stopped=reason), width=80, colour=False)
    assert max(map(cells_wide, stopped.splitlines())) <= 80
    assert reason.strip() in " ".join(stopped.split())  # wrapped, never cut


@pytest.mark.parametrize(
    ("band", "words"),
    [(0.0025, "of ±0.25 (NVDA)"), (0.00004, "of ±0.0040 (NVDA)"), (1e-12, "of ±0.000001 (NVDA)"),
     (0.0, "(NVDA, to be closed)"), (None, "(NVDA)")],
)  # fmt: skip
def test_no_band_reads_zero(band: float | None, words: str) -> None:
    assert f"drift    max 4.12 pp {words} at the last plan\n" in status_text(
        VIEW._replace(band=band), width=None, colour=False
    )


def test_status_tells_drift_limits_protection_page_and_where_it_runs(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("run-now").code in (0, 4)
    plan = json.loads(command("explain", "AAPL", "--json").out)
    found = json.loads(command("status", "--json").out)
    assert found["schema"] == "rebalancer.status/1"
    assert plan["cycle_id"] == found["last"]["cycle_id"]
    assert found["drift"] > 0
    assert found["drift_of"]
    orders = found["limits"][-1]
    assert (orders["name"], orders["used"], orders["limit"]) == ("orders_today", found["last"]["orders"], 100)
    used = [limit["used"] / limit["limit"] for limit in found["limits"][:-1]]
    assert used == sorted(used, reverse=True)
    assert found["protection"] == "watched by this program while a session runs"
    assert decimal_of(found["equity"]) > 0
    assert Path(found["report"]).read_text() == Path("reports/latest.html").read_text()
    assert (found["environment"], found["profile"]) == ("development", "")
    said = command("status")
    assert (said.code, said.err) == (0, "")  # all of it is on the screen itself
    assert said.out.splitlines()[0].endswith("   development   ✔ armed")
    assert f"\nreport   {found['report']}\n" in said.out
    monkeypatch.setenv("REBALANCER_ENVIRONMENT", "production")
    assert "   production   " in command("status").out.splitlines()[0]


def test_a_cycle_is_called_abandoned_only_when_no_process_runs_it(command: Command, tmp_path: Path) -> None:
    assert command("run-now").code in (0, 4)
    state = tmp_path / "state" / "rebalancer" / "simulated"
    with Journal.open(state / "journal.sqlite") as journal:
        done = journal.cycles(None, 1)[0]
        at = done.started_at + timedelta(minutes=5)
        rules = journal.rules_text(done.cycle_id)
        assert rules is not None
        begun = CycleStart(
            done.account_id, "2026-11-20T15:10Z", "simulated", at, "0", sha256(rules.encode()).hexdigest()
        )
        assert journal.begin_cycle(begun)
    with RunLock(state / "run.lock", "session"):
        seen, shown = json.loads(command("status", "--json").out), command("status").out
        listed = command("history")
    now = f"a cycle runs since {clock_text(at)} ET, process {os.getpid()}"
    running = {"cycle_id": "2026-11-20T15:10Z", "started_at": time_text(at), "process": os.getpid()}
    assert (seen["running"], seen["last_cycle"]["cycle_id"]) == (running, done.cycle_id)
    assert (seen["last_cycle"]["outcome"], seen["last_cycle"]["filled"]) == (done.outcome, done.orders)
    assert f"\nnow      {now}\n" in shown
    assert "abandoned" not in shown + listed.out
    assert (len(listed.out.splitlines()), listed.err) == (
        2, f"a cycle runs now, process {os.getpid()}; it is listed once it has ended\n",
    )  # fmt: skip
    seen, shown = json.loads(command("status", "--json").out), command("status").out
    assert (seen["running"], seen["last_cycle"]["outcome"]) == (None, "ABANDONED")
    assert "\nnow  " not in shown
    assert "abandoned: ended before its orders did" in " ".join(shown.split())
    assert "abandoned" in command("history").out


def test_a_profile_is_named_on_the_first_line(command: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "config" / "profiles").mkdir(exist_ok=True)
    (project / "config" / "profiles" / "growth.yaml").write_text("{}\n")
    monkeypatch.setenv("REBALANCER_PROFILE", "growth")
    said = command("status")
    assert said.code == 0
    assert "   development, profile growth   " in said.out.splitlines()[0]


def test_an_alert_tells_its_age_and_what_became_of_it(command: Command, tmp_path: Path) -> None:
    assert command("run-now").code in (0, 4)
    with Journal.open(tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        cycle = journal.cycles(None, 1)[0]
        then = cycle.started_at - timedelta(minutes=5)
        body = {"level": "warning", "code": "test", "text": "the first"}
        journal.record_event(cycle.account_id, None, then, "alert", "test", body)
        number = journal.latest_events(1)[0].seq
        journal.record_event(cycle.account_id, None, then, "alert_sent", "test", {"alert": number, "channel": "mail"})
        journal.record_event(cycle.account_id, None, then, "alert", "test", body | {"text": "the second"})
    lines = [line for line in command("status").out.splitlines() if line.startswith("alert")]
    assert lines == ["alert    ! the second (5 min ago, not sent)", "alert    ! the first (5 min ago, sent by mail)"]


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ({"state": "gone"}, "gone: stop "),
        ({"bare_since": "2026-11-20T15:00:00Z"}, "a cancel was requested and is not confirmed: stop "),
    ],
)
def test_positions_without_exits_at_the_broker_are_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: dict[str, str], told: str
) -> None:
    monkeypatch.setenv("REBALANCER__PROTECTION__MODE", "broker")
    assert command("run-now").code in (0, 4)
    with Journal.open(tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        account_id = journal.cycles(None, 1)[0].account_id
        end = journal.last_end(account_id)
        assert end is not None
        held = sorted(end.expected_positions)
        newest = journal.newest_of_each("protection", account_id)
        open_ones = {str(e.key) for e in newest if e.body["state"] == "open"}
        first, second, *_ = rests = sorted(open_ones & set(held))
        last = journal.recall(account_id, "protection", keys=[first], last=1)[0]
        journal.record_event(account_id, None, last.at, "protection", first, {**last.body, **without})
    said = command("status").out
    bare = ", ".join(symbol for symbol in held if symbol not in rests[1:])
    assert f"\nexits    {len(rests) - 1} of {len(held)} positions at the broker   ! without: {bare}\n" in said
    assert f"\n  exits     ! {told}" in command("explain", first).out
    assert "\n  exits     at the broker: stop " in command("explain", second).out


@pytest.mark.timeout(60)
def test_the_command_imports_nothing_heavy() -> None:
    heavy = ["rich", "jinja2", "pydantic", "sqlalchemy", "pandas", "numpy", "alpaca", "structlog", "rebalancer.session"]
    code = f"import sys, rebalancer.cli.status; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
