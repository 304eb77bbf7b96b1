"""Real processes: two sessions on one journal, a second one on one folder, and a stop in the middle of a batch."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rebalancer.core.errors import JournalBroken, LockHeld
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.exchange.faults.rules import faults_of
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from rebalancer.journal import CycleEnd, CycleStart, Journal
from rebalancer.journal.status_query import query_status
from rebalancer.market_data.trading_calendar import Slot
from tests.session.simulated import Company, Machine, at
from tests.session.test_year import YEAR, expected_slots, start_of

ROOT = Path(__file__).parents[2]
DAY = "2026-11-20"


class Host(Company):
    """A company whose cycles are claimed and ended in a real journal, which another host shares. Both come to each slot
    at the same moment."""

    def __init__(self, kept: Journal, both: Any) -> None:
        super().__init__(Machine(at(f"{DAY}T14:20")))
        self.kept, self.both = kept, both

    def _recover(self) -> None:
        """The other host may be in the middle of its cycle: here nobody dies."""

    def _cycle(self, slot: Slot) -> str:
        self.both.wait(600)
        if not self.kept.begin_cycle(CycleStart("acc", slot.id, "paper", slot.at, "test", "0" * 64)):
            raise LockHeld("run already")
        self.ran[slot.id] += 1
        end = CycleEnd("acc", slot.id, slot.at, CycleOutcome.HOLDING, "", {}, {}, None, {}, None, True)
        self.kept.close_cycle(end, ())
        return "HOLDING"


def live(file: Path, both: Any, told: Any, days: Sequence[date]) -> None:
    """One host's days."""
    with Journal.open(file) as kept:
        host = Host(kept, both)
        for day in days:
            host.machine.true = start_of(day)
            host.session(journal=kept).run()
        told.put(dict(host.ran))


A_YEAR = pytest.param([hours.day for hours in YEAR], marks=[pytest.mark.campaign, pytest.mark.timeout(1500)])


@pytest.mark.parametrize("days", [[date.fromisoformat(DAY)], A_YEAR], ids=["day", "year"])
def test_two_hosts_share_their_days_and_run_no_slot_twice(tmp_path: Path, days: list[date]) -> None:
    file = tmp_path / "journal.sqlite"
    Journal.open(file).close()
    context = multiprocessing.get_context("spawn")
    both, told = context.Barrier(2), context.Queue()
    hosts = [context.Process(target=live, args=(file, both, told, days)) for _ in range(2)]
    for host in hosts:
        host.start()
    ran = [told.get(timeout=1400), told.get(timeout=1400)]
    for host in hosts:
        host.join()
        assert host.exitcode == 0
    together = Counter(ran[0]) + Counter(ran[1])
    slots = {slot.id for slot in expected_slots(days[0], days[-1])}
    print(f"{len(slots)} slots due, {len(together)} run by {len(ran[0])} and {len(ran[1])}")
    assert set(together) == slots
    assert set(together.values()) == {1}
    with Journal.open(file) as kept:
        assert kept.verify() > 0
        ends = kept.slots("acc", list(together))
        assert Counter(outcome for _, outcome, _ in ends.values()) == {CycleOutcome.HOLDING: len(slots)}


class Paper(NamedTuple):
    """An exchange, and how `rebalancer session` reaches it as if it were Alpaca."""

    exchange: RunningExchange
    state: Path
    environ: dict[str, str]
    started: list[subprocess.Popen[str]]

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "rebalancer", "session"], cwd=ROOT, env=self.environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def posts(self) -> int:
        return sum(1 for call in list(self.exchange.request_log) if call == ("POST", "/v2/orders"))


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Paper]:
    options = ExchangeOptions(
        start=datetime(2026, 11, 20, 15, 4, 57, tzinfo=UTC), rate_limit_per_minute=0, partial_fill_probability=0.0
    )
    with start_exchange(options) as exchange:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ = kept | {
            "XDG_STATE_HOME": str(tmp_path), "APCA_API_BASE_URL": exchange.url, "APCA_API_DATA_URL": exchange.url,
            "APCA_API_KEY_ID": "PKTEST", "APCA_API_SECRET_KEY": "secret", "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT), "REBALANCER__SIGNALS__SAMPLE": "always",
            "REBALANCER__BROKER__MAX_CONCURRENT_CALLS": "1", "REBALANCER__REPORTING__DIRECTORY": str(tmp_path / "r"),
            "REBALANCER__EXECUTION__PHASE_TIMEOUT_SECONDS": "2", "REBALANCER__EXECUTION__CANCEL_TIMEOUT_SECONDS": "2",
        }  # fmt: skip
        paper = Paper(exchange, tmp_path / "rebalancer" / "paper", environ, [])
        yield paper
        for process in paper.started:
            process.kill()
            process.communicate()


def has_run(journal: Path) -> bool:
    """Whether a cycle has ended; the journal may be in the making."""
    try:
        seen = query_status(journal, now=at(DAY))
    except JournalBroken:
        return False
    return seen is not None and seen.last_end is not None


def until(true: Any, seconds: float = 600.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_sigterm_in_a_batch_sends_nothing_new_and_writes_down_what_is_in_flight(paper: Paper) -> None:
    rule = {"kind": "hang", "booked": True, "seconds": 5}
    paper.exchange.exchange.faults.put(faults_of({"rules": [rule]}, str).rules)
    process = paper.start()
    until(lambda: paper.posts() == 1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (0, "")
    assert "the session is being stopped (SIGTERM)" in err
    assert paper.posts() == 1
    with Journal.open(paper.state / "journal.sqlite") as journal:
        (cycle,) = journal.cycles()
        orders = journal.orders_of(cycle.cycle_id)
        states = Counter(order.state for order in orders)
        assert journal.open_cycles(cycle.account_id) == ()
        slots = journal.events(kind="slot")
        journal.verify()
    assert cycle.cycle_id == "2026-11-20T15:05Z"
    assert len(orders) > 3
    assert states[OrderState.NOT_SENT] == len(orders) - 1
    assert states[OrderState.FILLED] == 1  # found by our id after the connection had hung
    assert Counter(event.body["outcome"] for event in slots) == {CycleOutcome.MISSED: 7}


def test_a_second_session_on_one_folder_is_refused_and_a_run_by_hand_fits_in_between(paper: Paper) -> None:
    first = paper.start()
    journal = paper.state / "journal.sqlite"
    until(lambda: has_run(journal))
    second = paper.start()
    _, err = second.communicate(timeout=600)
    assert second.returncode == 75
    assert f"held by process {first.pid} (session)" in err
    by_hand = subprocess.run(
        [sys.executable, "-m", "rebalancer", "run-now", "--json"], cwd=ROOT, env=paper.environ, capture_output=True,
        text=True, timeout=600,
    )  # fmt: skip
    assert by_hand.returncode in (0, 4), by_hand.stderr
    first.terminate()
    assert first.wait(600) == 0
    first.communicate()
    with Journal.open(journal) as kept:
        assert len(kept.cycles()) == 2
        assert kept.open_cycles(kept.cycles()[0].account_id) == ()
