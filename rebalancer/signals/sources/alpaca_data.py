"""Alpaca's market-data host: the same keys as for trading, no other vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.core.errors import CredentialsRefused
from rebalancer.signals.sources.contract import KeyRefused, SourceBudget, SourceContext, SourceUnavailable
from rebalancer.signals.sources.vendor_http import VendorHttp

PAGES_MAX: Final = 20
LOCAL: Final = ("local", "local")  # a key for a data server on this machine that wants none


def alpaca_http(context: SourceContext, budget: SourceBudget) -> VendorHttp:
    """Requests to the data host. Raises KeyRefused without a key pair."""
    url = context.rules.base_url or Endpoints.from_environment(context.keys).data_url
    try:
        key, secret = Credentials.from_environment(context.keys).reveal()
    except CredentialsRefused as error:
        if not url.startswith("http://"):  # plain http is for this machine alone
            raise KeyRefused(f"{context.name}: {error}", "set APCA_API_KEY_ID and APCA_API_SECRET_KEY") from None
        key, secret = LOCAL
    headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
    return VendorHttp(
        context.name,
        url,
        "APCA_API_KEY_ID",
        context.rules.timeout_seconds,
        budget,
        context.clock,
        context.keep,
        headers,
    )


def pages(http: VendorHttp, path: str, params: Mapping[str, str], most: int = PAGES_MAX) -> Iterator[Mapping[str, Any]]:
    """Every page of an answer, by `next_page_token`. Raises SourceUnavailable for one that repeats itself."""
    asked, seen = dict(params), set[str]()
    for _ in range(most):
        body = http.get(path, asked)
        if not isinstance(body, dict):
            raise SourceUnavailable(f"{path}: the answer is no object")
        yield body
        token = body.get("next_page_token")
        if not isinstance(token, str) or not token:
            return
        if token in seen:
            raise SourceUnavailable(f"{path}: the pages repeat themselves")
        seen.add(token)
        asked["page_token"] = token
