"""Exchanges for tests: one without sockets whose clock stands still until stepped, one with a real server."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, open_exchange, start_exchange

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
    import alpaca.trading.stream  # noqa: F401 - imported once here, under the filter


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """In memory, 100 000 USD, Friday 2026-11-20 10:05 in New York, no partial fills, clock standing still."""
    opened = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0))
    yield opened
    opened.close()


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    """A real server on a free port with starter holdings and no rate limit."""
    options = ExchangeOptions(holdings="starter", rate_limit_per_minute=0, fill_latency_seconds=0.004)
    with start_exchange(options) as server:
        yield server
