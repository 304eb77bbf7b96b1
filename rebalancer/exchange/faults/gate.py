"""Faults of requests and answers. Stands behind keys and rate limit, before the routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rebalancer.exchange import errors
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.faults.bending import Answer, bend, refuse_flagged, with_body
from rebalancer.exchange.faults.connection import gone, hang_up, is_closing, reset
from rebalancer.exchange.faults.refusals import REFUSALS
from rebalancer.exchange.faults.rules import Rule
from rebalancer.exchange.http.body import SIZE_MAX
from rebalancer.exchange.http.gate import SKEW

_ENDLESS: Final = "/v2/events/"  # answers without an end: only faults that need none of it strike there
_LATE_POLL_SECONDS: Final = 0.01
_STOP_POLL_SECONDS: Final = 0.05


class FaultGate:
    """Lets a request through, or lets it go wrong."""

    def __init__(self, app: ASGIApp, exchange: Exchange, is_stopping: Callable[[], bool]) -> None:
        self._app, self.exchange, self._is_stopping = app, exchange, is_stopping
        self._late: set[asyncio.Task[Answer]] = set()
        self._plays: dict[str, Callable[[Rule, _Request], Awaitable[None]]] = {
            "lost_before": self._lost_before,
            "lost_after": self._lost_after,
            "late": self._come_late,
            "delivered_twice": self._twice,
            "hang": self._hang,
            "drip": self._drip,
            "rate_limit": self._rate_limit,
            "http_error": self._http_error,
            "malformed": self._malformed,
            "truncated": self._truncated,
            "refuse": self._refuse,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        rules = self.exchange.faults.on_request(method, path)
        if not rules or (path.startswith(_ENDLESS) and rules[0].kind not in ("lost_before", "rate_limit", "refuse")):
            await self._app(scope, receive, send)
            return
        request = _Request(self, scope, receive, send, rules, await _read(receive))
        for rule in rules:
            if rule.kind == "human_trade":
                with suppress(ApiError):
                    self.exchange.submit(rule.parameters["order"])
            elif rule.kind == "clock_skew":
                scope[SKEW] = rule.parameters["seconds"]
        refuse_flagged(rules, method, path)
        first = next((rule for rule in rules if rule.kind in self._plays), None)
        if first is not None:
            await self._plays[first.kind](first, request)
        else:
            await request.answer(await request.carry_out())

    async def run(self, scope: Scope, body: bytes) -> Answer:
        """Carry a request out and keep its answer."""
        parts: list[bytes] = []
        head: Message = {}

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(dict(scope), receive, send)
        return Answer(head["status"], list(head["headers"]), b"".join(parts))

    # --- one method a fault ------------------------------------------------------------------------------------------

    async def _lost_before(self, _: Rule, request: _Request) -> None:
        await reset(request.scope, request.receive)

    async def _lost_after(self, _: Rule, request: _Request) -> None:
        await request.carry_out()
        await reset(request.scope, request.receive)

    async def _come_late(self, rule: Rule, request: _Request) -> None:
        due = self.exchange.clock.micros() + round(rule.parameters["seconds"] * MICROS)

        async def later() -> Answer:
            while self.exchange.clock.micros() < due:
                await asyncio.sleep(_LATE_POLL_SECONDS)
            return await request.carry_out()

        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        if rule.parameters["answer"] == "504":
            await request.answer(_page(504))
        else:
            await reset(request.scope, request.receive)

    async def _twice(self, _: Rule, request: _Request) -> None:
        await request.carry_out()
        await request.answer(await request.carry_out())

    async def _hang(self, rule: Rule, request: _Request) -> None:
        if rule.parameters["booked"]:
            await request.carry_out()
        leaving = asyncio.ensure_future(gone(request.receive))
        left = rule.parameters["seconds"]
        while not leaving.done() and left > 0 and not self._is_stopping():
            await asyncio.wait((leaving,), timeout=min(_STOP_POLL_SECONDS, left))
            left -= _STOP_POLL_SECONDS
        if leaving.done():
            return
        leaving.cancel()
        await reset(request.scope, request.receive)

    async def _drip(self, rule: Rule, request: _Request) -> None:
        answer = await request.carry_out()
        await request.begin(answer)
        for number in range(len(answer.body)):
            if is_closing(request.scope) or self._is_stopping():
                break
            await request.part(answer.body[number : number + 1])
            await asyncio.sleep(1.0 / rule.parameters["bytes_per_second"])
        else:
            await request.end()
            return
        await hang_up(request.scope, request.receive)

    async def _rate_limit(self, rule: Rule, request: _Request) -> None:
        refusal = errors.rate_limited()
        answer = _json(refusal)
        if rule.parameters["retry_after"]:
            answer.headers.append((b"retry-after", str(rule.parameters["retry_after"]).encode()))
        await request.answer(answer)

    async def _http_error(self, rule: Rule, request: _Request) -> None:
        if rule.parameters["booked"]:
            await request.carry_out()
        status = rule.parameters["status"]
        if rule.parameters["json"]:
            await request.answer(
                _json(ApiError(status, {"code": status * 100_000, "message": _phrase(status).lower()}))
            )
        else:
            await request.answer(_page(status))

    async def _malformed(self, _: Rule, request: _Request) -> None:
        answer = await request.carry_out()
        await request.answer(with_body(answer, 200, answer.body[:-1] + b",}"))

    async def _truncated(self, rule: Rule, request: _Request) -> None:
        answer = await request.carry_out()
        kept = min(int(len(answer.body) * rule.parameters["share"]), max(len(answer.body) - 1, 0))
        await request.begin(answer)
        await request.part(answer.body[:kept])
        await hang_up(request.scope, request.receive)

    async def _refuse(self, rule: Rule, request: _Request) -> None:
        raise REFUSALS[rule.parameters["reason"]](_symbol(request.body))


class _Request:
    """One request with its body read, and what the rules make of its answer."""

    def __init__(
        self, gate: FaultGate, scope: Scope, receive: Receive, send: Send, rules: list[Rule], body: bytes
    ) -> None:
        self.scope, self.receive, self.body = scope, receive, body
        self._gate, self._send, self._rules = gate, send, rules

    async def carry_out(self) -> Answer:
        """Do what is asked."""
        answer = await self._gate.run(self.scope, self.body)
        return bend(self._gate.exchange, self._rules, self.scope["method"], self.scope["path"], answer)

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer."""
        await self.begin(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def begin(self, answer: Answer) -> None:
        """Send status and headers."""
        await self._send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})

    async def part(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Finish the body."""
        await self._send({"type": "http.response.body", "body": b""})


async def _read(receive: Receive) -> bytes:
    """The request's body, cut one byte after the largest that the exchange reads."""
    body: bytes = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body = (body + part)[: SIZE_MAX + 1]
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return body


def _symbol(body: bytes) -> str:
    with suppress(ValueError):
        document = json.loads(body)
        if isinstance(document, dict) and isinstance(document.get("symbol"), str):
            return str(document["symbol"])[:24]
    return "X"


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Server Error"


def _page(status: int) -> Answer:
    words = f"{status} {_phrase(status)}"
    body = f"<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>".encode()
    return Answer(status, [(b"content-type", b"text/html"), (b"content-length", str(len(body)).encode())], body)


def _json(refusal: ApiError) -> Answer:
    body = json.dumps(refusal.body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return Answer(refusal.status, headers, body)
