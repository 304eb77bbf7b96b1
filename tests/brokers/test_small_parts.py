"""The broker's time, the broker without hands, the guard on alpaca-py's version, and what importing costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from alpaca.common.rest import RESTClient

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.broker_time import BrokerTime
from rebalancer.brokers.protocol import ReadBroker, TradingBroker
from rebalancer.brokers.read_only import ReadOnlyBroker
from rebalancer.core.errors import ExternalError
from rebalancer.ops.clock import SystemClock, seconds_since_boot
from rebalancer.ops.deadline_session import exact_number
from tests.brokers.making import CLOCK, FakeTime, an_order, scripted
from tests.support.scripted_server import reply

DATE = "Fri, 20 Nov 2026 15:35:00 GMT"
AT = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def test_time_goes_on_between_answers() -> None:
    clock = FakeTime()
    told = BrokerTime(clock.monotonic)
    assert told.now() is None
    assert told.heard_date(DATE) == AT
    clock.at += 12.5
    assert told.now() == AT + seconds(12.5)


def test_the_clock_knows_better_than_the_date_header() -> None:
    clock = FakeTime()
    told = BrokerTime(clock.monotonic)
    told.heard_clock(AT + seconds(0.7), DATE)
    clock.at += 10
    told.heard_date("Fri, 20 Nov 2026 15:35:11 GMT")  # within the tolerance of whole seconds
    assert told.now() == AT + seconds(10.7)


def test_the_date_header_mends_the_time_after_a_sleep() -> None:
    clock = FakeTime()
    told = BrokerTime(clock.monotonic)
    told.heard_clock(AT, DATE)
    clock.at += 1  # a monotonic clock stands still while the machine sleeps
    told.heard_date("Fri, 20 Nov 2026 16:35:00 GMT")
    assert told.now() == AT + timedelta(hours=1)


def test_a_sleep_between_an_answer_and_its_reading_does_not_set_the_time_back() -> None:
    clock = FakeTime()
    told = BrokerTime(clock.monotonic)
    told.heard_clock(AT, DATE)
    clock.at += 6 * 3600  # by a clock that counts sleep
    assert told.heard_date("Fri, 20 Nov 2026 15:35:01 GMT", took_seconds=6 * 3600 - 1) is not None
    assert told.now() == AT + timedelta(hours=6)
    told.heard_date("Fri, 20 Nov 2026 15:40:00 GMT", took_seconds=0.1)  # written now: it is right and we are not
    assert told.now() == AT + timedelta(minutes=5)


def test_the_machines_sleep_counts() -> None:
    asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    assert abs(seconds_since_boot() - time.monotonic() - asleep) < 1
    assert inspect.signature(AlpacaBroker).parameters["monotonic"].default is seconds_since_boot


def test_what_a_session_measures_with_counts_sleep_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session hands its own clock to its broker, so the two must be one."""
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 1234.5}.__getitem__)
    assert SystemClock().monotonic() == seconds_since_boot() == 1234.5


def test_a_simulated_year_is_not_mended_away() -> None:
    clock = FakeTime()
    told = BrokerTime(clock.monotonic)
    simulated = datetime(2019, 3, 1, 15, tzinfo=UTC)
    told.heard_clock(simulated, DATE)
    clock.at += 30
    told.heard_date("Fri, 20 Nov 2026 15:35:30 GMT")
    assert told.now() == simulated + seconds(30)


@pytest.mark.parametrize("header", [None, "", "soon", "Fri, 99 Nov 2026 15:35:00 GMT"])
def test_a_date_that_cannot_be_read_changes_nothing(header: str | None) -> None:
    told = BrokerTime(FakeTime().monotonic)
    assert told.heard_date(header) is None
    assert told.now() is None


def test_now_asks_the_clock_once() -> None:
    clock = FakeTime()
    with scripted([reply(200, CLOCK)], clock=clock) as (broker, server):
        first = broker.now()
        clock.at += 5
        assert broker.now() == first + seconds(5)
    assert first == datetime(2026, 11, 20, 15, 35, 2, 123456, UTC)
    assert len(server.requests) == 1


def test_the_broker_without_hands() -> None:
    steps = [reply(200, CLOCK), reply(200, "[]"), reply(200, "[]"), reply(200, "[]"), reply(200, "[]")]
    with scripted(steps) as (broker, server):
        whole: TradingBroker = broker
        reads: ReadBroker = ReadOnlyBroker(whole)
        assert reads.clock().session.is_open
        assert reads.now() > AT
        assert (reads.positions(), reads.orders(None), reads.activities(AT)) == ((), (), ((), ()))
        assert reads.quotes([]) == ()
    assert {name for name in dir(reads) if not name.startswith("_")} == {
        name for name in dir(ReadBroker) if not name.startswith("_")
    }
    assert not hasattr(reads, "submit")
    assert not hasattr(reads, "cancel")
    assert {seen.method for seen in server.requests} == {"GET"}


def test_another_alpaca_py_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_retries(self: RESTClient, **_: object) -> None:
        self._use_raw_data = True

    monkeypatch.setattr(RESTClient, "__init__", without_retries)
    with (
        scripted([]) as (broker, server),
        pytest.raises(ExternalError, match=r"no _session, _retry, _retry_codes.*install alpaca-py 0\.44"),
    ):
        broker.submit(an_order())
    assert server.requests == []


def test_importing_the_package_is_cheap_and_calling_it_needs_no_pandas() -> None:
    code = """
import sys
from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.core.rules import Broker
from rebalancer.core.errors import BrokerUnavailable
heavy = {"alpaca", "requests", "urllib3", "pandas", "numpy", "websockets"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
try:
    AlpacaBroker(Credentials("k", "s"), Endpoints("http://127.0.0.1:1"), Broker(), wait=lambda s: None).clock()
except BrokerUnavailable:
    pass
assert "alpaca.common.rest" in sys.modules
assert not {"pandas", "numpy", "websockets"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", ["1e99999999999999999999", "-1.0e-99999999999999999999", "1" * 30 + "e" + "9" * 400])
def test_an_exponent_beyond_every_decimal_is_unreadable_and_nothing_worse(text: str) -> None:
    with pytest.raises(ValueError, match="is too large a number"):
        exact_number(text)
    assert exact_number("1.50") == Decimal("1.50")
