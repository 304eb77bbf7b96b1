"""`/v2/{feed}`, `/v1beta3/crypto/{location}` and `/v1beta1/news`: market data over a websocket.

Every frame holds a list of messages. Clients name every channel they know, most of them without symbols: a channel that
is unknown here, null or empty changes nothing and is no error.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.data_parameters import LOCATIONS
from rebalancer.exchange.streams.channel import Channel, Unreadable, coding_of
from rebalancer.exchange.streams.conversation import Conversation
from rebalancer.exchange.streams.hub import AUTH_SECONDS, Hub
from rebalancer.exchange.streams.market_feed import MarketFeed, Prices

FEEDS: Final = ("iex", "sip", "delayed_sip", "boats", "overnight")
_CRYPTO: Final = "/v1beta3/crypto/{location}"
_NEWS: Final = "/v1beta1/news"
_BATCH: Final = 500  # messages a frame
_ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    406: "connection limit exceeded",
}


def market_stream_routes(exchange: Exchange, hub: Hub) -> list[WebSocketRoute]:
    """Routes of market data streams."""

    async def stream(socket: WebSocket) -> None:
        feed, location = socket.path_params.get("feed", "iex"), socket.path_params.get("location", "us")
        if feed not in FEEDS or location not in LOCATIONS:
            await socket.send_denial_response(JSONResponse({"message": "not found"}, 404))
            return
        await socket.accept()
        given = (socket.headers.get("apca-api-key-id"), socket.headers.get("apca-api-secret-key"))
        channel = Channel(socket, coding_of(socket, "text"))
        await _Conversation(exchange, hub, channel, socket.url.path.rstrip("/"), given).hold()

    return [WebSocketRoute(path, stream) for path in ("/v2/{feed}", _CRYPTO, _NEWS)]


def _prices_of(path: str) -> Prices:
    return "news" if path == _NEWS else "crypto" if path.startswith("/v1beta3/") else "stocks"


class _Conversation(Conversation):
    """One client from its handshake to its end."""

    def __init__(
        self, exchange: Exchange, hub: Hub, channel: Channel, path: str, given: tuple[str | None, str | None]
    ) -> None:
        super().__init__(hub, channel)
        self._path, self._given = path, given
        self._feed = MarketFeed(exchange, _prices_of(path))
        self._authenticated = False

    def leave(self) -> None:
        """Let another connection take the place."""
        if self._authenticated:
            self._hub.leave(self._path)

    async def read(self) -> None:
        """Obey the client."""
        await self._channel.send([{"T": "success", "msg": "connected"}])
        if all(self._given) and not await self._authenticate(*self._given):
            return
        while True:
            try:
                timeout = None if self._authenticated else AUTH_SECONDS
                message = await asyncio.wait_for(self._channel.receive(), timeout)
            except TimeoutError:
                await self._error(404)
                return
            except Unreadable:
                await self._error(400)
                continue
            if not await self._obey(message):
                return

    async def _obey(self, message: dict[str, Any]) -> bool:
        """Do what a message asks; False when the connection has to end."""
        action = message.get("action")
        if action == "auth":
            return await self._authenticate(message.get("key"), message.get("secret"))
        if not self._authenticated:
            await self._error(401)
            return True
        if action not in ("subscribe", "unsubscribe"):
            await self._error(400)
            return True
        wanted = {name: message[name] for name in self._feed.channels if message.get(name) is not None}
        if not all(isinstance(one, list) and all(isinstance(s, str) for s in one) for one in wanted.values()):
            await self._error(400)
            return True
        for channel, symbols in wanted.items():
            change = self._feed.subscribe if action == "subscribe" else self._feed.unsubscribe
            change(channel, symbols)
        await self._channel.send([self._feed.subscriptions()])
        return True

    async def _authenticate(self, key: object, secret: object) -> bool:
        if self._authenticated:
            await self._error(403)
            return True
        if not (isinstance(key, str) and isinstance(secret, str) and self._hub.knows(key, secret)):
            await self._error(402)
            return False
        if not self._hub.take(self._path):
            await self._error(406)
            return False
        self._authenticated = True
        await self._channel.send([{"T": "success", "msg": "authenticated"}])
        return True

    async def push(self) -> None:
        """Send prices as they become known."""
        while await self._hub.pause():
            if self._authenticated:
                messages = self._feed.news()
                for start in range(0, len(messages), _BATCH):
                    await self._channel.send(messages[start : start + _BATCH])

    async def _error(self, code: int) -> None:
        await self._channel.send([{"T": "error", "code": code, "msg": _ERRORS[code]}])
