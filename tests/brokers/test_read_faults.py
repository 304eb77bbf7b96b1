"""Reads are repeated within bounds, never answered in part, and end in one of two errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.alpaca.client import ATTEMPTS_MAX
from rebalancer.brokers.endpoints import Endpoints
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused
from tests.brokers.making import CLOCK, CREDENTIALS, FakeTime, an_order, order_object, order_text, rules, scripted
from tests.support.scripted_server import (
    ScriptedServer,
    Step,
    drip,
    raw_reply,
    refuse_before_reading,
    reply,
    reset,
    silence,
)

HTML = "<html><body>Bad Gateway</body></html>"
PASSING: list[tuple[str, Step]] = [
    ("reset", reset()),
    ("closed", raw_reply(b"")),
    ("torn", raw_reply(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n[")),
    ("two lengths", raw_reply(b"HTTP/1.1 200 X\r\nContent-Length: 2, 7\r\n\r\n[]")),
    ("empty chunk", raw_reply(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz")),
    ("HTML", reply(200, HTML)),
    ("deep", reply(200, "[" * 100_000)),
    ("429", reply(429, '{"code":42910000,"message":"rate limit exceeded"}')),
    ("429 plain", reply(429, "too many requests.")),
    ("408", reply(408)),
    ("copy of an hour ago", reply(200, "[]", headers=[("Age", "3600")])),
    *[(str(code), reply(code, HTML)) for code in range(500, 505)],
]


@pytest.mark.parametrize("step", [row[1] for row in PASSING], ids=[row[0] for row in PASSING])
def test_a_fault_that_passes_is_asked_again(step: Step) -> None:
    with scripted([step, reply(200, "[]")]) as (broker, server):
        assert broker.positions() == ()
    assert [(seen.method, seen.path) for seen in server.requests] == [("GET", "/v2/positions")] * 2


@pytest.mark.parametrize("step", [row[1] for row in PASSING], ids=[row[0] for row in PASSING])
def test_a_fault_that_stays_ends_after_bounded_attempts(step: Step) -> None:
    with (
        scripted([step], repeat_last=True, total_timeout_seconds=30) as (broker, server),
        pytest.raises(BrokerUnavailable, match=r"^http://127\.0\.0\.1:\d+ /positions: "),
    ):
        broker.positions()
    assert len(server.requests) == ATTEMPTS_MAX


def test_connection_reset_before_reading_is_asked_again() -> None:
    with scripted([refuse_before_reading(), reply(200, "[]")]) as (broker, _):
        assert broker.positions() == ()


@pytest.mark.parametrize(
    ("step", "leap_seconds", "requests"),
    [(silence(60), 45.0, 3), (drip(200, b"[]" + b" " * 400), 1000.0, 1)],
    ids=["silence", "drip"],
)
def test_the_deadline_counts_over_all_attempts(step: Step, leap_seconds: float, requests: int) -> None:
    limits = {"total_timeout_seconds": 120, "read_timeout_seconds": 0.2, "leap_seconds": leap_seconds}
    with (
        scripted([step], repeat_last=True, **limits) as (broker, server),
        pytest.raises(BrokerUnavailable, match="no whole answer in time"),
    ):
        broker.positions()
    assert len(server.requests) == requests


def test_refused_connection_is_unavailable() -> None:
    with ScriptedServer([]) as server:
        url = server.url
    broker = AlpacaBroker(CREDENTIALS, Endpoints(url), rules(), wait=lambda seconds: None)
    with pytest.raises(BrokerUnavailable, match=r"no connection to the broker \(Connection refused\)"):
        broker.account()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, '{"message":"unauthorized."}'),
        (401, HTML),
        (401, ""),
        (403, '{"message":"Forbidden"}'),
        (403, '{"code":40310000,"message":"access denied"}'),
    ],
)
def test_a_refused_key_is_not_asked_again(status: int, body: str) -> None:
    with (
        scripted([reply(status, body)], repeat_last=True) as (broker, server),
        pytest.raises(CredentialsRefused, match="APCA_API_KEY_ID"),
    ):
        broker.account()
    assert len(server.requests) == 1


def test_missing_feed_says_which_key_to_change() -> None:
    body = '{"code":42210000,"message":"subscription does not permit querying recent SIP data"}'
    with (
        scripted([reply(403, body)]) as (broker, _),
        pytest.raises(BrokerUnavailable, match=r"broker\.data_feed"),
    ):
        broker.quotes(["AAPL"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with ScriptedServer([reply(200, "[]")], repeat_last=True) as elsewhere:
        away = reply(status, "[]", headers=[("Location", f"{elsewhere.url}/v2/positions")])
        with (
            scripted([away], repeat_last=True) as (broker, server),
            pytest.raises(BrokerUnavailable, match="redirected"),
        ):
            broker.positions()
    assert elsewhere.requests == []
    assert len(server.requests) == 1


def test_a_422_to_a_read_is_unavailable_at_once() -> None:
    with (
        scripted([reply(422, '{"code":42210000,"message":"no"}')], repeat_last=True) as (broker, server),
        pytest.raises(BrokerUnavailable, match="refused /positions"),
    ):
        broker.positions()
    assert len(server.requests) == 1


def test_429_waits_as_long_as_the_broker_says() -> None:
    clock = FakeTime()
    limited = reply(429, "{}", headers=[("Retry-After", "7")])
    with scripted([limited, reply(200, "[]")], clock=clock, total_timeout_seconds=30) as (broker, _):
        assert broker.positions() == ()
    assert clock.at == pytest.approx(1007)


def test_429_waits_for_the_reset_by_the_brokers_own_clock() -> None:
    clock = FakeTime()
    headers = [("Date", "Fri, 20 Nov 2026 15:35:00 GMT"), ("X-Ratelimit-Reset", "1795188909")]  # 9 s later
    with scripted([reply(429, "", headers=headers), reply(200, "[]")], clock=clock, total_timeout_seconds=30) as made:
        assert made[0].positions() == ()
    assert clock.at == pytest.approx(1009)


def test_a_reset_beyond_the_deadline_is_not_waited_for() -> None:
    clock = FakeTime()
    limited = reply(429, "{}", headers=[("Retry-After", "45")])
    with (
        scripted([limited, reply(200, "[]")], clock=clock, total_timeout_seconds=30) as (broker, server),
        pytest.raises(BrokerUnavailable, match="429"),
    ):
        broker.positions()
    assert len(server.requests) == 1
    assert clock.at < 1030


def test_attempts_back_off_and_stay_within_the_deadline() -> None:
    clock = FakeTime()
    with (
        scripted([reply(503)], repeat_last=True, clock=clock, total_timeout_seconds=30) as (broker, _),
        pytest.raises(BrokerUnavailable, match="503"),
    ):
        broker.positions()
    assert len(clock.waits) == ATTEMPTS_MAX - 1
    for i, waited in enumerate(clock.waits):
        assert min(0.25 * 2**i, 4) / 2 <= waited <= min(0.25 * 2**i, 4)


def many_orders(first: int, count: int) -> list[dict[str, Any]]:
    return [
        order_object(
            id=f"id-{i}", client_order_id=f"c-{i}", submitted_at=f"2026-11-20T15:{i // 60 % 60:02}:{i % 60:02}.5Z"
        )
        for i in range(first, first + count)
    ]


def test_a_list_whose_second_page_fails_is_no_list() -> None:
    first = reply(200, json.dumps(many_orders(0, 500)))
    with (
        scripted([first, reply(500)], repeat_last=True) as (broker, _),
        pytest.raises(BrokerUnavailable, match="/orders"),
    ):
        broker.orders(None)


@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_answer_is_not_an_empty_list(status: int) -> None:
    with scripted([reply(status)], repeat_last=True) as (broker, _):
        for ask in (broker.positions, broker.account, broker.clock, broker.instruments, lambda: broker.orders(None)):
            with pytest.raises(BrokerUnavailable):
                ask()


def test_not_found_is_none_only_in_the_brokers_own_words() -> None:
    said = '{"code":40410000,"message":"order not found for reb-1"}'
    with scripted([reply(404, said)]) as (broker, server):
        assert broker.find_order("reb-1") is None
    assert server.requests[0].path == "/v2/orders:by_client_order_id?client_order_id=reb-1"


@pytest.mark.parametrize(
    "body", ["", HTML, '{"message":"endpoint not found."}', '{"code":40410000,"message":"endpoint not found"}']
)
def test_another_404_is_unavailable(body: str) -> None:
    with (
        scripted([reply(404, body)]) as (broker, _),
        pytest.raises(BrokerUnavailable),
    ):
        broker.find_order("reb-1")


def test_another_order_than_asked_for_is_unavailable() -> None:
    with (
        scripted([reply(200, order_text())]) as (broker, _),
        pytest.raises(BrokerUnavailable, match="asked for reb-1"),
    ):
        broker.find_order("reb-1")


ORDER_ID = "7b08df51-c1ac-453c-99f9-323a5f075f0d"


@pytest.mark.parametrize(
    "steps",
    [
        [reply(204)],
        [reply(503), reply(204)],
        [reset(), reply(204)],
        [reply(422, '{"code":42210000,"message":"order is already in \\"filled\\" state"}')],
        [reply(422, '{"code":42210000,"message":"order pending cancel"}')],
    ],
)
def test_cancel_is_asked_until_it_is_answered(steps: list[Step]) -> None:
    with scripted(steps) as (broker, server):
        broker.cancel(ORDER_ID)
    assert [(seen.method, seen.path) for seen in server.requests] == [("DELETE", f"/v2/orders/{ORDER_ID}")] * len(steps)


def test_cancel_without_an_answer_is_unavailable() -> None:
    with (
        scripted([reset()], repeat_last=True) as (broker, _),
        pytest.raises(BrokerUnavailable),
    ):
        broker.cancel(ORDER_ID)


def test_cancel_of_an_order_that_is_not_there_is_unavailable() -> None:
    with (
        scripted([reply(404, '{"code":40410000,"message":"order not found"}')]) as (broker, _),
        pytest.raises(BrokerUnavailable, match="not found"),
    ):
        broker.cancel(ORDER_ID)


def test_cancel_refuses_an_id_that_would_change_the_path() -> None:
    with (
        scripted([]) as (broker, server),
        pytest.raises(ValueError, match="not an order id"),
    ):
        broker.cancel("../positions")
    assert server.requests == []


def test_reads_and_orders_share_one_connection_a_thread() -> None:
    with scripted([reply(200, CLOCK), reply(200, "[]"), reply(200, order_text())]) as (broker, server):
        broker.clock()
        broker.positions()
        broker.submit(an_order())
    assert server.connections == 1


def test_a_connection_idle_for_long_is_not_used_again() -> None:
    clock = FakeTime()
    with scripted([reply(200, "[]")], repeat_last=True, clock=clock) as (broker, server):
        broker.positions()
        clock.wait(15)
        broker.positions()
        clock.wait(21)
        broker.positions()
    assert [seen.connection for seen in server.requests] == [1, 1, 2]
