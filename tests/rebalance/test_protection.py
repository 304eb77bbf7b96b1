"""Resting exits and rebalances on one account: exchanged around trades, explained when they fill, never in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.rules import Rules
from rebalancer.exchange.admin.actions import halt
from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.testing import laws
from tests.support.rig import Rig, held, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")
D = Decimal
CLOSE = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as rig:
        yield rig


def guarded(**changes: Any) -> Rules:
    """Rules with exits at the broker, far away unless given."""
    far: dict[str, Any] = {"protection__mode": "broker", "protection__stop_loss": 0.2, "protection__take_profit": 0.3}
    return rules(**(far | changes))


def cycle(
    rig: Rig,
    signals: Mapping[str, float] | Sequence[Signal],
    rules: Rules,
    faults: Mapping[str, Any] | None = None,
    later_seconds: float = 300,
) -> CycleResult:
    """One life with one cycle in it, its exits kept at the broker."""
    process = rig.process(rules=rules)
    process.broker.script.update(faults or {})
    kill = KillSwitch(rig.folder, process.journal)
    broker: Any = process.world.broker
    keeper = ExitOrderManager(rig.account_id, broker, process.journal, kill, process.clock, rules)
    found = rig.cycle(process._replace(world=process.world._replace(protection=keeper)), signals, rules)
    rig.exchange.clock.advance(later_seconds)
    return found


def resting(rig: Rig) -> list[tuple[str, str, Decimal | None]]:
    client = rig.client()
    found = sorted((o.symbol, o.type, o.qty) for o in client.orders(None))
    client.close()
    return found


def pair(symbol: str, qty: Decimal) -> list[tuple[str, str, Decimal | None]]:
    return [(symbol, "limit", qty), (symbol, "stop", qty)]


def test_a_stop_with_a_limit_rests_and_is_exchanged_when_the_rules_change(rig: Rig) -> None:
    limited = guarded(protection__stop_type="stop_limit", protection__stop_limit_offset_bps=100)
    cycle(rig, {"KO": 1.0}, limited)
    qty = held(rig)["KO"]
    assert resting(rig) == [("KO", "limit", qty), ("KO", "stop_limit", qty)]
    kept = rig.process(rules=limited).world.journal.newest_of_each("protection", rig.account_id)[0].body
    assert D(kept["stop_limit"]) == (D(kept["stop"]) * D("0.99")).quantize(D("0.01"), "ROUND_FLOOR")
    client = rig.client()
    assert [o.limit_price for o in client.orders(None) if o.type == "stop_limit"] == [D(kept["stop_limit"])]
    client.close()
    cycle(rig, {}, guarded())
    assert resting(rig) == pair("KO", qty)
    laws.check_laws(rig.url, rig.journal_file)


def test_a_bought_position_is_protected_when_its_cycle_ends(rig: Rig) -> None:
    done = cycle(rig, {"KO": 1.0, "JPM": 0.5}, guarded())
    assert done.outcome is CycleOutcome.COMPLETED
    now = held(rig)
    assert set(now) == {"KO", "JPM"}
    assert resting(rig) == [*pair("JPM", now["JPM"]), *pair("KO", now["KO"])]
    laws.check_laws(rig.url, rig.journal_file)


def test_exits_at_rest_change_nothing_for_a_cycle_that_holds(rig: Rig) -> None:
    cycle(rig, {"KO": 1.0}, guarded())
    before = resting(rig)
    done = cycle(rig, {"KO": 1.0}, guarded())
    assert (done.outcome, done.orders, done.findings) == (CycleOutcome.HOLDING, (), ())
    assert resting(rig) == before


@pytest.mark.parametrize(("longest", "told"), [(0.001, ["warning"] * 3), (3600, [])])
def test_the_time_without_exits_is_measured_and_told_when_too_long(rig: Rig, longest: float, told: list[str]) -> None:
    limit = guarded(position_sizing__base_position_size=0.04, protection__max_unprotected_seconds=longest)
    cycle(rig, {"KO": 0.8, "JPM": 0.5}, limit)
    cycle(rig, {"KO": 0.4, "JPM": 0.5}, limit)
    journal = rig.process().journal
    gaps = journal.events(kind="protection_gap")
    assert [(gap.key, gap.body["is_up"]) for gap in gaps] == [("JPM", True), ("KO", True), ("KO", True)], "bought, sold"
    assert all(0 < gap.body["seconds"] < 3600 for gap in gaps)
    alerts = [e.body["level"] for e in journal.events(kind="alert") if e.body["code"] == "unprotected"]
    assert alerts == told


def test_exits_that_cannot_be_put_up_again_are_told(rig: Rig) -> None:
    limit = guarded(position_sizing__base_position_size=0.04)
    cycle(rig, {"KO": 0.8}, limit)
    sold: list[bool] = []

    def silent(real: Any, *args: Any) -> Any:
        if sold:
            raise BrokerUnavailable("no answer")
        return real(*args)

    def sells(real: Any, *args: Any) -> Any:
        sold.append(True)
        return real(*args)

    cycle(rig, {"KO": 0.4}, limit, faults={"account": silent, "submit": sells})
    journal = rig.process().journal
    gaps = journal.events(kind="protection_gap")
    assert [(gap.key, gap.body["is_up"]) for gap in gaps] == [("KO", True), ("KO", False)]
    assert [e.body["level"] for e in journal.events(kind="alert") if e.body["code"] == "unprotected"] == ["action"]


@pytest.mark.parametrize(("score", "grows"), [(0.5, False), (1.0, True)])
def test_a_trade_exchanges_the_exits_of_its_symbol_only(rig: Rig, score: float, grows: bool) -> None:
    first = guarded(position_sizing__base_position_size=0.04)
    cycle(rig, {"KO": 0.8, "JPM": 0.5}, first)
    before, jpm = held(rig), [o for o in resting(rig) if o[0] == "JPM"]
    done = cycle(rig, {"KO": score, "JPM": 0.5}, first)
    assert [(o.symbol, done.ends[o.client_order_id].state) for o in done.orders] == [("KO", OrderState.FILLED)]
    now = held(rig)
    assert (now["KO"] > before["KO"]) == grows
    assert resting(rig) == [*jpm, *pair("KO", now["KO"])]
    laws.check_laws(rig.url, rig.journal_file)


def test_a_closed_position_leaves_no_orphan(rig: Rig) -> None:
    cycle(rig, {"KO": 1.0}, guarded())
    cycle(rig, {"KO": 0.0}, guarded())
    assert (held(rig), resting(rig)) == ({}, [])


def test_an_exit_that_filled_between_cycles_is_ours_and_the_old_signal_does_not_reenter(rig: Rig) -> None:
    close = guarded(protection__take_profit=0.0005, protection__stop_loss=0.0005, protection__cool_off="none")
    cycle(rig, {"KO": 1.0}, close, later_seconds=0)
    process = rig.process(rules=close)
    old = (Signal("old", "KO", 1.0, 1.0, "external", process.world.broker.now()),)
    for _ in range(60):
        rig.exchange.clock.advance(60)
        if not held(rig):
            break
    assert held(rig) == {}
    done = cycle(rig, old, close)
    assert [(f.symbol, f.kind) for f in done.findings] == [("KO", "late_fill")]
    assert [(v.symbol, v.outcome) for v in done.verdicts] == [("KO", Outcome.DENIED_STOPPED_OUT)]
    again = cycle(rig, {"KO": 1.0}, close, later_seconds=0)
    assert [(o.symbol, o.side) for o in again.orders] == [("KO", "buy")]


@pytest.mark.parametrize(
    ("kind", "far", "outcome"),
    [("stop", "protection__take_profit", Outcome.DENIED_COOL_OFF), ("target", "protection__stop_loss", Outcome.FILLED)],
)
def test_after_a_stop_a_newer_signal_waits_and_after_a_target_it_does_not(
    rig: Rig, kind: str, far: str, outcome: Outcome
) -> None:
    near = {"protection__take_profit": 0.0005, "protection__stop_loss": 0.0005} | {far: 0.9}
    close = guarded(**near)
    cycle(rig, {"KO": 1.0}, close, later_seconds=0)
    for _ in range(300):
        rig.exchange.clock.advance(60)
        if not held(rig):
            break
    cycle(rig, {}, close)  # books the exit
    exits = [e.body["kind"] for e in rig.process(rules=close).world.journal.recall(rig.account_id, "protective_exit")]
    assert exits == [kind]
    again = cycle(rig, {"KO": 1.0}, close, later_seconds=0)
    assert [(v.symbol, v.outcome) for v in again.verdicts] == [("KO", outcome)]


def test_a_symbol_whose_exits_cannot_be_cancelled_does_not_trade_and_says_why(rig: Rig) -> None:
    cycle(rig, {"KO": 1.0, "JPM": 1.0}, guarded())
    before = held(rig)

    def deaf(*_: object) -> None:
        raise BrokerUnavailable("no answer: scripted")

    done = cycle(rig, {"KO": 0.0, "JPM": 1.0}, guarded(), faults={"cancel": deaf})
    (verdict,) = (v for v in done.verdicts if v.symbol == "KO")
    assert verdict.outcome is Outcome.NOT_SENT
    assert str(verdict.because).endswith("its exits at the broker could not be cancelled: no answer: scripted")
    assert held(rig) == before
    cycle(rig, {"KO": 0.0, "JPM": 1.0}, guarded())
    assert set(held(rig)) == {"JPM"}
    laws.check_laws(rig.url, rig.journal_file)


def test_the_stop_that_a_signal_names_is_the_one_at_the_broker(rig: Rig) -> None:
    process = rig.process()
    now, price = process.world.broker.now(), process.world.broker.quotes(["KO"])[0].bid
    assert price is not None
    stop, target = (price * D("0.9")).quantize(D("0.01")), (price * D("1.2")).quantize(D("0.01"))
    cycle(rig, (Signal("named", "KO", 1.0, 1.0, "external", now, stop, target),), guarded())
    client = rig.client()
    kinds = {o.type: o for o in client.orders(None)}
    assert kinds["limit"].limit_price == target
    client.close()
    (noted,) = rig.process().journal.events(kind="opinion")
    assert (noted.key, noted.body["signal"], D(noted.body["stop"]), D(noted.body["target"])) == (
        "KO", "named", stop, target,
    )  # fmt: skip


def test_a_cycle_that_ends_after_the_close_closes_without_reference_data(rig: Rig) -> None:
    """The day's reference data has run out with the session, and the broker does not give the next day's: the cycle has
    its end, and its exits are placed with what it knew."""
    cycle(rig, {"KO": 1.0, "AAPL": 1.0}, guarded())
    rig.exchange.clock.advance((CLOSE - timedelta(seconds=65) - rig.exchange.clock.now()).total_seconds())
    halt(rig.exchange.exchange, {"symbol": "KO"})

    def silent(real: Any, *args: Any) -> Any:
        if rig.exchange.clock.now() >= CLOSE:
            raise BrokerUnavailable("no answer: scripted")
        return real(*args)

    slow = guarded(execution__phase_timeout_seconds=70)
    found = cycle(rig, {"KO": 0.0, "AAPL": 1.0}, slow, {"instruments": silent})
    assert [(o.symbol, found.ends[o.client_order_id].state) for o in found.orders] == [("KO", OrderState.EXPIRED)]
    assert found.outcome is CycleOutcome.COMPLETED
    now = held(rig)
    assert resting(rig) == [*pair("AAPL", now["AAPL"]), *pair("KO", now["KO"])]
    laws.check_laws(rig.url, rig.journal_file)


def gone_for(reads: int) -> Any:
    """The broker answers these many times that nothing is held."""
    left = [reads]

    def positions(real: Any) -> Any:
        left[0] -= 1
        return () if left[0] >= 0 else real()

    return positions


@pytest.mark.parametrize("reads", [2, 9])
def test_a_reading_in_doubt_takes_no_exits_down(rig: Rig, reads: int) -> None:
    wide = guarded(position_sizing__base_position_size=0.1)
    opinions = dict.fromkeys(("AAPL", "JPM", "KO", "V"), 1.0)
    cycle(rig, opinions, wide)
    before = resting(rig)
    done = cycle(rig, opinions, wide, {"positions": gone_for(reads)})
    assert (done.outcome, done.orders) == (CycleOutcome.HALTED_UNRECONCILED, ())
    assert done.snapshot.doubt
    assert resting(rig) == before


def test_a_position_missing_from_one_reading_keeps_its_exits(rig: Rig) -> None:
    cycle(rig, {"KO": 1.0}, guarded())
    before = resting(rig)
    done = cycle(rig, {"KO": 1.0}, guarded(), {"positions": gone_for(1)})
    assert (done.outcome, [f.kind for f in done.findings]) == (CycleOutcome.HOLDING, ["unexplained"])
    assert [(p.symbol, p.qty) for p in done.positions_after] == [("KO", before[0][2])]
    assert resting(rig) == before
