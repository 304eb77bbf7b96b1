"""Requests per second of the embedded exchange on one core, and where its time goes.

    python benchmarks/exchange_requests.py [requests]

The exchange runs in a process of its own on one core, the client on another, over one kept connection: so the figure is
that of one caller after the other, as a rebalancer calls. The profile is of the same requests put to the application
in this process, without a socket.
"""

from __future__ import annotations

import asyncio
import cProfile
import http.client
import json
import multiprocessing
import os
import pstats
import signal
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rebalancer.exchange.http.app import build_app
from rebalancer.exchange.http.gate import GateRules
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange, serve
from rebalancer.exchange.streams.hub import Hub

START = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)
HEADERS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s", "Content-Type": "application/json"}
TOP = 12


def server(port: int, folder: str) -> None:
    """Serve on one core until stopped."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of this process
    serve(_options(folder, port))


def _options(folder: str, port: int) -> ExchangeOptions:
    return ExchangeOptions(state=Path(folder) / "exchange.sqlite", port=port, start=START, rate_limit_per_minute=0)


def measure(count: int) -> dict[str, float]:
    """Requests per second by name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=server, args=(port, folder))
        process.start()
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        connection = _connected(port)
        for name in ("GET /v2/account", "POST /v2/orders"):
            began = time.perf_counter()
            for number in range(count):
                _ask(connection, name, number)
            found[name] = count / (time.perf_counter() - began)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(30)
    return found


def _connected(port: int) -> http.client.HTTPConnection:
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            _ask(connection, "GET /v2/account", 0)
        except OSError:
            time.sleep(0.1)
        else:
            return connection
    raise SystemExit("the exchange did not start")


def _ask(connection: http.client.HTTPConnection, name: str, number: int) -> None:
    method, path = name.split()
    connection.request(method, path, _body(method, number), HEADERS)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200 or b"insufficient" in text, text[:200]


def _body(method: str, number: int) -> bytes | None:
    if method == "GET":
        return None
    order = {
        "symbol": ("KO", "AMC", "PG")[number % 3],
        "qty": "1",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": f"bench-{number}",
    }
    return json.dumps(order).encode()


def profiled(count: int) -> cProfile.Profile:
    """Put the same requests to the application in this process."""
    rules = GateRules(None, None, 0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        exchange = open_exchange(_options(folder, 0))
        app = build_app(exchange, rules, Hub(rules.knows))
        watch = cProfile.Profile()

        async def ask_all() -> None:
            watch.enable()
            for name in ("GET /v2/account", "POST /v2/orders"):
                for number in range(count):
                    await _put(app, name, number)
            watch.disable()

        asyncio.run(ask_all())
        exchange.close()
    return watch


async def _put(app: Any, name: str, number: int) -> None:
    method, path = name.split()
    body = _body(method, number)
    headers = [(key.lower().encode(), value.encode()) for key, value in {"Host": "127.0.0.1", **HEADERS}.items()]
    headers.append((b"content-length", str(len(body or b"")).encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    told: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    await app(scope, receive, send)
    assert told in ([200], [403]), told


def main() -> None:
    """Print the table and the profile."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for name, rate in measure(count).items():
        print(f"{name:<18} {rate:8,.0f} requests/s")
    stats = pstats.Stats(profiled(count))
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:TOP]  # type: ignore[attr-defined]  # untyped
    print(f"\nown seconds of {2 * count} requests under cProfile, {stats.total_tt:.2f} s in all:")  # type: ignore[attr-defined]  # untyped
    for (file, line, function), (_, calls, own, _, _) in rows:
        print(f"  {own:6.2f} s  {calls:8,}  {Path(file).name}:{line} {function}")


if __name__ == "__main__":
    main()
