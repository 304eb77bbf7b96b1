"""A disk that is really full: a small one of its own for the state folder, before a run and in the middle of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from rebalancer.journal import Journal
from rebalancer.testing import laws
from tests.cli.conftest import ROOT, Command

PAGE = 4096
CONFIGURATION = 78


class Disk:
    """Sixteen megabytes with a state folder on them."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"
        self.mode = folder / "rebalancer" / "paper"

    def fill(self) -> None:
        """Leave not one page of it free."""
        with open(self._filler, "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(PAGE))
            except OSError:
                pass

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink()


class Filling(deque[tuple[str, str]]):
    """A log of requests that fills the disk when the n-th order arrives."""

    def __init__(self, disk: Disk, number: int) -> None:
        super().__init__()
        self._disk, self._left = disk, number

    def append(self, call: tuple[str, str], /) -> None:
        super().append(call)
        if call == ("POST", "/v2/orders"):
            self._left -= 1
            if self._left == 0:
                self._disk.fill()


@pytest.fixture
def disk(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mounting, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("nothing can be mounted here")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("REBALANCER__SIGNALS__SAMPLE", "always")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    """A paper account whose orders work for a while."""
    options = ExchangeOptions(open_session=True, fill_latency_seconds=1.0, rate_limit_per_minute=0)
    with start_exchange(options) as running:
        monkeypatch.setenv("APCA_API_BASE_URL", running.url)
        monkeypatch.setenv("APCA_API_DATA_URL", running.url)
        monkeypatch.setenv("APCA_API_KEY_ID", "key")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "secret")
        yield running


def run_now() -> tuple[int, str]:
    """Exit code and errors of a process of its own."""
    words = [sys.executable, "-m", "rebalancer", "run-now"]
    done = subprocess.run(words, env=dict(os.environ), capture_output=True, text=True, timeout=600)
    return done.returncode, done.stderr


def told_by_doctor(command: Command, disk: Disk) -> None:
    said = command("doctor", "--offline")
    assert said.code == CONFIGURATION
    lines = said.out.splitlines()
    at = lines.index(f"✘ state folder: {disk.mode} cannot be written: No space left on device (0.0 MB are free)")
    assert lines[at + 1] == f"    → free some space on the disk of {disk.mode}, then run it again"


@pytest.mark.parametrize("is_first", [True, False], ids=["no state yet", "a journal is there"])
def test_full_before_a_run(disk: Disk, exchange: RunningExchange, command: Command, *, is_first: bool) -> None:
    if not is_first:
        disk.mode.mkdir(mode=0o700, parents=True)
        Journal.open(disk.mode / "journal.sqlite").close()
    disk.fill()
    sent = list(exchange.request_log)
    code, said = run_now()
    assert code == CONFIGURATION
    assert "(0.0 MB are free)" in said
    assert said.startswith(f"error: {disk.mode}/")
    assert said.splitlines()[1].startswith("  hint: free some space")
    assert {method for method, _ in list(exchange.request_log)[len(sent) :]} <= {"GET"}
    told_by_doctor(command, disk)


def test_full_in_the_middle_of_a_run(disk: Disk, exchange: RunningExchange, command: Command) -> None:
    exchange._gate.request_log = Filling(disk, 3)
    code, said = run_now()
    journal = disk.mode / "journal.sqlite"
    assert code == CONFIGURATION, said
    assert f"error: {journal}: the disk is full (0.0 MB are free) (database or disk is full)\n  hint: free some" in said
    asked = list(exchange.request_log)
    first = next(n for n, (method, _) in enumerate(asked) if method == "DELETE")
    assert {method for method, _ in asked[first:]} <= {"GET", "DELETE"}, "nothing but cancels leaves any more"
    ours = laws.evidence_of(exchange.url, journal).ours()
    assert len(ours) >= 3
    cancelled = {path.rpartition("/")[2] for method, path in asked if method == "DELETE"}
    assert cancelled == {order["id"] for order in ours}
    told_by_doctor(command, disk)
    disk.empty()
    exchange.clock.advance(300)
    assert command("run-now").code in (0, 4)
    laws.check_laws(exchange.url, journal)
