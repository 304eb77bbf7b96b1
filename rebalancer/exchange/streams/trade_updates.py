"""`/stream`: the account's order events over a websocket.

Only one connection at a time, as at Alpaca: another one is answered 429 at the handshake. Nothing is replayed: a client
hears what happens after it listens, and reads the rest over REST or the replayable `/v2/events/trades`.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import rate_limited
from rebalancer.exchange.streams.channel import Channel, Unreadable, coding_of
from rebalancer.exchange.streams.conversation import Conversation
from rebalancer.exchange.streams.events import Event
from rebalancer.exchange.streams.hub import AUTH_SECONDS, Hub

STREAM: Final = "trade_updates"
_HELD_POLLS_MAX: Final = 50  # a held-back event goes out after about a second when no other follows


def trade_update_routes(exchange: Exchange, hub: Hub) -> list[WebSocketRoute]:
    """Both spellings: the older Python SDK connects to `/stream/`."""

    async def stream(socket: WebSocket) -> None:
        if not hub.take("/stream"):
            refusal = rate_limited()
            await socket.send_denial_response(JSONResponse(refusal.body, refusal.status))
            return
        try:
            await socket.accept()
            await _Conversation(exchange, hub, Channel(socket, coding_of(socket, "binary"))).hold()
        finally:
            hub.leave("/stream")

    return [WebSocketRoute("/stream", stream), WebSocketRoute("/stream/", stream)]


class _Conversation(Conversation):
    """One client from its handshake to its end."""

    def __init__(self, exchange: Exchange, hub: Hub, channel: Channel) -> None:
        super().__init__(hub, channel)
        self._exchange = exchange
        self._authorized = False
        self._listening = False
        self._seen = 0  # the number of the last event that was considered
        self._held: Event | None = None
        self._held_polls = 0
        self._mute = False

    async def read(self) -> None:
        """Obey the client; an unreadable message ends the stream."""
        while True:
            timeout = None if self._authorized else AUTH_SECONDS
            try:
                message = await asyncio.wait_for(self._channel.receive(), timeout)
            except TimeoutError:
                return
            except Unreadable:
                await self._channel.send({"action": "error", "data": {"error_message": "invalid message"}})
                return
            await self._obey(message)

    async def _obey(self, message: dict[str, Any]) -> None:
        action, data = message.get("action"), message.get("data")
        data = data if isinstance(data, dict) else {}
        if action in ("authenticate", "auth"):
            key, secret = data.get("key_id", message.get("key")), data.get("secret_key", message.get("secret"))
            self._authorized = isinstance(key, str) and isinstance(secret, str) and self._hub.knows(key, secret)
            status = "authorized" if self._authorized else "unauthorized"
            await self._channel.send({"stream": "authorization", "data": {"status": status, "action": "authenticate"}})
        elif action == "listen":
            if not self._authorized:
                refusal = {"status": "unauthorized", "action": "listen"}
                await self._channel.send({"stream": "authorization", "data": refusal})
                return
            asked = data.get("streams")
            listening = isinstance(asked, list) and STREAM in asked
            if listening and not self._listening:
                with self._exchange.reading():
                    self._seen = self._exchange.events.last()
            self._listening = listening
            await self._channel.send({"stream": "listening", "data": {"streams": [STREAM] if listening else []}})
        else:
            problem = f"unknown action {str(action)[:40]}"
            await self._channel.send({"action": "error", "data": {"error_message": problem}})

    async def push(self) -> None:
        """Send events as they are written down."""
        while await self._hub.pause():
            if not self._listening:
                continue
            with self._exchange.lock:
                events = self._exchange.events.after(self._seen)
            for event in events:
                self._seen = event.seq
                if not await self._tell(event):
                    return
            if self._held is not None and not events:
                self._held_polls += 1
                if self._held_polls >= _HELD_POLLS_MAX:
                    await self._release()

    async def _tell(self, event: Event) -> bool:
        """Send an event, unless a fault has other plans; False when the stream breaks off."""
        rule = self._exchange.faults.on_event(event.name)
        kind = "" if rule is None else rule.kind
        if kind == "stream_drop":
            return False
        if kind == "stream_mute":
            self._mute = True
        if kind == "stream_lose" or self._mute:
            return True
        if kind == "stream_reorder" and self._held is None:
            self._held, self._held_polls = event, 0
            return True
        for _ in range(2 if kind == "stream_duplicate" else 1):
            await self._send(event)
        await self._release()
        return True

    async def _release(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            await self._send(held)

    async def _send(self, event: Event) -> None:
        await self._channel.send({"stream": STREAM, "data": json.loads(event.body)})
