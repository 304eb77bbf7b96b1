"""What systemd hears, and what wakes the session."""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from rebalancer.market_data.trading_calendar import hours_of, published_hours, trading_day
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.notify import Notify
from rebalancer.session.scheduler import ScheduledAlarm
from rebalancer.session.simulated_clock import SimulatedClock
from rebalancer.session.stop import Bell, Stop


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(5)
        yield ear


def test_systemd_hears_ready_status_alive_and_stopping(ear: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": str(ear.getsockname()), "WATCHDOG_USEC": "180000000"}
    notify = Notify.from_environment(environ)
    assert environ == {"WATCHDOG_USEC": "180000000"}  # a child cannot speak in our name
    assert notify.watchdog_seconds == 180.0
    notify.ready("preparing")
    notify.status("next cycle Fri 10:35 ET\nor so")
    notify.status("next cycle Fri 10:35 ET\nor so")
    notify.alive()
    notify.stopping("x" * 400)
    heard = [ear.recv(4096).decode() for _ in range(4)]
    assert heard == [
        "READY=1\nSTATUS=preparing",
        "STATUS=next cycle Fri 10:35 ET or so",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=" + "x" * 300,
    ]


def test_an_abstract_socket_is_reached(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        name = f"rebalancer-test-{tmp_path.name}"
        ear.bind(f"\0{name}")
        ear.settimeout(5)
        Notify(f"@{name}").ready("")
        assert ear.recv(100) == b"READY=1\nSTATUS="


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}],
)
def test_without_systemd_nothing_is_sent_and_nothing_fails(environ: dict[str, str]) -> None:
    notify = Notify.from_environment(environ)
    assert notify.watchdog_seconds is None
    notify.ready("")
    notify.alive()
    Notify("/nowhere/at/all").ready("")


def test_a_stop_wakes_a_wait_from_another_thread() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.ask, ["enough"]).start()
    assert stop.bell.wait(3600)
    stop.ask("again")
    assert stop.reason() == "enough"
    assert stop.bell.wait(0)
    assert not stop.bell.wait(0)
    stop.bell.close()


def test_a_bell_is_heard_whatever_the_number_of_its_descriptor() -> None:
    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if highest <= 1100:
        pytest.skip("this machine allows a process too few open files")
    lowest = os.open(os.devnull, os.O_RDONLY)
    filling = [fcntl.fcntl(lowest, fcntl.F_DUPFD, number) for number in range(lowest + 1, 1030)]
    bell = Bell()
    try:
        assert not bell.wait(0)
        bell.ring()
        assert bell.wait(3600)
        assert not bell.wait(0)
    finally:
        bell.close()
        for descriptor in {lowest, *filling}:
            os.close(descriptor)


def test_a_run_that_has_ended_leaves_no_pipe_open() -> None:
    gc.collect()  # what other tests have left open is closed now, not in between
    gc.disable()
    try:
        before = os.listdir("/proc/self/fd")
        stop = Stop()
        with stop.on_signals():
            stop.ask("enough")
        stop.ask("again")
        stop.bell.close()
        assert os.listdir("/proc/self/fd") == before
    finally:
        gc.enable()


def test_the_scheduler_rings_at_its_moments_and_a_clock_set_back_only_costs_the_ring() -> None:
    bell = Bell()
    alarm = ScheduledAlarm(bell, SystemClock(), look_seconds=3600)
    broker = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    try:
        past, soon, later = (broker + timedelta(seconds=s) for s in (-5, 0.2, 7200))
        alarm.plan([past, soon, later], broker)
        assert alarm.planned() == [soon.isoformat(), later.isoformat()]
        assert bell.wait(3600)
        assert alarm.planned() == [later.isoformat()]
        alarm.plan([], broker)
        assert alarm.planned() == []
        with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
            alarm.wait(0.1)  # and returns, instead of waiting the hour out
    finally:
        alarm.close()
        bell.close()


STOPPED = """
import os, signal
from rebalancer.session.stop import Stop
stop = Stop()
with stop.on_signals():
    os.kill(os.getpid(), signal.SIGTERM)
assert stop.reason() == "the session is being stopped (SIGTERM)"
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_request_that_comes_while_a_stopped_process_ends_does_not_kill_it() -> None:
    assert subprocess.run([sys.executable, "-c", STOPPED], timeout=60).returncode == 0


@pytest.mark.parametrize("day", ["2026-11-20", "2026-11-21", "2026-11-27"], ids=["open", "weekend", "half day"])
def test_the_scheduler_takes_every_moment_of_a_day_around_the_clock(day: str) -> None:
    """Five minutes after the close the day is closed, and a slot of crypto is due at the same moment."""
    bell = Bell()
    alarm = ScheduledAlarm(bell, SystemClock(), look_seconds=3600)
    on = date.fromisoformat(day)
    whole = trading_day(on, hours_of(on, published_hours(on, on)), 5, around_the_clock=True)
    moments = [*(slot.at for slot in whole.slots), whole.ends + timedelta(minutes=5)]
    try:
        alarm.plan(moments, moments[0] - timedelta(seconds=60))
        assert alarm.planned() == sorted({moment.isoformat() for moment in moments})
        assert len(alarm.planned()) == len(whole.slots) == 288
    finally:
        alarm.close()
        bell.close()


def test_a_fast_day_skips_its_waits_and_keeps_all_clocks_in_step() -> None:
    skipped: list[float] = []

    class Exchange:
        def advance(self, seconds: float) -> None:
            skipped.append(seconds)

    bell = Bell()
    pace = SimulatedClock(Exchange(), 10_000, bell)
    wall, ran = pace.wall(), pace.monotonic()
    began = time.monotonic()
    pace.wait(300)
    took = time.monotonic() - began
    assert pace.monotonic() - ran >= 300
    assert len(skipped) == 1
    assert 300 - took <= skipped[0] <= 300
    with time_machine.travel(0, tick=False):
        before = pace.wall()
        pace.wait(300)
        assert (pace.wall() - before).total_seconds() == pytest.approx(skipped.pop(), abs=1e-5), "both skip the same"
    assert (pace.wall() - wall).total_seconds() >= 300
    bell.ring()
    pace.wait(300)
    assert len(skipped) == 1  # woken: nothing was skipped
    bell.close()
