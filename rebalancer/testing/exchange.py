"""The embedded exchange in this process, quick and predictable, and a clock that makes waiting on it take no time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange


def quick_options(state: Path | None = None, **options: Any) -> ExchangeOptions:
    """The options of an exchange that fills at once and in full and has no rate limit, unless `options` say otherwise.
    state: its file; None keeps everything in memory."""
    quick = {
        "state": state,
        "rate_limit_per_minute": 0,
        "fill_latency_seconds": 0.0,
        "partial_fill_probability": 0.0,
    }
    return ExchangeOptions(**{**quick, **options})


def running_exchange(state: Path | None = None, **options: Any) -> RunningExchange:
    """Start an exchange with `quick_options`; it answers on its `url` until `stop()`, or the end of a `with` block.
    Its `clock.advance(seconds)` steps its time."""
    return start_exchange(quick_options(state, **options))


class ExchangeClock:
    """A clock for the program under test: waiting takes no time, it moves the exchange's clock and its own together.
    `waits` lists the seconds of every wait."""

    def __init__(self, exchange: RunningExchange) -> None:
        self._exchange, self._ahead = exchange, 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic() + self._ahead

    def wait(self, seconds: float) -> None:
        """Step both clocks."""
        self.waits.append(seconds)
        self._ahead += seconds
        self._exchange.clock.advance(seconds)

    def wall(self) -> datetime:
        """This machine's time."""
        return datetime.now(UTC)  # noqa: TID251 - this is a clock
