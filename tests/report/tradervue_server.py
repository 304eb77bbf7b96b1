"""A server on loopback that speaks Tradervue's import API as it is documented, with its errors, quotas and bad days."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PATH = "/api/v1/imports"
FAULTS = ("503", "429", "lost request", "lost answer", "nonsense")


class TradervueServer:
    """One user's account. `stored` counts every execution that was imported; `faults` are used up one a request;
    `requests` are method and body of each that could be read."""

    def __init__(self, username: str = "anna", password: str = "s3cret-word", *, quota: int | None = None) -> None:
        wanted = base64.b64encode(f"{username}:{password}".encode()).decode()
        self.authorization, self.quota = f"Basic {wanted}", quota
        self.stored: Counter[tuple[str, ...]] = Counter()
        self.faults: deque[str] = deque()
        self.requests: list[tuple[str, Any]] = []
        self.running = 0  # status calls until the import that is at work has ended
        self.ended: dict[str, Any] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.retry_after = "40"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """What the documentation says."""
        if headers.get("Authorization") != self.authorization:
            return 401, {"error": "HTTP Basic: Access denied."}
        if "(contact: " not in headers.get("User-Agent", ""):
            return 400, {"error": "User-Agent must identify your application"}
        if method == "GET":
            self.requests.append((method, None))
            return 200, self._status()
        try:
            wanted = json.loads(body)
        except ValueError:
            return 400, {"error": "Invalid request: not JSON"}
        self.requests.append((method, wanted))
        if self.running:
            return 424, {"error": "import already in progress"}
        if not wanted.get("executions"):
            return 400, {"status": "no executions"}
        if wanted.get("allow_duplicates") != "false" or wanted.get("overlay_commissions") != "false":
            return 400, {"error": "Invalid request: flags"}
        self.running, self.ended = 2, self._import(wanted["executions"])
        return 200, {"status": "queued"}

    def _status(self) -> dict[str, Any]:
        if self.running:
            self.running -= 1
            return {"status": "processing" if self.running == 0 else "queued"}
        told, self.ended = self.ended, None  # reading it clears it
        return told or {"status": "ready"}

    def _import(self, rows: list[dict[str, str]]) -> dict[str, Any]:
        info: dict[str, Any] = {"exec_count": 0, "duplicate_count": 0, "overquota_count": 0}
        info |= {"skipped_futures": False, "skipped_options": False, "skipped_forex": False}
        for number, row in enumerate(rows, start=1):
            problem = _problem(row)
            if problem:
                return {
                    "status": "failed", "info": {**info, "error_description": problem, "error_execnumber": number},
                }  # fmt: skip
        for row in rows:
            key = tuple(row[name] for name in ("datetime", "symbol", "quantity", "price"))
            if self.stored[key]:
                info["duplicate_count"] += 1
            elif self.quota is not None and self.stored.total() >= self.quota:
                info["overquota_count"] += 1
            else:
                self.stored[key] += 1
                info["exec_count"] += 1
        return {"status": "succeeded", "info": info}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._do("GET")

            def do_POST(self) -> None:
                self._do("POST")

            def _do(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = server.faults.popleft() if server.faults else ""
                if fault == "lost request":
                    return self._drop()
                if fault in ("503", "429"):
                    return self._say(int(fault), b"<html>try later</html>")
                found = (404, {"error": "no such thing"})
                if self.path == PATH:
                    found = server.answer(method, dict(self.headers), body)
                if fault == "lost answer":
                    return self._drop()
                return self._say(found[0], b"\xff{" if fault == "nonsense" else json.dumps(found[1]).encode())

            def _say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", server.retry_after)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _drop(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

            def finish(self) -> None:
                if not self.connection._closed:  # type: ignore[attr-defined]  # sockets tell it in no other way
                    super().finish()

        return Handler


def _problem(row: dict[str, str]) -> str:
    if row["symbol"] == "WRONG":
        return "at least one data row had an invalid symbol"
    try:
        if not Decimal(row["quantity"]) or Decimal(row["price"]) <= 0:
            return "at least one data row had an invalid quantity"
        moment = datetime.fromisoformat(row["datetime"])
    except (InvalidOperation, ValueError):
        return "at least one data row could not be read"
    return "" if moment.tzinfo else "at least one data row has no time zone"
