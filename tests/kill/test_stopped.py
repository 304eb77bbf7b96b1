"""Real runs by hand are stopped by SIGTERM and SIGINT at every boundary: nothing new leaves, everything is written
down, and the exits at the broker stand again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.outcomes import OrderState
from rebalancer.journal import Journal
from rebalancer.testing import laws
from tests.kill.machine import BASE, CONFIG, NEXT, ROOT, Machine, finds_order

ONE_AT_A_TIME = CONFIG.replace("broker:\n", "broker:\n  max_concurrent_calls: 1\n")
WITH_EXITS = ONE_AT_A_TIME + "protection:\n  mode: broker\n  stop_loss: 0.5\n  take_profit: 0.9\n"
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine after its first run: three holdings, each with its exits at the broker."""
    folder = tmp_path_factory.mktemp("stop") / "settled"
    machine = Machine(folder, config=WITH_EXITS)
    machine.signals(BASE)
    ended = machine.run()
    assert ended.code == 0, (folder / "stderr.txt").read_text()
    assert exits_stand(machine) == {"AAPL", "KO", "V"}
    machine.signals(NEXT)
    machine.close()
    return folder


def exits_stand(machine: Machine) -> set[str]:
    """What is held; every position of whole shares has exactly its size in exits."""
    seen = laws.evidence_of(machine.exchange.url, machine.journal)
    resting: dict[str, Decimal] = {}
    for order in seen.orders:
        if order["status"] in ("new", "accepted", "held", "partially_filled") and order["type"] == "limit":
            resting[order["symbol"]] = resting.get(order["symbol"], Decimal(0)) + Decimal(order["qty"])
    held = {symbol: qty for symbol, qty in seen.positions.items() if qty}
    assert resting == held
    return set(held)


def stopped_at(settled: Path, folder: Path, number: int, by: signal.Signals, times: int = 1) -> bool:
    """Stop one run at a boundary; whether it got that far."""
    machine = Machine(folder, settled)
    try:
        ended = machine.run(number, by, times)
        said = (folder / "stderr.txt").read_text()[-2000:]
        assert "Traceback" not in said
        if ended.boundaries < number:
            assert ended.code == 0, said
            return False
        assert ended.code == CODES[by] or (ended.code == 0 and all_was_over(machine)), (ended, said)
        assert ended.posts == ended.posted, "an order left after the signal"
        laws.check_laws(machine.exchange.url, machine.journal)  # every cycle has ended, every signal has its verdict
        exits_stand(machine)
        finds_order(machine)
        exits_stand(machine)
        return True
    finally:
        machine.close()
        shutil.rmtree(folder, ignore_errors=True)


def all_was_over(machine: Machine) -> bool:
    """Whether the last cycle had ended before the signal: it filled every order, and was not held back."""
    with Journal.open(machine.journal) as journal:
        last = journal.cycles(limit=1)[0]
        return {order.state for order in journal.orders_of(last.cycle_id)} == {OrderState.FILLED}


@pytest.mark.parametrize(("number", "by"), [(3, signal.SIGINT), (24, signal.SIGTERM), (50, signal.SIGTERM)])
def test_stopped_once(settled: Path, tmp_path: Path, number: int, by: signal.Signals) -> None:
    assert stopped_at(settled, tmp_path / "m", number, by)


def test_stopped_in_a_hurry(settled: Path, tmp_path: Path) -> None:
    assert stopped_at(settled, tmp_path / "m", 60, signal.SIGTERM, times=3)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", [1, 2])
def test_stopped_at_every_boundary(settled: Path, tmp_path: Path, times: int) -> None:
    number, signals = 1, list(CODES)
    while stopped_at(settled, tmp_path / "m", number, signals[number % 2], times):
        number += 1
    print(f"{number - 1} boundaries, each stopped by {times} signals")
    assert number > 100


LOADING = """
import os, signal, sys
sys.argv = ["rebalancer", "run-now", "--config", "none.yaml"]
from rebalancer.cli.main import main
class Count:
    number = 0
    def find_spec(self, *_):
        Count.number += 1
        if Count.number == int(os.environ["AT"]):
            os.kill(os.getpid(), int(os.environ["BY"]))
sys.meta_path.insert(0, Count())
main()
"""


@pytest.mark.parametrize("by", CODES)
@pytest.mark.parametrize("at", [2, 60, 150])
def test_stopped_while_it_loads(tmp_path: Path, at: int, by: signal.Signals) -> None:
    """From the program's first import on; nothing has been done then."""
    environ = os.environ | {
        "PYTHONPATH": str(ROOT),
        "AT": str(at),
        "BY": str(by.value),
        "XDG_STATE_HOME": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", LOADING], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300
    )
    assert (ended.returncode, ended.stdout) == (CODES[by], "")
    assert ended.stderr == f"ended by {by.name}; nothing was under way\n"
    assert list(tmp_path.iterdir()) == []
