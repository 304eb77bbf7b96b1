"""A client of the HTTP API (docs/how-to/http-api.md) that needs nothing but `requests`:
`ApiClient("http://127.0.0.1:8787", token).push([{"symbol": "AAPL", "score": 0.8, "confidence": 0.9}])`."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

import requests


class RequestRefused(Exception):
    """The server refused a request; `problem` is its problem document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem.get('status')}: {problem.get('detail')}")
        self.problem = problem


class ApiClient:
    """One server, one token; timeout in seconds. Raises RequestRefused, or what `requests` raises without answer."""

    def __init__(self, url: str, token: str, timeout: float = 40.0) -> None:
        self._url, self._token, self._timeout = url.rstrip("/"), token, timeout

    def push(self, frame: Any, key: str | None = None) -> Any:
        """Insert a frame or rows with symbol, score, confidence; returns their receipts. key: repeating it is safe."""
        return self._ask("POST", "/api/v1/signals", {"signals": rows_of(frame)}, key)["receipts"]

    def targets(self, frame: Any, *, complete: bool = False) -> Any:
        """Replace this token's weights: a frame, rows, or weights by symbol. complete: what is not in it is sold."""
        rows = [{"symbol": k, "weight": v} for k, v in frame.items()] if isinstance(frame, dict) else rows_of(frame)
        return self._ask("PUT", "/api/v1/targets", {"complete": complete, "targets": rows})

    def why(self, name: str) -> Any:
        """What became of a signal, by its receipt's id or its own."""
        return self._ask("GET", f"/api/v1/signals/{quote(name, safe='')}")

    def positions(self) -> Any:
        """The positions after the last cycle; decimals are strings."""
        return self._ask("GET", "/api/v1/positions")["positions"]

    def _ask(self, method: str, path: str, body: object = None, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        headers |= {} if key is None else {"Idempotency-Key": hashlib.sha256(key.encode()).hexdigest()}
        text = None if body is None else json.dumps(body, allow_nan=False, default=str)
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor .netrc may see or replace the token
            answer = session.request(method, self._url + path, data=text, headers=headers, timeout=self._timeout)
        if answer.status_code >= 400:
            raise RequestRefused(answer.json())
        return answer.json()


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """The rows of a frame, or the rows as given, without empty cells; numbers of numpy as Python's."""
    rows = frame.to_dict("records") if hasattr(frame, "to_dict") else frame
    return [{str(k): v.item() if hasattr(v, "item") else v for k, v in row.items() if v == v} for row in rows]
