"""A server on loopback that speaks for the vendors of signals, and a clock whose waits take no time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from rebalancer.core.signal_rules import Signals, SourceRules
from rebalancer.signals.sources.contract import SourceContext, VoteSource
from rebalancer.signals.sources.day_budget import DayBudget
from rebalancer.signals.sources.store import VoteStore

NOW = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
KEYS = {
    "APCA_API_KEY_ID": "PKTESTTESTTEST", "APCA_API_SECRET_KEY": "secret-of-alpaca",
    "MASSIVE_API_KEY": "massive-key-123",
    "ALPHAVANTAGE_API_KEY": "AVKEY1234567", "XAI_API_KEY": "xai-key-abcdef", "PERPLEXITY_API_KEY": "pplx-key-abcdef",
}  # fmt: skip


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any


class Said(NamedTuple):
    """One answer. `body`: an object is sent as JSON, bytes as they are. `hangs`: nothing is sent until the end."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = {}
    hangs: bool = False


Answers = Callable[[Asked], Said]


class VendorServer:
    """Answers with `answers`; `asked` has what arrived."""

    def __init__(self, answers: Answers) -> None:
        self.asked: list[Asked] = []
        self.answers, self._ending = answers, threading.Event()
        own = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = urlsplit(self.path)
                one = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers),
                            json.loads(raw) if raw else None)  # fmt: skip
                own.asked.append(one)
                said = own.answers(one)
                if said.hangs:
                    own._ending.wait(300)
                    return
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815 - the names are the library's

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that gives up is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[VendorServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class StandingClock:
    """Time passes only by waiting."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now, self.ran, self.waits = now, 1000.0, list[float]()

    def monotonic(self) -> float:
        return self.ran

    def wall(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.ran += seconds


def rules_for(name: str, **changes: Any) -> SourceRules:
    """The rules of a source as the configuration makes them."""
    return Signals.model_validate({"sources": {name: {"enabled": True, "timeout_seconds": 5, **changes}}}).sources[name]


class Bench(NamedTuple):
    """One source on its store."""

    source: VoteSource
    budget: DayBudget
    clock: StandingClock
    store: VoteStore
    kept: list[str]


@contextmanager
def bench(
    make: Callable[[SourceContext], VoteSource],
    name: str,
    url: str,
    folder: Path,
    keys: Mapping[str, str] = KEYS,
    **changes: Any,
) -> Iterator[Bench]:
    """A source that asks this address."""
    rules, clock, kept = rules_for(name, base_url=url, **changes), StandingClock(), list[str]()
    with VoteStore.open(folder / "sources.sqlite") as store:
        budget = DayBudget(name, rules, store, clock.wall, clock.monotonic, clock.wait)
        source = make(SourceContext(name, rules, keys, clock, kept.append, lambda: True))
        yield Bench(source, budget, clock, store, kept)


def spent(one: Bench, name: str) -> tuple[int, Decimal]:
    return one.store.spent(name, "2026-11-20")
