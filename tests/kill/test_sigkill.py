"""Real processes die by SIGKILL at every boundary, and again while they recover; whoever comes next finds order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from rebalancer.exchange.starter import ExchangeOptions, start_exchange
from tests.support import checker

ROOT = Path(__file__).parents[2]
KILLED = -9
CONFIG = """
execution:
  max_orders_per_execution: 50
position_sizing:
  base_position_size: 0.05
  max_trade_size: 15000
  volatility_scale_min: 1.0
  volatility_scale_max: 1.0
risk_management:
  max_position_risk: 1.0
  max_trade_heat: 1.0
  max_drawdown: 0.5
  max_daily_loss: 0.5
signals:
  max_age_minutes: 40000
broker:
  requests_per_minute: 10000
"""
BASE = {"AAPL": 1.0, "KO": 1.0, "V": 1.0, "MSFT": 0.0, "JNJ": 0.0, "XOM": 0.0}
NEXT = {"AAPL": 0.4, "KO": 0.3, "V": 1.0, "MSFT": 1.0, "JNJ": 1.0, "XOM": 1.0}

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")


class Ended(NamedTuple):
    """How a real process ended, and how many boundaries it had passed."""

    code: int
    boundaries: int


class Machine:
    """One machine, one account at an exchange, and real processes on it."""

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        self.folder = folder
        if template is not None:
            shutil.copytree(template, folder)
        else:
            (folder / "project" / "config").mkdir(parents=True)
            (folder / "project" / "signals").mkdir()
            shutil.copy(ROOT / "config" / "sectors.csv", folder / "project" / "config")
            (folder / "project" / "config" / "execution.yaml").write_text(CONFIG)
        options = ExchangeOptions(
            state=folder / "exchange.sqlite", rate_limit_per_minute=0, fill_latency_seconds=0.0,
            partial_fill_probability=0.0,
        )  # fmt: skip
        self.exchange = start_exchange(options)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REBALANCER", "APCA"))}
        environment = kept | {
            "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "none"), "APCA_API_BASE_URL": self.exchange.url,
            "APCA_API_DATA_URL": self.exchange.url, "APCA_API_KEY_ID": "PKKILL", "APCA_API_SECRET_KEY": "kill-secret",
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        with (folder / "stderr.txt").open("a") as heard:
            self.zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.kill.zygote"], cwd=folder / "project", env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=heard,
            )  # fmt: skip

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "rebalancer" / "paper" / "journal.sqlite"

    def signals(self, scores: dict[str, float]) -> None:
        rows = [f"{symbol},{score},1.0,2026-11-20T15:00:00Z" for symbol, score in scores.items()]
        text = "\n".join(["symbol,score,confidence,issued_at", *rows, ""])
        (self.folder / "project" / "signals" / "signals.csv").write_text(text)

    def run(self, deadly: int = 0) -> Ended:
        """One real `rebalancer run-now`, killed at a boundary or not at all; then five minutes pass."""
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(f"{deadly}\n")
        self.zygote.stdin.flush()
        code, count = self.zygote.stdout.readline().split()
        self.exchange.clock.advance(300)
        return Ended(int(code), int(count))

    def close(self) -> None:
        assert self.zygote.stdin is not None
        self.zygote.stdin.close()
        self.zygote.wait(300)
        assert self.zygote.stdout is not None
        self.zygote.stdout.close()
        self.exchange.stop()


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine after its first run: three holdings."""
    folder = tmp_path_factory.mktemp("kill") / "settled"
    machine = Machine(folder)
    machine.signals(BASE)
    ended = machine.run()
    said = (folder / "stderr.txt").read_text()
    assert ended.code == 0, said
    machine.signals(NEXT)
    machine.close()
    return folder


@pytest.fixture
def machine(settled: Path, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "machine", settled)
    yield made
    made.close()


def finds_order(machine: Machine) -> None:
    """Two undisturbed runs bring everything to its end."""
    for _ in range(2):
        ended = machine.run()
        assert ended.code in (0, 4), (ended, (machine.folder / "stderr.txt").read_text()[-2000:])
    seen = checker.check(machine.exchange.url, machine.journal)
    assert {s for s, q in seen.positions.items() if q} == {"AAPL", "JNJ", "KO", "MSFT", "V", "XOM"}


def killed_at(settled: Path, folder: Path, deadly: tuple[int, ...]) -> bool:
    """Kill one run after the other; whether the first was killed at all."""
    machine = Machine(folder, settled)
    try:
        first, *others = [machine.run(number) for number in deadly]
        assert {first.code, *(ended.code for ended in others)} <= {KILLED, 0, 4}
        finds_order(machine)
    finally:
        machine.close()
        shutil.rmtree(folder, ignore_errors=True)
    return first.code == KILLED


def test_nobody_is_killed_without_reason(machine: Machine) -> None:
    ended = machine.run()
    assert ended.code == 0
    assert ended.boundaries > 50
    finds_order(machine)


@pytest.mark.parametrize("number", [14, 22, 31, 47])
def test_killed_once(settled: Path, tmp_path: Path, number: int) -> None:
    assert killed_at(settled, tmp_path / "m", (number,))


def test_killed_again_while_it_recovers(settled: Path, tmp_path: Path) -> None:
    assert killed_at(settled, tmp_path / "m", (26, 5, 9))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_killed_at_every_boundary(settled: Path, tmp_path: Path) -> None:
    number = 1
    while killed_at(settled, tmp_path / "m", (number,)):
        number += 1
    assert number > 50


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_killed_at_every_recovery_boundary(settled: Path, tmp_path: Path) -> None:
    """Dead in the middle of a phase, then at each boundary of the recovery, then once more."""
    for first in range(15, 60, 4):
        for second in range(1, 30, 2):
            assert killed_at(settled, tmp_path / "m", (first, second, second + 3))
