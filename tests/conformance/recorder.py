"""Sends the calls of the scripted session and keeps every answer."""

from __future__ import annotations

from typing import Any, Final

import requests

from rebalancer.exchange.starter import RunningExchange
from tests.conformance.schema_check import Answer

KEYS: Final = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


class Recorder:
    """`call` names the endpoint by its template: "GET /v2/orders/{order_id}"."""

    def __init__(self, http: requests.Session, running: RunningExchange) -> None:
        self.running = running
        self._http = http
        self.answers: list[Answer] = []

    def __call__(
        self,
        call: str,
        case: str,
        *values: str,
        status: int = 200,
        query: dict[str, Any] | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send one call; `values` fill the template's names in order. Returns the JSON body, None when empty."""
        method, _, template = call.partition(" ")
        path = template
        for value in values:
            head, _, rest = path.partition("{")
            path = head + value + rest.partition("}")[2]
        assert "{" not in path, f"{call} needs more values"
        answer = self._http.request(
            method,
            self.running.url + path,
            params=query,
            json=body,
            headers=KEYS if headers is None else headers,
            timeout=300,
        )
        found = answer.json() if answer.content else None
        self.answers.append(Answer(call, case, status, answer.status_code, found))
        return found

    def later(self, seconds: float = 5.0) -> None:
        """Let simulated time pass, so that orders fill and cancellations take effect."""
        self.running.clock.advance(seconds)
