"""The brake: never too many calls in any minute, never one that the broker said it would refuse, always an end."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.brokers.alpaca import client
from rebalancer.brokers.alpaca.rate_limit import Pacer
from rebalancer.core.errors import BrokerUnavailable
from tests.brokers.making import FakeTime, an_order, order_object, scripted
from tests.support.scripted_server import answer, reply


@given(
    per_minute=st.integers(1, 20),
    idle=st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=80),
)
def test_no_window_of_a_minute_holds_more(per_minute: int, idle: list[float]) -> None:
    clock = FakeTime()
    pacer = Pacer(per_minute, clock.monotonic, clock.wait)
    starts = []
    for pause in idle:
        clock.at += pause
        assert pacer.take(61)
        starts.append(clock.at)
        pacer.done()
    for i, first in enumerate(starts):
        assert sum(1 for start in starts[i:] if start < first + 60) <= per_minute


def test_five_hundred_calls_take_no_longer_than_the_limit_demands() -> None:
    clock = FakeTime()
    pacer = Pacer(200, clock.monotonic, clock.wait)
    for _ in range(500):
        assert pacer.take(61)
        pacer.done()
    assert clock.at - 1000 == 120


def test_patience_ends_and_takes_nothing() -> None:
    clock = FakeTime()
    pacer = Pacer(1, clock.monotonic, clock.wait)
    assert pacer.take(0)
    assert not pacer.take(59)
    assert clock.waits == []
    assert pacer.take(60)


@given(
    remaining=st.integers(0, 30),
    in_flight=st.integers(0, 10),
    reset=st.floats(1, 60, allow_nan=False),
)
def test_what_the_broker_left_is_not_exceeded_before_its_reset(remaining: int, in_flight: int, reset: float) -> None:
    clock = FakeTime()
    pacer = Pacer(1000, clock.monotonic, clock.wait)
    for _ in range(in_flight + 1):
        assert pacer.take(0)
    pacer.done(remaining, reset)
    until = clock.at + reset
    more = 0
    while pacer.take(61) and clock.at < until:
        more += 1
    assert more == max(remaining - in_flight, 0)


def test_an_older_answer_does_not_raise_the_allowance() -> None:
    clock = FakeTime()
    pacer = Pacer(1000, clock.monotonic, clock.wait)
    for _ in range(3):
        assert pacer.take(0)
    pacer.done(2, 30)  # two still under way: nothing left
    pacer.done(150, 30)  # was on its way for long
    assert not pacer.take(29)
    assert pacer.take(30)


def test_all_threads_share_one_brake() -> None:
    clock = FakeTime()
    steps = [answer(lambda seen: order_object(an_order(client_order_id=seen.json()["client_order_id"])))]
    kinds: list[str] = []
    limits = {"requests_per_minute": 10, "total_timeout_seconds": 3600}  # one thread's wait is everybody's time
    with scripted(steps, repeat_last=True, clock=clock, read_timeout_seconds=5, **limits) as (broker, server):

        def send(worker: int) -> None:
            for i in range(5):
                kinds.append(broker.submit(an_order(client_order_id=f"{worker}-{i}")).kind)

        threads = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert kinds == ["accepted"] * 20
    assert clock.at - 1000 >= 60
    assert len({seen.json()["client_order_id"] for seen in server.requests}) == 20
    assert {seen.connection for seen in server.requests} >= {1, 2, 3, 4}


def test_an_order_that_gets_no_turn_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PACING_SECONDS_MAX", 5.0)
    with scripted([reply(200, "[]")], clock=FakeTime(), requests_per_minute=1) as (broker, server):
        broker.positions()
        result = broker.submit(an_order())
        with pytest.raises(BrokerUnavailable, match="no call was left"):
            broker.positions()
    assert (result.kind, result.reason) == ("not_sent", "rate_limited")
    assert [seen.method for seen in server.requests] == ["GET"]


def test_leave_is_asked_after_the_wait_for_a_turn_and_just_once() -> None:
    clock = FakeTime()
    asked: list[float] = []

    def allowed() -> bool:
        asked.append(clock.at)
        return len(asked) > 1

    script = [reply(200, "[]"), answer(lambda seen: order_object())]
    with scripted(script, clock=clock, requests_per_minute=1) as (broker, server):
        broker.positions()
        began = clock.at
        withheld = broker.submit(an_order(), allowed=allowed)
        assert (withheld.kind, withheld.reason) == ("not_sent", "withheld")
        assert [seen.method for seen in server.requests] == ["GET"]
        sent = broker.submit(an_order(), allowed=allowed)
    assert sent.kind == "accepted"
    assert [at - began for at in asked] == [60.0, 120.0]
    assert [seen.method for seen in server.requests] == ["GET", "POST"]
