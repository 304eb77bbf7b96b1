"""The process dies before any one of its calls to the outside; whoever comes after it finds order.

A cycle with two reductions and three increases is ended before its N-th call, for every N. Then the program is started
again, twice. In-process a crash is an exception that nothing catches; some crashes are real SIGKILLs of a real process.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from rebalancer.core.outcomes import CycleOutcome
from rebalancer.testing import ExchangeClock, laws
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.faults import Crash
from tests.support.rig import Rig, rules

CYCLE = "2026-11-20T15:15Z"


def crashes_at(rig: Rig, number: int) -> bool:
    """Run the cycle and end its process before call `number`; False when it has fewer calls."""
    try:
        rig.run(NEXT, rules(), cycle_id=CYCLE, trip_at=number)
    except Crash:
        return True
    return False


def settles(rig: Rig) -> None:
    """Two further starts bring everything to its end, and nothing is sent twice or left in doubt."""
    first = rig.run(NEXT, rules())
    assert {f.kind for f in first.findings} <= {"late_fill"}, "every position is explained at once"
    laws.check_laws(rig.url, rig.journal_file, books_match=not first.plan.frozen)
    second = rig.run(NEXT, rules())
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert second.plan.frozen == {}
    assert second.outcome in (CycleOutcome.HOLDING, CycleOutcome.COMPLETED)
    assert all(written for _, written in rig.posts)
    dead = next((c for c in seen.cycles.values() if c.id == CYCLE), None)
    if dead is not None:
        assert dead.end is not None
        assert dead.end["outcome"] in ("ABANDONED", "COMPLETED")
    assert set(held_symbols(seen)) == {"AAPL", "JNJ", "KO", "MSFT", "V", "XOM"}, "the targets are reached all the same"


def held_symbols(seen: laws.Evidence) -> list[str]:
    return [symbol for symbol, qty in seen.positions.items() if qty]


def sweep(settled: MakeRig, numbers: range, **options: object) -> int:
    """Crash before every call of the range until a run is clean; the number of crashes."""
    for number in numbers:
        rig = settled(**options)
        if not crashes_at(rig, number):
            laws.check_laws(rig.url, rig.journal_file)
            rig.close()
            return number - 1
        settles(rig)
        rig.close()
    return len(numbers)


def test_every_boundary(settled: MakeRig) -> None:
    count = sweep(settled, range(1, 100))
    assert 25 <= count < 60, f"{count} boundaries: the sweep no longer covers the cycle"


SLOW = {"fill_latency_seconds": 0.5, "partial_fill_probability": 0.5}


def test_every_seventh_boundary_with_orders_that_fill_slowly(settled: MakeRig) -> None:
    assert sweep(settled, range(9, 100, 7), **SLOW) >= 25, "it ended before the cycle could be cut"


def test_some_crashes_during_recovery(settled: MakeRig) -> None:
    assert nested(settled, (16,), (2, 3, 5, 7, 8, 9, 12)) == 7


@pytest.mark.campaign
def test_every_boundary_with_orders_that_fill_slowly(settled: MakeRig) -> None:
    assert sweep(settled, range(1, 200), **SLOW) >= 25, "it ended before the cycle could be cut"


@pytest.mark.campaign
def test_many_crashes_during_recovery(settled: MakeRig) -> None:
    assert nested(settled, range(9, 31, 2), range(1, 31, 2)) > 100


def nested(settled: MakeRig, firsts: Iterable[int], seconds: Iterable[int]) -> int:
    """Dead in the middle of a phase, then dead again during the recovery, then healthy; how many died twice."""
    died_twice = 0
    for first, second in itertools.product(firsts, seconds):
        rig = settled(fill_latency_seconds=5.0)
        assert crashes_at(rig, first)
        try:
            rig.run(NEXT, rules(), trip_at=second)
        except Crash:
            died_twice += 1
        settles(rig)
        rig.close()
    return died_twice


def test_a_crash_leaves_orders_working_that_the_next_start_cancels(
    settled: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Crash("killed while it waits")

    rig = settled(fill_latency_seconds=15.0)
    slow = rules(execution__phase_timeout_seconds=3000)
    process = rig.process(rules=slow)
    monkeypatch.setattr(ExchangeClock, "wait", killed)
    with pytest.raises(Crash):
        rig.cycle(process, NEXT, slow, cycle_id=CYCLE)
    monkeypatch.undo()
    client = rig.client()
    assert {o.symbol for o in client.orders(None)} == {"AAPL", "KO"}
    client.close()
    rig.run({}, rules(), later_seconds=0)
    seen = laws.check_laws(rig.url, rig.journal_file)
    dead = next(c for c in seen.cycles.values() if c.id == CYCLE)
    assert dead.end is not None
    assert dead.end["outcome"] == "ABANDONED"
    assert [i.state for i in seen.intents.values() if i.cycle == CYCLE] == ["CANCELED", "CANCELED"]
    assert dead.verdicts is not None
    outcomes = {v["symbol"]: v["outcome"] for v in dead.verdicts}
    assert outcomes == {"AAPL": "UNFILLED", "KO": "UNFILLED", "V": "HELD_WITHIN_BAND"} | dict.fromkeys(
        ("JNJ", "MSFT", "XOM"), "NOT_SENT"
    )


PROGRAM = """
import os, signal, sys
from pathlib import Path
from tests.support.faults import *
from tests.support.rig import *
import tests.support.rig as rig_module
url, folder, at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

class Remote:
    '''Only what a process needs of an exchange in another one.'''
    def __init__(self):
        self.url, self.clock, self.request_log = url, type("C", (), {"advance": lambda self, s: None})(), []
    def stop(self): ...

rig_module.start_exchange = lambda options: Remote()
rig = Rig(folder)
process = rig.process(trip_at=at, rules=rules())
process.trip.hit = (lambda real: lambda name: kill_or(real, name))(process.trip.hit)
def kill_or(real, name):
    try: real(name)
    except Crash: os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
rig.cycle(process, {signals!r}, rules(), cycle_id="{cycle}")
print("done", flush=True)
"""


@pytest.mark.parametrize("number", [11, 21])
def test_sigkill(settled: MakeRig, number: int) -> None:
    rig = settled()
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{signals!r}", repr(NEXT)).replace("{cycle}", CYCLE), rig.url,
         str(rig.folder), str(number)],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert ended.stdout == "ready\n"
    settles(rig)
