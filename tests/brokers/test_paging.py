"""Long lists come whole, each row once, whatever the page boundaries fall on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.values import time_text, utc_of
from tests.brokers.making import order_object, scripted
from tests.support.scripted_server import Seen, answer

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def listing(rows: list[dict[str, Any]]) -> Callable[[Seen], Any]:
    """Alpaca's order list: `after` is exclusive, 500 rows at most."""

    def respond(seen: Seen) -> Any:
        query = parse_qs(urlsplit(seen.path).query)
        after = utc_of(query["after"][0]) if "after" in query else datetime.min.replace(tzinfo=UTC)
        return [row for row in rows if utc_of(row["submitted_at"]) > after][: int(query["limit"][0])]

    return respond


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    gaps=st.lists(st.sampled_from([0, 0, 0, 1, 1_000_000]), min_size=0, max_size=30),
    repeats=st.integers(1, 60),
    everything=st.booleans(),
)
def test_every_order_once(gaps: list[int], repeats: int, everything: bool) -> None:
    at, rows = START, []
    for i, gap in enumerate(gaps * repeats):
        at += timedelta(microseconds=gap)
        rows.append(order_object(id=f"id-{i}", client_order_id=f"c-{i}", submitted_at=time_text(at)))
    after = START - timedelta(seconds=1) if everything else None
    crowd = max(Counter(row["submitted_at"] for row in rows).values(), default=0)
    assume(crowd < 500)  # the next test
    with scripted([answer(listing(rows))], repeat_last=True, read_timeout_seconds=5) as (broker, _):
        assert [order.id for order in broker.orders(after)] == [row["id"] for row in rows]


def test_more_orders_in_one_instant_than_a_page_holds_is_an_error() -> None:
    rows = [order_object(id=f"id-{i}", submitted_at=time_text(START)) for i in range(501)]
    with (
        scripted([answer(listing(rows))], repeat_last=True, read_timeout_seconds=5) as (broker, _),
        pytest.raises(BrokerUnavailable, match="same instant"),
    ):
        broker.orders(START - timedelta(seconds=1))


@pytest.mark.parametrize("count", [0, 99, 100, 101, 250])
def test_every_activity_once(count: int) -> None:
    rows = [{"activity_type": "FEE", "id": f"{i:04}", "date": "2026-11-20", "net_amount": "-1"} for i in range(count)]

    def respond(seen: Seen) -> Any:
        token = parse_qs(urlsplit(seen.path).query).get("page_token", [""])[0]
        return [row for row in rows if row["id"] > token][:100]

    with scripted([answer(respond)], repeat_last=True) as (broker, _):
        fills, others = broker.activities(START)
    assert fills == ()
    assert [one.id for one in others] == [row["id"] for row in rows]


def test_activities_that_repeat_are_an_error() -> None:
    rows = [{"activity_type": "FEE", "id": f"{i}", "date": "2026-11-20"} for i in range(100)]
    with (
        scripted([answer(lambda seen: rows)], repeat_last=True) as (broker, _),
        pytest.raises(BrokerUnavailable, match="repeats itself"),
    ):
        broker.activities(START)
