"""What must have happened in a long campaign: a simulator in which something never happens proves nothing about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.sim.scenario import OTHERS, POSTS

ALWAYS: Final = (
    "crashes", "kill set", "human orders", "human cancels", "splits", "dividends", "halts", "old copies",
    "old copies with their witness", "disk full", "disk locked", "double fire", "missing fires", "nights",
    "late arrival", "interleaved rivals", "interleaved hosts", "twin refused", "given up and came late",
    "stop LockHeld", "stop BrokerUnavailable", "stop JournalBroken", "stop BadDocument", "books accepted",
    "extra cycles", "extra cycles with orders", "extra cycles cut short", "orders of extra cycles",
    "requests sent again", "requests never made", "requests before a start", "requests too late",
    "requests beside a rival",
    *(f"wire post {kind}" for kind in (*POSTS, "outage")),
    *(f"wire other {kind}" for kind in (*OTHERS, "outage")),
    *(f"action {kind}" for kind in ("config", "skew", "sleep", "restart", "deposit", "withdraw")),
    *(f"state {word}" for word in (
        "OPEN", "FILLED", "CANCELED", "EXPIRED", "REFUSED", "NOT_SENT", "UNKNOWN",
    )),
    *(f"outcome {word}" for word in (
        "COMPLETED", "HOLDING", "SKIPPED_MARKET_CLOSED", "SKIPPED_TOO_LATE", "HALTED_KILL_SWITCH", "HALTED_DAILY_LOSS",
        "HALTED_UNRECONCILED", "HALTED_STALE_QUOTES", "HALTED_ACCOUNT",
    )),
    *(f"verdict {word}" for word in (
        "FILLED", "PARTLY_FILLED", "UNFILLED", "UNKNOWN_AT_BROKER", "REFUSED_BY_BROKER", "NOT_SENT",
        "FROZEN_UNRECONCILED", "FROZEN_UNKNOWN_ORDER", "FROZEN_OPEN_ORDER", "REJECTED_STALE", "REJECTED_NO_PRICE",
        "REJECTED_SUPERSEDED",
        "REJECTED_UNKNOWN_SYMBOL", "DENIED_CAP", "DENIED_BUYING_POWER", "DENIED_ORDERS_PER_DAY",
        "DENIED_ORDERS_PER_SYMBOL", "DENIED_ORDERS_PER_EXECUTION", "DENIED_DAILY_LOSS", "DENIED_SHORT",
    )),
    *(f"venue {kind}" for kind in (
        "partial_fill", "cancel_race", "venue_reject", "stale_quote", "stale_price", "crossed_quote", "zero_quote",
        "absurd_quote", "positions_lag", "orders_lag", "account_flags", "clock_skew", "refuse", "set_field",
        "unknown_enum", "missing_field", "human_trade",
    )),
)  # fmt: skip


def missing(figures: Mapping[str, int]) -> list[str]:
    """What never happened."""
    return [name for name in ALWAYS if not figures.get(name)]
