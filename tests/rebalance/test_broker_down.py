"""The broker does not answer, at any one call or from one call on: never a wrong trade, and the next run is clean."""

from __future__ import annotations

from typing import Any

import pytest

from rebalancer.brokers.protocol import SendResult
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.testing import laws
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.faults import READS, unreadable
from tests.support.rig import Rig, rules


def clean_after(rig: Rig) -> None:
    """The next two runs bring the account to its targets, whatever happened."""
    rig.run(NEXT, rules())
    last = rig.run(NEXT, rules())
    assert (last.outcome, last.plan.frozen) == (CycleOutcome.HOLDING, {})
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert {s for s, q in seen.positions.items() if q} == {"AAPL", "JNJ", "KO", "MSFT", "V", "XOM"}


@pytest.mark.parametrize("number", range(1, 15))
def test_one_call_fails(settled: MakeRig, number: int) -> None:
    rig = settled()
    process = rig.process(rules=rules())
    process.broker.fail_at = number
    try:
        rig.cycle(process, NEXT, rules())
    except BrokerUnavailable:
        assert rig.posts == [], "a read before the plan"
        assert len(laws.evidence_of(rig.url, rig.journal_file).cycles) == 1, "and nothing was started"
    assert len(process.broker.calls) >= number, "the fault was not reached"
    rig.exchange.clock.advance(300)
    laws.check_laws(rig.url, rig.journal_file, books_match=False)
    clean_after(rig)


@pytest.mark.parametrize("number", [1, 3, 5, 6, 7, 8, 9, 11, 13, 15])
def test_everything_fails_from_one_call_on(settled: MakeRig, number: int) -> None:
    rig = settled()

    def dead_from_here(name: str) -> Any:
        def call(real: Any, *args: Any) -> Any:
            counted.append(name)
            if len(counted) < number:
                return real(*args)
            if name == "submit":
                real(*args)  # it may well have arrived
                return SendResult("unknown", None, "timeout", "no answer")
            return unreadable()

        return call

    counted: list[str] = []
    faults = {name: dead_from_here(name) for name in (*READS, "submit", "cancel")}
    try:
        rig.run(NEXT, rules(), faults=faults)
    except BrokerUnavailable:
        assert rig.posts == []
    clean_after(rig)


@pytest.mark.parametrize("name", ["account", "positions", "orders", "quotes"])
def test_a_failed_read_is_never_a_flat_account(settled: MakeRig, name: str) -> None:
    rig = settled()
    with pytest.raises(BrokerUnavailable):
        rig.run(NEXT, rules(), faults={name: unreadable})
    assert rig.posts == []
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert len(seen.cycles) == 1, "the settled one"


def test_the_first_look_at_the_market_fails(make_rig: MakeRig) -> None:
    """Without a day sheet nothing can be planned; the next run reads it."""
    rig = make_rig()
    for name in ("clock", "instruments", "daily_closes"):
        with pytest.raises(BrokerUnavailable):
            rig.run(NEXT, rules(), faults={name: unreadable})
    assert rig.posts == []
    assert rig.run(NEXT, rules()).outcome is CycleOutcome.COMPLETED
