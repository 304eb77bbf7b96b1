"""Totals by moment, whatever the order in which amounts are added."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from rebalancer.exchange.running_total import RunningTotal

ROWS = st.lists(st.tuples(st.integers(0, 20), st.decimals(-100, 100, places=9)), max_size=40)


@given(rows=ROWS, at=st.integers(-1, 21))
def test_the_total_is_the_sum_up_to_a_moment(rows: list[tuple[int, Decimal]], at: int) -> None:
    running = RunningTotal()
    for when, amount in rows:
        running.add(when, amount)
    known = [amount for when, amount in rows if when <= at]
    assert (running.total(at), running.count(at)) == (sum(known, Decimal(0)), len(known))
