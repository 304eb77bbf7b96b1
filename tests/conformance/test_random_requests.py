"""Random bodies, fields, paths and queries: never a 5xx, and a refusal has changed nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.exchange.openapi.calls import CALLS
from rebalancer.exchange.openapi.objects import OBJECTS
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.conformance.sender import judged, send
from tests.conformance.session import OPTIONS

ORDER: Final = {"symbol": "MSFT", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
JSON: Final = {"Content-Type": "application/json"}
ORDERS, SWITCHES = "/v2/orders", "/v2/account/configurations"
FUZZ: Final = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [*OBJECTS["OrderRequest"]["properties"], "advanced_instructions", "legs", "unknown"]
ODD = st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, min_size=1, max_size=3)
ODD_ORDERS = ODD.map(lambda odd: {**ORDER, **odd})
ODD_SWITCHES = st.dictionaries(
    st.sampled_from(["suspend_trade", "no_shorting", "fractional_trading", "max_margin_multiplier", "pdt_check", "x"]),
    ANY_JSON,
    min_size=1,
    max_size=3,
)


@FUZZ
@given(body=st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_random_bodies_are_refused(still: RunningExchange, body: bytes) -> None:
    assert judged(still, "POST", ORDERS, body) >= 400
    judged(still, "PATCH", SWITCHES, body)  # an object without a known switch may be in order


@FUZZ
@given(order=ODD_ORDERS)
def test_orders_with_fields_of_wrong_types(still: RunningExchange, order: dict[str, Any]) -> None:
    judged(still, "POST", ORDERS, json.dumps(order).encode())


@FUZZ
@given(switches=ODD_SWITCHES)
def test_switches_of_wrong_types(still: RunningExchange, switches: dict[str, Any]) -> None:
    judged(still, "PATCH", SWITCHES, json.dumps(switches).encode())


PIECES = st.sampled_from(["/", "//", "..", ".", "%2f", "%00", "%", "%zz", ";", "?", "&", "=", "#", ":", "@", "*", "v2",
                          "orders", "positions", "assets", "account", "stocks", "bars", "latest", "AAPL"])  # fmt: skip
TARGETS = st.lists(PIECES | st.text("abcXYZ019-_~%é\u20ac", max_size=5), max_size=12).map(
    lambda parts: "/" + "".join(parts).encode("utf-8").decode("latin-1")
)


@FUZZ
@given(method=st.sampled_from(["GET", "PATCH", "PUT", "POST"]), target=TARGETS)
def test_random_paths(still: RunningExchange, method: str, target: str) -> None:
    judged(still, method, target)


@FUZZ
@given(
    path=st.sampled_from(sorted({call[4:] for call in CALLS if call.startswith("GET ")} - {"/v2/events/trades"})),
    query=st.lists(
        st.tuples(
            st.sampled_from(
                ["symbols", "limit", "after", "until", "start", "end", "date", "page_token", "page_size", "timeframe",
                 "direction", "status", "sort", "category", "asset_class", "qty", "percentage"]
            ),
            st.sampled_from(["", "AAPL", "BTC/USD", "-1", "1e9", "0", "9999-12-31", "0001-01-01", "2026-11-20", "1Min",
                             "999Min", "1Month", "all", "asc", "desc", "\u0661", "true", "x" * 3000])
            | st.text(max_size=6),
        ),
        max_size=5,
    ),
)  # fmt: skip
def test_random_queries(still: RunningExchange, path: str, query: list[tuple[str, str]]) -> None:
    judged(still, "GET", f"{path}?{urlencode(query, errors='replace')}")


@FUZZ
@given(
    query=st.dictionaries(
        st.sampled_from(["since", "until", "since_id", "until_id"]),
        st.sampled_from(["2026-11-20", "01J000000000000000000000ZZ", "9999-12-31", ""]) | st.text(max_size=8),
    )
)
def test_random_queries_of_the_event_stream(still: RunningExchange, query: dict[str, str]) -> None:
    """Only the head of the answer: the stream itself may have no end."""
    assert send(still, "GET", f"/v2/events/trades?{urlencode(query, errors='replace')}", read=False)[0] in (200, 422)


ACTIONS = ("clock", "faults", "trade", "cancel", "halt", "deposit")
ACTION_FIELDS = (
    "advance_seconds", "to", "speed", "amount", "symbol", "halted", "order_id", "client_order_id", "seed", "rules",
)  # fmt: skip


@FUZZ
@given(
    action=st.sampled_from(ACTIONS),
    body=ANY_JSON | st.dictionaries(st.sampled_from(ACTION_FIELDS), ANY_JSON, min_size=1, max_size=2),
)
def test_random_bodies_at_the_admin_port(admin: RunningExchange, action: str, body: Any) -> None:
    status, answer = send(admin, "POST", f"/sim/{action}", json.dumps(body).encode(), JSON, url=admin.admin_url)
    assert 200 <= status < 500, (action, body, answer)
    if status >= 400:
        assert isinstance(json.loads(answer)["message"], str)
    admin.exchange.books.ledger.audit()


@pytest.fixture(scope="module")
def admin() -> Iterator[RunningExchange]:
    with start_exchange(OPTIONS._replace(speed=0, admin_port=0)) as server:
        yield server
