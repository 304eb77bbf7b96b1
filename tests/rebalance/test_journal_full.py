"""The journal takes no more, from any one of its writes after the first order has left: nothing leaves any more but
cancels, the error comes out, and the next run finds order.

The disk stays full until the process has ended. The orders fill slowly, so that what is not cancelled still works.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rebalancer.core.errors import BrokerUnavailable, JournalBroken
from rebalancer.core.outcomes import OrderState
from rebalancer.journal.store import Writing
from rebalancer.ops.clock import Together
from tests.rebalance.conftest import NEXT, MakeRig
from tests.rebalance.test_crash_sweep import settles
from tests.support.faults import Fault, lost_after
from tests.support.rig import Process, Rig, rules

SLOW = {"fill_latency_seconds": 5.0}
FULL = "journal.sqlite: the disk is full"


class FullDisk:
    """Lets writes of one journal through until `last` of them have been made after the first post; none after that."""

    def __init__(self, rig: Rig, process: Process, last: int) -> None:
        self._rig, self._left, self.is_full = rig, last, False
        self._before, self.working = len(rig.posts), set[str]()
        self._real = process.journal._store.writing
        process.journal._store.writing = self._writing  # type: ignore[method-assign]

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        if len(self._rig.posts) > self._before:
            if not self.is_full and self._left == 0:
                self.is_full = True
                self.working = at_work(self._rig)
                self._rig.requests()  # what is asked from now on
            self._left -= 1
        if self.is_full:
            raise JournalBroken(FULL)
        with self._real() as writing:
            yield writing


def at_work(rig: Rig) -> set[str]:
    """The broker's ids of what works there."""
    client = rig.client()
    found = {order.id for order in client.orders(None)}
    client.close()
    return found


def breaks_off(rig: Rig, last: int, faults: dict[str, Fault] | None = None) -> int | None:
    """Run a cycle on a disk that is full after `last` writes: from then on nothing is sent but a cancel for each order
    that works. Returns how many did; None for a cycle that has no more writes than that."""
    process = rig.process(rules=rules())
    process.broker.script.update(faults or {})
    disk = FullDisk(rig, process, last)
    said = ""
    try:
        rig.cycle(process, NEXT, rules())
    except JournalBroken as error:
        said = str(error)
    assert said == (FULL if disk.is_full else "")
    if not disk.is_full:
        return None
    asked = rig.requests()
    assert {method for method, _ in asked} <= {"GET", "DELETE"}, asked
    assert {path for method, path in asked if method == "DELETE"} >= {f"/v2/orders/{name}" for name in disk.working}
    return len(disk.working)


def mended(rig: Rig) -> None:
    """The disk has room again, five minutes later."""
    rig.end()
    rig.exchange.clock.advance(300)
    settles(rig)


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.campaign)], ids=["some mended", "all mended"])
def test_full_at_every_write(settled: MakeRig, step: int) -> None:
    """step: of so many, one is followed by the two runs that bring everything to its end."""
    called_off = []
    for last in range(100):
        rig = settled(**SLOW)
        count = breaks_off(rig, last)
        if count is None:
            break
        called_off.append(count)
        if last % step == 0:
            mended(rig)
        rig.close()
    assert 9 <= len(called_off) < 40, f"{called_off}: the sweep no longer covers the cycle"
    assert {0, 1, 2, 3} <= set(called_off), called_off


@pytest.mark.parametrize("last", [1, 6, 7])
def test_full_while_many_are_posted_at_once(settled: MakeRig, last: int) -> None:
    together = Together(4)
    rig = settled(together=together, **SLOW)
    assert breaks_off(rig, last) is not None
    mended(rig)
    together.close()


def test_an_order_without_an_answer_is_looked_up_and_called_off(settled: MakeRig) -> None:
    rig = settled(**SLOW)
    assert breaks_off(rig, 0, {"submit": lost_after}) == 1
    mended(rig)


def silent(*_: Any) -> Any:
    raise BrokerUnavailable("no answer: scripted")


def test_a_broker_that_takes_no_cancel_does_not_hide_the_error_and_the_order_stays_open_to_question(
    settled: MakeRig,
) -> None:
    rig = settled(**SLOW)
    process = rig.process(rules=rules())
    process.broker.script["cancel"] = silent
    FullDisk(rig, process, 1)
    with pytest.raises(JournalBroken, match=FULL):
        rig.cycle(process, NEXT, rules())
    assert {method for method, _ in rig.requests()} <= {"GET"}
    assert len(at_work(rig)) == 2
    states = {order.symbol: order.state for order in process.journal.unresolved_orders(rig.account_id)}
    assert states == {"KO": OrderState.OPEN, "AAPL": OrderState.INTENDED}
    mended(rig)


def test_no_cancel_is_begun_after_its_time(settled: MakeRig) -> None:
    rig = settled(**SLOW)
    process = rig.process(rules=rules())
    asked = []

    def slowly(_: Any, name: str) -> None:
        asked.append(name)
        process.clock.wait(rules().execution.cancel_timeout_seconds + 1)
        raise BrokerUnavailable("no answer within 20 s")

    process.broker.script["cancel"] = slowly
    FullDisk(rig, process, 1)
    with pytest.raises(JournalBroken, match=FULL):
        rig.cycle(process, NEXT, rules())
    assert len(asked) == 1
    mended(rig)


def test_a_latch_that_cannot_be_written_holds_back_what_follows(settled: MakeRig) -> None:
    """The gate's own write happens inside a request; its error goes neither through that nor unheard."""
    rig = settled(**SLOW)
    few = rules(gate__max_orders_per_minute=1)
    process = rig.process(rules=few)
    FullDisk(rig, process, 1)
    with pytest.raises(JournalBroken, match=FULL):
        rig.cycle(process, NEXT, rules())  # a plan within `few` would not reach the latch
    assert len(rig.posts) == 1
    mended(rig)
