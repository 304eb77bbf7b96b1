"""A person accepts the broker's positions: once, whatever is written before the next cycle, and for nothing later."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rebalancer.accounting.acceptance import accept_books
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.journal import Journal
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.rebalance.flatten import flatten
from rebalancer.rebalance.immediate_exits import ExitRequest, exit_positions
from rebalancer.testing import laws
from tests.rebalance.conftest import BASE, MakeRig
from tests.rebalance.test_books import RESET
from tests.support.faults import Crash
from tests.support.rig import Rig, by_hand, held, rules

STRICT = rules(risk_management__max_frozen_exposure=0.0)


def gone(symbol: str) -> dict[str, Any]:
    """The broker's positions without this one: nothing explains that, and what is frozen exceeds the limit."""
    return {"positions": lambda real: tuple(p for p in real() if p.symbol != symbol)}


def halt(rig: Rig) -> CycleResult:
    result = rig.run(BASE, STRICT, faults=gone("AAPL"))
    assert result.outcome is CycleOutcome.HALTED_UNRECONCILED
    return result


def resume(rig: Rig) -> bool:
    rig.end()
    with Journal.open(rig.journal_file) as journal:
        return accept_books(journal, rig.account_id, rig.exchange.clock.now(), "seen")


def leave(rig: Rig, faults: dict[str, Any], symbol: str = "KO", trip_at: int | None = None) -> None:
    """An exit outside the cycle, as the monitor makes it."""
    process = rig.process(rules=STRICT, trip_at=trip_at)
    process.broker.script.update(faults)
    (left,) = exit_positions(process.world, STRICT, [ExitRequest(symbol, "stop", "a test")], "exit")
    assert left.problem == ""


def next_run(rig: Rig, faults: dict[str, Any]) -> tuple[CycleOutcome, list[str]]:
    result = rig.run({"V": 1.0}, STRICT, faults=faults)
    return result.outcome, sorted(f.kind for f in result.findings)


FINE = (CycleOutcome.COMPLETED, CycleOutcome.HOLDING)


@pytest.mark.parametrize("first", ["exit", "resume"])
def test_an_exit_undoes_no_acceptance(settled: MakeRig, first: str) -> None:
    """AAPL stays away for good. One resume is enough, before the exit or after it."""
    rig, without = settled(), gone("AAPL")
    halt(rig)
    if first == "resume":
        assert resume(rig)
        leave(rig, without)
    else:
        leave(rig, without)
        assert resume(rig)
    outcome, _ = next_run(rig, without)
    assert outcome in FINE
    assert next_run(rig, without) == (CycleOutcome.HOLDING, [])
    assert not resume(rig), "there is nothing to accept any more"


def test_a_flatten_undoes_no_acceptance(settled: MakeRig) -> None:
    rig, without = settled(), gone("AAPL")
    halt(rig)
    assert resume(rig)
    process = rig.process(rules=STRICT)
    process.broker.script.update(without)
    done = flatten(process.world, process.broker, STRICT, prefix="kill", because="a test")  # type: ignore[arg-type]
    assert [symbol for symbol, _ in done.closed] == ["KO", "V"]
    outcome, kinds = next_run(rig, without)
    assert (outcome in FINE, kinds) == (True, [])


def test_a_cycle_that_the_kill_switch_stops_hides_no_halt_for_the_books(settled: MakeRig) -> None:
    """A reset account, then a kill: one resume lifts the switch and accepts the positions."""
    rig = settled()
    assert rig.run(BASE, rules(), faults=RESET).outcome is CycleOutcome.HALTED_UNRECONCILED
    process = rig.process()
    KillSwitch(rig.folder, process.journal).engage(rig.account_id, rig.exchange.clock.now(), "a test")
    assert rig.run(BASE, rules(), faults=RESET).outcome is CycleOutcome.HALTED_KILL_SWITCH
    assert resume(rig)
    process = rig.process()
    KillSwitch(rig.folder, process.journal).lift(rig.account_id, rig.exchange.clock.now(), "a test")
    assert rig.run({"AAPL": 0.0}, rules(), faults=RESET).outcome is CycleOutcome.HOLDING


def test_what_differs_after_the_exit_is_noticed(settled: MakeRig) -> None:
    """The exit has taken the accepted positions: what is missing later is news, and needs another word."""
    rig = settled()
    halt(rig)
    assert resume(rig)
    leave(rig, gone("AAPL"))
    both = {"positions": lambda real: tuple(p for p in real() if p.symbol not in ("AAPL", "V"))}
    assert next_run(rig, both) == (CycleOutcome.HALTED_UNRECONCILED, ["unexplained"])
    assert resume(rig)
    assert next_run(rig, both)[0] in FINE


@pytest.mark.parametrize("trip_at", range(1, 26, 2))
def test_killed_in_the_exit_or_cycle_after_the_acceptance(settled: MakeRig, trip_at: int) -> None:
    rig, without = settled(), gone("AAPL")
    halt(rig)
    assert resume(rig)
    with suppress(Crash):
        leave(rig, without, trip_at=trip_at)
    rig.exchange.clock.advance(300)
    with suppress(Crash):
        rig.run({"V": 0.5}, STRICT, faults=without, trip_at=trip_at)
    outcome, kinds = next_run(rig, without)
    assert (outcome in FINE, "unexplained" in kinds) == (True, False)
    assert next_run(rig, without)[0] in FINE
    assert next_run(rig, {**without, **gone("V")})[0] is CycleOutcome.HALTED_UNRECONCILED, "a later loss is noticed"


@pytest.mark.parametrize("trip_at", range(1, 20))
def test_a_first_cycle_that_dies_counts_older_fills_once(make_rig: MakeRig, trip_at: int) -> None:
    """The account has traded before; the first cycle is killed before each of its calls in turn."""
    rig = make_rig()
    by_hand(rig, "AAPL", "7", "early")
    by_hand(rig, "KO", "30", "early-2")
    rig.exchange.clock.advance(timedelta(hours=1).total_seconds())
    with suppress(Crash):
        rig.run({"MSFT": 1.0}, rules(), trip_at=trip_at)
    result = rig.run({"MSFT": 1.0}, rules())
    assert {f.kind for f in result.findings} <= {"adopted", "late_fill"}
    assert "FROZEN_UNRECONCILED" not in {v.outcome for v in (*result.verdicts, *result.unsignalled)}
    again = rig.run({"MSFT": 1.0}, rules())
    assert (again.outcome, again.findings) == (CycleOutcome.HOLDING, ())
    assert {s: q for s, q in held(rig).items() if s != "MSFT"} == {"AAPL": Decimal(7), "KO": Decimal(30)}
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize("shows", [False, True])
def test_a_dry_run_after_a_first_cycle_that_died_changes_nothing(make_rig: MakeRig, *, shows: bool) -> None:
    """The first cycle takes KO as it is and dies. That KO has vanished since is noticed, whoever looked in between."""
    rig = make_rig()
    by_hand(rig, "KO", "30", "early")
    with suppress(Crash):
        rig.run({"MSFT": 1.0}, rules(), trip_at=22)
    if shows:
        rig.run({"MSFT": 1.0}, rules(), dry_run=True)
    result = rig.run({"MSFT": 1.0}, rules(), faults=gone("KO"))
    assert [(f.kind, f.symbol, f.qty) for f in result.findings] == [("unexplained", "KO", Decimal(-30))]


def test_an_exit_before_the_first_cycle_leaves_the_other_positions_in_the_books(make_rig: MakeRig) -> None:
    rig = make_rig()
    by_hand(rig, "AAPL", "7", "early")
    by_hand(rig, "KO", "30", "early-2")
    leave(rig, {})
    result = rig.run({}, rules())
    assert (result.outcome, result.findings) == (CycleOutcome.HOLDING, ())
    assert held(rig) == {"AAPL": Decimal(7)}


STEPS = ("cycle", "resume", "exit KO", "exit V", "flatten", "AAPL vanishes", "V vanishes")


class Model:
    """What a person may rely on, without any journal. `news` are the names that vanished since the books were last
    set, `read` those that a cycle has reported already: they are adopted when they read the same again."""

    def __init__(self) -> None:
        self.held, self.hidden = set(BASE), set[str]()
        self.news, self.read = set[str](), set[str]()
        self.halted = self.accepted = False

    def cycle(self) -> set[str]:
        """The names that the cycle reports; any of them halts it."""
        told = set() if self.accepted else self.news - self.read
        self.news, self.read = set(told), set(told)
        self.halted, self.accepted = bool(told), False
        return told

    def exit(self) -> None:
        """An exit that trades takes accepted positions as they are, and leaves the books alone otherwise."""
        if self.accepted:
            self.news, self.read, self.halted, self.accepted = set(), set(), False, False


def kept_as_they_are(rig: Rig) -> list[Signal]:
    now = rig.exchange.clock.now() - timedelta(seconds=1)
    return [Signal(f"hold-{s}-{now}", s, 0.0, 1.0, "external", now, hold=True) for s in sorted(BASE)]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(["AAPL vanishes", "cycle", "resume", "exit KO", "V vanishes", "cycle", "resume", "cycle"])
@example(["AAPL vanishes", "cycle", "exit KO", "resume", "flatten", "cycle"])
@given(st.lists(st.sampled_from(STEPS), min_size=3, max_size=9))
def test_one_acceptance_counts_once_in_any_order(settled: MakeRig, steps: list[str]) -> None:
    """Accepted positions never come back as expectations, and nothing that happens later is accepted with them."""
    with settled() as rig:
        model = Model()
        for number, step in enumerate(steps):
            here = f"step {number} of {steps}"
            faults = {"positions": lambda real: tuple(p for p in real() if p.symbol not in model.hidden)}
            word, _, symbol = step.partition(" ")
            visible = model.held - model.hidden
            if word == "cycle":
                told = model.cycle()
                result = rig.run(kept_as_they_are(rig), STRICT, faults=faults)
                assert {f.symbol for f in result.findings if f.kind == "unexplained"} == told, here
                assert (result.outcome is CycleOutcome.HALTED_UNRECONCILED) == bool(told), here
            elif word == "resume":
                assert resume(rig) == model.halted, here
                model.accepted = model.halted
            elif word == "exit" and symbol in visible:
                leave(rig, faults, symbol)
                model.held.discard(symbol)
                model.exit()
            elif word == "flatten" and visible:
                process = rig.process(rules=STRICT)
                process.broker.script.update(faults)
                flatten(process.world, process.broker, STRICT, prefix="kill", because="a test")  # type: ignore[arg-type]
                model.held -= visible
                model.exit()
            elif symbol == "vanishes" and word in visible:
                model.hidden.add(word)
                model.news.add(word)
