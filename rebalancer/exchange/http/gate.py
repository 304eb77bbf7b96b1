"""What stands before every route: door, keys, rate limit, the simulated Date header, and a 500 for faults of ours."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import logging
import time
from collections import deque
from datetime import timedelta
from email.utils import format_datetime
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.door import LOOPBACK_NAMES, Refusal, check_door
from rebalancer.exchange.errors import ApiError, data_rate_limited, internal, rate_limited, unauthorized
from rebalancer.exchange.options import ResetClock

_WINDOW_SECONDS: Final = 60.0
_CRYPTO_DATA: Final = "/v1beta3/crypto/"  # public: no keys needed
_DATA: Final = ("/v2/stocks/", "/v1beta1/", "/v1beta3/", "/v1/corporate-actions")  # a rate limit of its own
LOG_MAX: Final = 200_000
_HINT: Final = "; --allow-host adds a name"


class GateRules(NamedTuple):
    """`key` None accepts any pair; latency is wall seconds a call.

    The rate limit counts trading and market data apart, each to the same number; 0 means none. `reset_clock` says on
    which clock X-Ratelimit-Reset is told. `names` are the hosts that the port answers to.
    """

    key: str | None = None
    secret: str | None = None
    rate_limit_per_minute: int = 200
    latency_seconds: float = 0.0
    reset_clock: ResetClock = "auto"
    names: frozenset[str] = LOOPBACK_NAMES

    def knows(self, key: str, secret: str) -> bool:
        """Whether a pair of keys is accepted."""
        if self.key is None:
            return bool(key and secret)
        return _same(key, self.key) and _same(secret, self.secret or "")


SKEW: Final = "exchange.skew_seconds"  # in the scope: a fault that shifts the Date header


class _Bucket:
    """How many requests of one kind have come in the current window."""

    def __init__(self) -> None:
        self.ends, self.used = 0.0, 0


class Gate:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, exchange: Exchange, rules: GateRules) -> None:
        self._app, self._exchange, self._rules = app, exchange, rules
        self.request_log: deque[tuple[str, str]] = deque(maxlen=LOG_MAX)
        self._trading, self._data = _Bucket(), _Bucket()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._open_stream(scope, receive, send)
            return
        path = scope["path"]
        self.request_log.append((scope["method"], path))
        if self._rules.latency_seconds:
            await asyncio.sleep(self._rules.latency_seconds)
        extra: list[tuple[bytes, bytes]] = []
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                now = self._exchange.clock.now() + timedelta(seconds=scope.get(SKEW, 0.0))
                date = (b"date", format_datetime(now, usegmt=True).encode())
                message["headers"] = [*message["headers"], date, *extra]
            await send(message)

        try:
            check_door(scope, self._rules.names, _HINT)
            self._check_keys(path, Headers(scope=scope))
            is_data = path.startswith(_DATA)
            bucket = self._data if is_data else self._trading
            extra += self._count(bucket)
            if bucket.used > self._rules.rate_limit_per_minute > 0:
                raise data_rate_limited() if is_data else rate_limited()
            await self._app(scope, receive, send_with_headers)
        except Refusal as refusal:
            await _answer(ApiError(refusal.status, {"message": refusal.message}), send_with_headers)
        except ApiError as refusal:
            await _answer(refusal, send_with_headers)
        except Exception:  # whatever is our fault is logged and answered 500; the server goes on
            logging.getLogger(__name__).exception("%s %s failed", scope["method"], path)
            if not started:
                await _answer(internal(), send_with_headers)

    async def _open_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a websocket in, unless it comes from elsewhere."""
        try:
            if scope["type"] == "websocket":
                check_door(scope, self._rules.names, _HINT)
        except Refusal as refusal:
            answer = JSONResponse({"message": refusal.message}, refusal.status)
            await WebSocket(scope, receive, send).send_denial_response(answer)
            return
        await self._app(scope, receive, send)

    def _check_keys(self, path: str, headers: Headers) -> None:
        if path.startswith(_CRYPTO_DATA):
            return
        key, secret = _credentials(headers)
        if not key or secret is None or not self._rules.knows(key, secret):
            raise unauthorized()

    def _count(self, bucket: _Bucket) -> list[tuple[bytes, bytes]]:
        """Count a request in its fixed window of wall time; returns the headers.

        X-Ratelimit-Reset is where a clock stands when the window ends, in so many wall seconds: the machine's clock,
        as clients compare it with, or at another speed the simulated one, which the Date header tells.
        """
        limit = self._rules.rate_limit_per_minute
        if not limit:
            return []
        now = time.monotonic()
        if now >= bucket.ends:
            bucket.ends, bucket.used = now + _WINDOW_SECONDS, 0
        bucket.used += 1
        clock, chosen = self._exchange.clock, self._rules.reset_clock
        on_wall = chosen == "wall" or (chosen == "auto" and clock.speed == 1)
        clock_now = time.time() if on_wall else clock.now().timestamp()  # noqa: TID251 - clients compare it with theirs
        reset = int(clock_now + bucket.ends - now) + 1
        pairs = (("limit", limit), ("remaining", max(limit - bucket.used, 0)), ("reset", reset))
        return [(f"x-ratelimit-{name}".encode(), str(value).encode()) for name, value in pairs]


def _credentials(headers: Headers) -> tuple[str | None, str | None]:
    """Key and secret from Alpaca's headers, HTTP Basic, or a bearer token (which stands for both)."""
    key, secret = headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")
    if key and secret:
        return key, secret
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token, token
    if scheme.lower() == "basic":
        try:
            name, _, word = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None, None
        return name, word
    return None, None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


async def _answer(refusal: ApiError, send: Send) -> None:
    body = json.dumps(refusal.body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
