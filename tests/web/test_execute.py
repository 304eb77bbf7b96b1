"""Execute beside a real session on the embedded exchange: the session trades, the API tells; streams delay nothing."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rebalancer.journal.read_only import ReadOnlyJournal
from tests.web.conftest import Server, command, environment, start
from tests.web.test_events import Reader, read_on

EXECUTE = "/api/v1/trading/execute"
DAY = "2026-11-23"


@contextmanager
def session(folder: Path, speed: int) -> Iterator[subprocess.Popen[str]]:
    """A trading day at this speed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", "session", "--speed", str(speed), "--day", DAY],
        cwd=folder / "project", env=environment(folder), stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(120)


@pytest.fixture
def served(traded: Path, tmp_path: Path) -> Iterator[tuple[Path, Server]]:
    shutil.copytree(traded, tmp_path, dirs_exist_ok=True)
    running = start(tmp_path, tmp_path / "state" / "rebalancer" / "simulated")
    yield tmp_path, running
    if running.process.poll() is None:
        running.stop()


def wait_for_cycles(server: Server, count: int) -> None:
    deadline = time.monotonic() + 300
    while len(server.ask("GET", "/api/v1/cycles").json()["cycles"]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def followed(server: Server, name: str) -> dict[str, Any]:
    """What became of a signal, once its order stands beside it."""
    deadline = time.monotonic() + 300
    while not (found := server.ask("GET", f"/api/v1/signals/{name}").json())["orders"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return dict(found)


def test_the_session_trades_what_is_asked_for(served: tuple[Path, Server]) -> None:
    folder, server = served
    with session(folder, 60):
        wait_for_cycles(server, 2)
        body = {"symbol": "NVDA", "action": "BUY", "confidence": 0.9, "entry_price": 190, "id": "exec-1"}
        answer = server.ask("POST", EXECUTE, "execute", json=body, headers={"Idempotency-Key": "k"})
        done = answer.json()
        assert (answer.status_code, done["success"], done["signal_id"]) == (200, True, "exec-1")
        again = server.ask("POST", EXECUTE, "execute", json=body, headers={"Idempotency-Key": "k"})
        assert (again.status_code, again.json()) == (200, done)
        plain = {"symbol": "AMD", "action": "BUY", "confidence": 0.9}
        twice = [server.ask("POST", EXECUTE, "execute", json=plain) for _ in range(2)]
        assert [a.status_code for a in twice] == [200, 200]
        assert twice[0].json() == twice[1].json()
        short = {"symbol": "GE", "action": "SELL", "confidence": 0.9, "id": "exec-2"}
        refused = server.ask("POST", EXECUTE, "execute", json=short)
        assert (refused.status_code, refused.json()["signal_id"]) == (422, "exec-2")
        assert refused.json()["outcome"] in ("DENIED_SHORT", "HELD_AT_TARGET")
        fate = followed(server, "exec-1")
        server.ask("POST", "/api/v1/kill", "kill", json={"reason": "enough"})
        assert server.ask("POST", EXECUTE, "execute", json={**body, "id": "exec-3"}).status_code == 409
    journal = ReadOnlyJournal(server.state / "journal.sqlite")
    order = journal.order(done["client_order_id"])
    assert order is not None
    assert (order.broker_id, str(order.qty), order.symbol) == (done["order_id"], done["qty"], "NVDA")
    assert fate["orders"][0]["client_order_id"] == done["client_order_id"]
    slots = [c for c in journal.cycles(None, 1000) if c.cycle_id.startswith(DAY) and c.cycle_id == order.cycle_id]
    assert [c.mode for c in slots] == ["simulated"]
    assert len(order.cycle_id) == len("2026-11-23T14:37:38Z")  # a run by hand, not the slot 2026-11-23T14:35Z
    assert {o.symbol for o in journal.orders_of(order.cycle_id)} == {"NVDA"}
    amd = [o for c in journal.cycles(None, 1000) for o in journal.orders_of(c.cycle_id) if o.symbol == "AMD"]
    assert [o.client_order_id for o in amd if o.qty > 0][-1:] == [twice[0].json()["client_order_id"]]
    assert len([o for o in amd if len(o.cycle_id) > len("2026-11-23T14:35Z")]) == 1  # one order for two requests
    replayed = command(folder, "replay", "--all")
    assert (replayed.returncode, replayed.stdout) == (0, "")


@pytest.mark.campaign
def test_fifty_streams_and_a_slow_reader_delay_no_cycle(served: tuple[Path, Server]) -> None:
    folder, server = served
    slow = Reader(server, "0")
    stop = threading.Event()
    reached = [0] * 50

    def read(number: int) -> None:
        last = "0"
        while not stop.is_set():
            reader = Reader(server, last)
            for event in reader.events():
                if "id" in event:
                    assert int(event["id"]) == int(last) + 1
                    last = event["id"]
                    reached[number] = int(last)
                if stop.is_set():
                    break
            reader.drop()

    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(reached))]
    for thread in threads:
        thread.start()
    with session(folder, 600) as process:
        assert process.wait(900) == 0
    head = server.ask("GET", "/health", "read").json()["head"]
    deadline = time.monotonic() + 300
    while min(reached) < head and time.monotonic() < deadline:
        time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join(60)
    slow.drop()
    journal = ReadOnlyJournal(server.state / "journal.sqlite")
    outcomes = Counter(c.outcome for c in journal.cycles(None, 1000) if c.cycle_id.startswith(DAY))
    ends = Counter(str(e.body["outcome"]) for e in journal.events(kind="slot") if str(e.cycle_id).startswith(DAY))
    print(f"cycles {dict(outcomes)}, slots without a cycle {dict(ends)}, rows {head}, readers at {set(reached)}")
    assert sum(outcomes.values()) == 78
    assert ends == {}
    assert set(reached) == {head}
    assert read_on(server, head, random.Random(1), 0)[0] == list(range(1, head + 1))
