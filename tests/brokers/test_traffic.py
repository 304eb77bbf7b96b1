"""What goes over the line is counted where it leaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rebalancer.brokers.alpaca.client import ATTEMPTS_MAX
from rebalancer.brokers.request_metrics import RequestCounts, RequestMetrics
from rebalancer.core.errors import BrokerUnavailable
from tests.brokers.making import an_order, order_text, scripted
from tests.support.scripted_server import raw_reply, reply, reset

LIMITED = '{"code":42910000,"message":"rate limit exceeded"}'


def without_time(counts: RequestCounts) -> RequestCounts:
    return counts._replace(longest_ms=0)


def test_each_attempt_of_a_read_is_one_call() -> None:
    torn = raw_reply(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n[")
    steps = [reply(503), reply(429, LIMITED, headers=[("Retry-After", "0")]), reset(), torn, reply(200, "[]")]
    with scripted([*steps, reply(200, "[]")], total_timeout_seconds=30) as (broker, _):
        broker.positions()
        first = broker.traffic.lap()
        broker.positions()
        second = broker.traffic.lap()
        third = broker.traffic.lap()
    assert without_time(first) == RequestCounts(calls=5, repeats=4, limited=1, failed=1, lost=2)
    assert (without_time(second), third) == (RequestCounts(calls=1), RequestCounts())


def test_a_read_that_fails_for_good() -> None:
    with scripted([reply(500)], repeat_last=True, total_timeout_seconds=30) as (broker, _):
        with pytest.raises(BrokerUnavailable):
            broker.positions()
        assert without_time(broker.traffic.lap()) == RequestCounts(
            calls=ATTEMPTS_MAX, repeats=ATTEMPTS_MAX - 1, failed=ATTEMPTS_MAX
        )


def test_an_order_that_is_withheld_is_no_call() -> None:
    with scripted([reply(200, order_text()), reset()]) as (broker, _):
        assert broker.submit(an_order(), allowed=lambda: False).kind == "not_sent"
        assert broker.traffic.lap() == RequestCounts()
        assert broker.submit(an_order()).kind == "accepted"
        assert broker.submit(an_order()).kind == "unknown"
        assert without_time(broker.traffic.lap()) == RequestCounts(calls=2, lost=1)


def test_many_threads_lose_nothing_and_the_longest_is_kept() -> None:
    traffic = RequestMetrics()

    def say(number: int) -> None:
        traffic.ended(number / 1000, 503 if number % 2 else 200, is_whole=True, is_repeat=number % 4 == 0)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(say, range(2000)))
    assert traffic.lap() == RequestCounts(calls=2000, repeats=500, failed=1000, longest_ms=1999)
