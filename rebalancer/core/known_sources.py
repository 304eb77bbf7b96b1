"""The sources that are part of the program, and what they begin with where the configuration says nothing.

The weights are 40, 25, 20 and 15 %, of the consensus of all four; those that are silent leave their part to the others.
A value of the configuration always wins. The values are written into the rules when they are read, so a stored plan
keeps its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DAY: Final = 86_400

KNOWN_SOURCES: Final[Mapping[str, Mapping[str, Any]]] = {
    "alpaca_bars": {"weight": 0.40, "ttl_seconds": DAY / 4, "calls_per_minute": 60},
    "alpaca_news": {"weight": 0.25, "ttl_seconds": 900.0, "calls_per_minute": 60},
    "massive": {"weight": 0.40, "ttl_seconds": DAY / 4, "calls_per_minute": 5},
    "alpha_vantage": {"weight": 0.25, "ttl_seconds": DAY / 2, "calls_per_minute": 55, "calls_per_day": 25},
    "xai": {
        "weight": 0.20, "ttl_seconds": DAY / 4, "timeout_seconds": 180.0, "calls_per_minute": 10,
        "usd_per_day": "1.00", "usd_per_call": "0.10", "model": "grok-4.7",
    },
    "perplexity": {
        "weight": 0.15, "ttl_seconds": DAY / 4, "timeout_seconds": 120.0, "calls_per_minute": 10,
        "usd_per_day": "1.00", "usd_per_call": "0.05", "api": "agent", "model": "low",
    },
    "model": {"weight": 0.40, "ttl_seconds": 3600.0, "calls_per_minute": 60},
}  # fmt: skip


def known_name(name: str) -> str | None:
    """The name as it is written here; underscores do not matter. None for a source of somebody's own."""
    plain = name.replace("_", "").casefold()
    return next((known for known in KNOWN_SOURCES if known.replace("_", "") == plain), None)
