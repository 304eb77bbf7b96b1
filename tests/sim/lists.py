"""The broker's own lists, read past all faults, and a journal's intents, read past the journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.sim.venue import Venue


def orders_of(venue: Venue) -> list[dict[str, Any]]:
    """All of them, oldest first, page by page."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = venue.ask("/v2/orders", f"status=all&direction=asc&limit=500{after}")
        known = {o["id"] for o in found}
        fresh = [o for o in page if o["id"] not in known]
        found += fresh
        if len(page) < 500 or not fresh:
            return found
        before = datetime.fromisoformat(page[-1]["submitted_at"][:26].rstrip("Z") + "+00:00")
        stamp = (before - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
        after = f"&after={stamp}"


def activities_of(venue: Venue) -> list[dict[str, Any]]:
    """All of them, oldest first, page by page."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = venue.ask("/v2/account/activities", f"direction=asc&page_size=100{token}")
        found += page
        if len(page) < 100:
            return found
        token = f"&page_token={page[-1]['id']}"


def intents_of(path: Path) -> set[str]:
    """The ids of all orders that a journal's file intends."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return {row[0] for row in db.execute("SELECT key FROM events WHERE kind = 'order_intended'")}


def signed_qty(position: dict[str, Any]) -> Decimal:
    """The position's shares, negative when short."""
    qty = abs(Decimal(position["qty"]))
    return -qty if position["side"] == "short" else qty
