"""The broker's session prepares reads as `requests` does."""

from __future__ import annotations

from typing import Any

import requests
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.brokers.alpaca.transport import LeanSession
from rebalancer.ops.deadline_session import DeadlineSession

PATHS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8), max_size=4)
PARAMETERS = st.dictionaries(st.text(max_size=6), st.text(max_size=20) | st.lists(st.text(max_size=4)), max_size=4)
HOSTS = st.sampled_from(["http://127.0.0.1:8000", "https://paper-api.alpaca.markets", "https://DATA.alpaca.markets"])


def prepared(session: requests.Session, method: str, url: str, **named: Any) -> tuple[object, ...]:
    try:
        found = session.prepare_request(requests.Request(method, url, **named))
    except (requests.RequestException, UnicodeError) as error:
        return (type(error).__name__,)
    return (found.method, found.url, dict(found.headers), found.body)


@given(st.sampled_from(["GET", "DELETE"]), HOSTS, PATHS, PARAMETERS, st.sampled_from(["a", "b"]))
def test_every_read_is_prepared_as_requests_prepares_it(
    method: str, host: str, path: list[str], parameters: dict[str, Any], key: str
) -> None:
    usual, lean = DeadlineSession(lambda: 0.0), LeanSession(lambda: 0.0)
    headers = {"APCA-API-KEY-ID": key, "User-Agent": "test"}
    for url in (f"{host}/v2/account", "/".join([host, "v2", *path]), f"{host}/v2/orders:by_client_order_id"):
        named = {"params": parameters, "headers": headers}
        assert prepared(lean, method, url, **named) == prepared(usual, method, url, **named)


def test_a_body_is_prepared_as_requests_prepares_it() -> None:
    usual, lean = DeadlineSession(lambda: 0.0), LeanSession(lambda: 0.0)
    url, named = "http://127.0.0.1:8000/v2/orders", {"json": {"symbol": "KO"}, "headers": {"User-Agent": "test"}}
    assert prepared(lean, "POST", url, **named) == prepared(usual, "POST", url, **named)
