"""How much longer a request takes when the embedded exchange has many orders behind it.

    python -m benchmarks.exchange_age [orders ...]

For each number of orders a state is made by submitting them, then every request is put to the application in this
process, without a socket. Shown are the medians in milliseconds and, for each, the ratio to the first column. A second
table has the first request after a restart.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.app import build_app
from rebalancer.exchange.http.gate import GateRules
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from rebalancer.exchange.streams.hub import Hub

START = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)
SYMBOLS = ("KO", "PG", "XOM", "JPM", "AAPL", "MSFT", "CVX", "BAC", "WMT", "V", "HON", "DUK", "BTC/USD", "ETH/USD")
RESTING = "GE"
REPEATS = 40
REQUESTS = (
    ("GET", "/v2/account", ""),
    ("POST", "/v2/orders", ""),
    ("GET", "/v2/positions", ""),
    ("GET", "/v2/orders", "status=all&limit=500"),
    ("GET", "/v2/orders", "status=open&limit=500"),
    ("GET", "/v2/account/activities", ""),
    ("GET", "/v2/account/portfolio/history", ""),
    ("GET", "/v2/account/portfolio/history", "period=1D&timeframe=1Min"),
)


def options(folder: Path) -> ExchangeOptions:
    """Time is stepped by hand."""
    return ExchangeOptions(
        state=folder / "exchange.sqlite", start=START, cash=Decimal(10_000_000), speed=0, rate_limit_per_minute=0
    )


def grow(exchange: Exchange, count: int, seconds: float) -> None:
    """Submit orders `seconds` apart: every second one sells part of what the one before bought, and one in a thousand
    rests far from the market."""
    for number in range(count):
        symbol = SYMBOLS[number // 2 % len(SYMBOLS)]
        body = _order(symbol, number, f"grown-{exchange.store.last_order_seq()}")
        exchange.submit(body)
        exchange.clock.advance(seconds)


def _order(symbol: str, number: int, name: str) -> dict[str, object]:
    side = "buy" if number % 2 == 0 else "sell"
    force = "gtc" if "/" in symbol else "day"
    qty = ("0.02" if side == "buy" else "0.01") if "/" in symbol else ("2" if side == "buy" else "1")
    body: dict[str, object] = {
        "symbol": symbol, "qty": qty, "side": side, "type": "market", "time_in_force": force, "client_order_id": name,
    }  # fmt: skip
    if number % 1000 == 998:  # rests
        body |= {
            "symbol": RESTING,
            "type": "limit",
            "limit_price": "1",
            "side": "buy",
            "qty": "1",
            "time_in_force": "day",
        }
    return body


class Asked:
    """The application without a socket."""

    def __init__(self, exchange: Exchange) -> None:
        rules = GateRules(None, None, 0, 0.0)
        self._exchange, self._app, self._number = exchange, build_app(exchange, rules, Hub(rules.knows)), 0

    def seconds(self, method: str, path: str, query: str) -> float:
        """How long one request takes."""
        self._number += 1
        self._exchange.clock.advance(0.05)
        body = b""
        if method == "POST":
            name = f"asked-{time.time_ns()}"
            body = json.dumps(_order("KO", 2 * self._number, name)).encode()
        began = time.perf_counter()
        asyncio.run(self._put(method, path, query, body))
        return time.perf_counter() - began

    async def _put(self, method: str, path: str, query: str, body: bytes) -> None:
        headers = [(b"apca-api-key-id", b"k"), (b"apca-api-secret-key", b"s"), (b"content-type", b"application/json"),
                   (b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())]  # fmt: skip
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
        }  # fmt: skip
        told: list[Any] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            told.append(message.get("status", message.get("body")))

        await self._app(scope, receive, send)
        assert told[0] == 200, told


def measure(count: int, per_order: float) -> tuple[list[float], list[float]]:
    """Medians of every request after so many orders, and the first of each after a restart; milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        exchange = open_exchange(options(Path(name)))
        began = time.perf_counter()
        grow(exchange, count, per_order)
        grown = time.perf_counter() - began
        asked = Asked(exchange)
        medians = []
        for request in REQUESTS:
            times = [asked.seconds(*request) for _ in range(REPEATS)]
            medians.append(statistics.median(times) * 1e3)
        exchange.close()
        began = time.perf_counter()
        exchange = open_exchange(options(Path(name)))
        opened = (time.perf_counter() - began) * 1e3
        asked = Asked(exchange)
        firsts = [opened, *(asked.seconds(*request) * 1e3 for request in REQUESTS)]
        exchange.close()
    each = f", {grown / count * 1e3:.2f} ms an order" if count else ""
    print(f"{count} orders made in {grown:.1f} s{each}", flush=True)
    return medians, firsts


def main() -> None:
    """Print both tables."""
    counts = [int(word) for word in sys.argv[1:]] or [1_000, 20_000, 50_000]
    found = [measure(count, 0.2) for count in counts]
    names = [f"{method} {path}{'?' if query else ''}{query}" for method, path, query in REQUESTS]
    for title, which, rows in (("again", 0, names), ("first after a restart", 1, ["open", *names])):
        print(f"\n{title:58}" + "".join(f"{count:>11,} orders" for count in counts))
        for row, label in enumerate(rows):
            values = [one[which][row] for one in found]
            cells = "".join(f"{value:9.2f} ({value / values[0]:4.1f}x)" for value in values)
            print(f"{label:58}{cells}")


if __name__ == "__main__":
    main()
