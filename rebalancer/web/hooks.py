"""Hooks, on a listener of their own: `POST /hooks/{name}/{token}` for senders that cannot set headers.

TradingView's JSON, its line of words, or a row of signals. The answer comes once the signal is on disk. The same body
from the same hook within `web.repeat_seconds` is the same signal; an alert with an id of its own or a time
(`{{timenow}}`) is recognised for a week.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from rebalancer.core.documents import sha256
from rebalancer.core.values import text_of, time_text, utc_of
from rebalancer.ops.clock import SystemClock
from rebalancer.signals.formats.signal_file import FileRow
from rebalancer.signals.formats.tradingview import is_alert, read_alerts
from rebalancer.signals.receipts.inbox import Receipt, SignalInbox
from rebalancer.signals.receipts.inbox_rows import computed_row_id
from rebalancer.web.app import answer_errors
from rebalancer.web.bodies import parsed_json, read_body
from rebalancer.web.gate import FAILURES_PER_MINUTE
from rebalancer.web.kept_inbox import KeptInbox
from rebalancer.web.place import WebPlace
from rebalancer.web.problems import HttpProblem
from rebalancer.web.rates import RateLimit
from rebalancer.web.tokens import TokenFile

BYTES_MAX: Final = 64 * 1024
ROWS_MAX: Final = 100
_UNKNOWN: Final = "there is no such hook"


def hooks_app(place: WebPlace, inbox: KeptInbox, tokens: TokenFile) -> FastAPI:
    """The application of the hooks' listener: one route, and nothing that reads."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    monotonic = SystemClock().monotonic
    rates = RateLimit(place.rules.web.requests_per_minute, monotonic)
    failures = RateLimit(FAILURES_PER_MINUTE, monotonic)
    deliveries = _Deliveries(inbox, place.repeat_within)

    @app.post("/hooks/{name}/{secret}")
    async def hook(request: Request, name: str, secret: str) -> Response:
        """Take one alert."""
        found = tokens.find(secret)
        if found is None or found.scopes != ("hook",) or found.name != name:
            wait = failures.take("")
            raise HttpProblem(404, _UNKNOWN) if not wait else HttpProblem(429, _UNKNOWN, {"Retry-After": str(wait)})
        wait = rates.take(name)
        if wait:
            raise HttpProblem(429, f"too many alerts; again in {wait} s", {"Retry-After": str(wait)})
        why = place.refuses_writes()
        if why is not None:
            raise HttpProblem(403, why, outcome="DENIED_LIVE_WRITES")
        body = await read_body(request, BYTES_MAX)
        receipts = await asyncio.to_thread(deliveries.receive, name, body)
        rows = [{"id": r.id, "problem": r.problem or None} for r in receipts]
        if all(receipt.problem for receipt in receipts):
            raise HttpProblem(422, receipts[0].problem, outcome="REJECTED_INVALID", receipts=rows)
        return JSONResponse({"receipts": rows}, 202)

    answer_errors(app)
    return app


def rows_of(body: bytes, name: str, now: datetime) -> list[dict[str, Any]]:
    """The rows for the inbox, all with the hook's name as their source. Raises HttpProblem 400 and 422."""
    try:
        text = body.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise HttpProblem(400, "the body is not UTF-8") from None
    document = parsed_json(body) if text.startswith(("{", "[")) else None
    if isinstance(document, dict) and set(document) == {"signals"}:
        document = document["signals"]
    items: list[Any] = text.split("\n") if document is None else document if isinstance(document, list) else [document]
    items = [item for item in items if not isinstance(item, str) or item.strip()]
    if not 0 < len(items) <= ROWS_MAX:
        raise HttpProblem(422, f"send 1 to {ROWS_MAX} alerts", outcome="REJECTED_INVALID")
    if all(isinstance(item, str) or is_alert(item) for item in items):
        found = read_alerts(list(enumerate(items, 1)), name, now, timedelta(0)).rows
        return [_row_of_alert(row, item) for row, item in zip(found, items, strict=True)]
    if not all(isinstance(item, dict) for item in items):
        raise HttpProblem(422, "this is neither an alert nor a signal", outcome="REJECTED_INVALID")
    return [{**item, "source": name} for item in items]


def _row_of_alert(row: FileRow, item: object) -> dict[str, Any]:
    if row.problem is not None or row.signal is None:
        raise HttpProblem(422, row.problem or "this is no alert", outcome="REJECTED_INVALID")
    signal, said = row.signal, item if isinstance(item, Mapping) else {}
    found: dict[str, Any] = {"symbol": signal.symbol}
    if signal.target is None:
        found |= {"score": signal.score, "confidence": signal.confidence}
    else:
        found["target"] = text_of(signal.target)
    if said.get("id") is not None:
        found["id"] = signal.id
    if any(said.get(field) is not None for field in ("timenow", "issued_at")):
        found["issued_at"] = time_text(signal.issued_at)
    return found


class _Deliveries:
    """Inserts alerts; the same one twice is the same signal."""

    def __init__(self, inbox: KeptInbox, within: timedelta) -> None:
        self._inbox, self._within, self._lock = inbox, within, threading.Lock()

    def receive(self, name: str, body: bytes) -> tuple[Receipt, ...]:
        now = SystemClock().wall()
        rows = rows_of(body, name, now)
        with self._lock:
            inserted = self._inbox.get()
            key = self._key(inserted, name, sha256(body.decode("utf-8")), now, is_dated="issued_at" in rows[0])
            return inserted.receive(rows, source=name, at=now, key=key, merge=True)

    def _key(self, inserted: SignalInbox, name: str, digest: str, now: datetime, *, is_dated: bool) -> str:
        """What identifies the delivery: the body, and for one without a time also when it first came."""
        if is_dated:
            return digest
        if not self._within:
            return f"{digest}\n{time_text(now)}"
        period = int(now.timestamp() / self._within.total_seconds())
        for key in (f"{digest}\n{period}", f"{digest}\n{period - 1}"):
            row = inserted.inserted(computed_row_id(name, key, 0))
            if row is not None and now - utc_of(row.received_at) <= self._within:
                return key
        return f"{digest}\n{period}"
