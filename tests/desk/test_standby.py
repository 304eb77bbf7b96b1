"""Two hosts with the real `session --standby`: one dies in the middle of a batch, the other takes over and looks up
what it left, and the first one comes back and stands by."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.cli.drill import FIRST, LEASE_SECONDS, OPEN, SLOT_SECONDS, STEP, HostDrill
from rebalancer.cli.drill_hosts import DrillHost, SteppedExchange, write_project, write_targets
from rebalancer.journal.lease import KIND
from rebalancer.journal.place import PostgresPlace
from tests.desk.check_history import problems, read
from tests.support.postgres import shared_cluster

SLOTS = [(FIRST + number * STEP).strftime("%Y-%m-%dT%H:%MZ") for number in range(4)]
HELD = {"AAPL": 0.1, "KO": 0.1, "JNJ": 0.1, "XOM": 0.1}
SOLD = {"AAPL": 0.02, "KO": 0.02, "JNJ": 0.02, "XOM": 0.02}


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[HostDrill]:
    url = shared_cluster().database("standby")
    write_project(tmp_path)
    exchange = SteppedExchange(tmp_path, OPEN - STEP)
    hosts = [DrillHost(name, tmp_path, exchange, url, LEASE_SECONDS) for name in ("alpha", "beta")]
    course = HostDrill(tmp_path, PostgresPlace(url, "rebalancer_paper"), exchange, hosts, random.Random(1), print)
    course.again = frozenset()
    with closing(course.journal):
        yield course
        course.end()
        exchange.close()


def slot(drill: HostDrill, number: int, weights: dict[str, float]) -> None:
    """Let this slot come, with these weights."""
    at = FIRST + number * STEP
    write_targets(drill.folder, weights, at - timedelta(minutes=1))
    drill.step_to(at)


def ends(drill: HostDrill, number: int) -> str:
    """How a slot ended."""
    assert drill.until(lambda: drill.outcome(SLOTS[number]) is not None, 10 * SLOT_SECONDS)
    return str(drill.outcome(SLOTS[number]))


def test_the_other_host_takes_over_and_the_first_one_stands_by(drill: HostDrill) -> None:
    alpha, beta = drill.hosts
    drill.step_to(OPEN)
    alpha.start()
    assert drill.until(lambda: drill.trading() is alpha, 10 * SLOT_SECONDS)
    beta.start()
    assert drill.until(lambda: b"standing by: alpha trades" in beta.log.read_bytes(), 10 * SLOT_SECONDS)
    slot(drill, 0, HELD)
    assert ends(drill, 0) == "COMPLETED"

    before = len(drill.exchange.orders())
    slot(drill, 1, SOLD)
    assert drill.until(lambda: len(drill.exchange.orders()) > before, 10 * SLOT_SECONDS)
    alpha.signal(signal.SIGKILL)
    assert ends(drill, 1) in ("ABANDONED", "COMPLETED")  # completed: it was faster than the signal
    assert drill.until(lambda: drill.trading() is beta, 10 * SLOT_SECONDS)
    slot(drill, 2, HELD)
    assert ends(drill, 2) == "COMPLETED"

    alpha.start()
    assert drill.until(lambda: b"standing by: beta trades" in alpha.log.read_bytes(), 10 * SLOT_SECONDS)
    assert beta.stop() == 0
    slot(drill, 3, SOLD)
    assert ends(drill, 3) == "COMPLETED"
    drill.end()

    events = drill.journal.events()
    taken = [event.body["host"] for event in events if event.kind == KIND]
    owners = {e.cycle_id: str(e.body["holder"]).rpartition(":")[0] for e in events if e.kind == "cycle_started"}
    assert (taken, owners) == (
        ["alpha", "beta", "alpha"], dict(zip(SLOTS, ["alpha", "alpha", "beta", "alpha"], strict=True))
    )  # fmt: skip
    place = drill.journal.place
    assert isinstance(place, PostgresPlace)
    assert problems(*read(place.url, place.schema, drill.exchange.url), SLOTS) == []
    rows = {(event.kind, event.cycle_id): event.seq for event in events}
    took_over = next(event.seq for event in events if event.kind == KIND and event.body["host"] == "beta")
    if drill.outcome(SLOTS[1]) == "ABANDONED":  # what was left is looked up before anything else
        assert took_over < rows["cycle_ended", SLOTS[1]] < rows["cycle_started", SLOTS[2]]
