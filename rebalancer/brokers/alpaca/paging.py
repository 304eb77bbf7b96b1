"""Read Alpaca's lists page by page. A list that cannot be read to its end is an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from rebalancer.brokers.alpaca.client import Client
from rebalancer.brokers.alpaca.fields import UnreadableField, maybe_moment, moment, rows, text
from rebalancer.core.values import time_text

ORDERS_A_PAGE: Final = 500
ACTIVITIES_A_PAGE: Final = 100
_INSTANT: Final = timedelta(microseconds=1)


def order_rows(asking: Client, after: datetime | None) -> list[Mapping[str, Any]]:
    """All orders submitted after a time, or all open ones, oldest first, without duplicates.

    `after` is the only cursor that can be combined with a start time. It is exclusive and two orders may share a
    timestamp, so each page begins just before the end of the previous one and duplicates are dropped.
    """
    params = {"status": "open" if after is None else "all", "direction": "asc", "limit": str(ORDERS_A_PAGE)}
    found: dict[str, Mapping[str, Any]] = {}
    while True:
        page = rows(
            asking.read("/orders", params if after is None else {**params, "after": time_text(after)}).body, "orders"
        )
        before = len(found)
        found |= {text(row, "id"): row for row in page}
        if len(page) < ORDERS_A_PAGE:
            return list(found.values())
        if len(found) == before:
            raise UnreadableField(f"more than {ORDERS_A_PAGE} orders were submitted at the same instant")
        after = max(maybe_moment(row, "submitted_at") or moment(row, "created_at") for row in page) - _INSTANT


def activity_rows(asking: Client, after: datetime) -> list[Mapping[str, Any]]:
    """All account activities after a time, oldest first, without duplicates."""
    params = {"after": time_text(after), "direction": "asc", "page_size": str(ACTIVITIES_A_PAGE)}
    found: dict[str, Mapping[str, Any]] = {}
    while True:
        page = rows(asking.read("/account/activities", params).body, "activities")
        before = len(found)
        found |= {text(row, "id"): row for row in page}
        if len(page) < ACTIVITIES_A_PAGE:
            return list(found.values())
        if len(found) == before:
            raise UnreadableField("the list of activities repeats itself")
        params = {**params, "page_token": text(page[-1], "id")}
