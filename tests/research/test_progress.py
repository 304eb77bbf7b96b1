"""A run tells how far it is, also inside the compiled loop; its result is the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.research.audit import audited_bars, simulate
from rebalancer.research.simulate import simulated
from tests.research.drawn_setups import drawn
from tests.research.test_engine import flat


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.booleans())
def test_law_where_the_loop_stops_changes_no_bit(seed: int, bars: int, interpreted: bool) -> None:
    whole = simulated(drawn(seed), interpreted=interpreted, bars_at_once=10**6)
    parts = simulated(drawn(seed), interpreted=interpreted, bars_at_once=bars)
    assert flat(whole.history) == flat(parts.history)
    numbers = range(len(whole.setup.market.times))
    assert [whole.account(bar) for bar in numbers] == [parts.account(bar) for bar in numbers]
    one, other = whole.given.tape, parts.given.tape
    assert (one.code.tolist(), one.denied.tolist()) == (other.code.tolist(), other.denied.tolist())


def test_the_loop_and_the_audit_tell_every_step() -> None:
    setup = drawn(11)
    bars, heard = len(setup.market.times), []
    simulated(setup, lambda *said: heard.append(said), bars_at_once=7)
    assert heard == [("simulating", min(done + 7, bars), bars) for done in range(0, bars, 7)]
    heard.clear()
    run = simulate(setup, lambda *said: heard.append(said))
    count = len(audited_bars(run))
    assert [said for said in heard if said[0] == "auditing"] == [("auditing", i + 1, count) for i in range(count)]
    assert [said for said in heard if said[0] == "simulating"][-1] == ("simulating", bars, bars)
