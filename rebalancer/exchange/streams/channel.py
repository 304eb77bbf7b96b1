"""One websocket that speaks JSON in text or binary frames, or msgpack."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from rebalancer.core.values import time_text

Coding = Literal["text", "binary", "msgpack"]


class Unreadable(ValueError):
    """A message that is not an object in the connection's coding."""


class Channel:
    """Sends and receives documents; aware datetimes become text, or timestamps in msgpack."""

    def __init__(self, socket: WebSocket, coding: Coding) -> None:
        self._socket, self._coding = socket, coding

    async def send(self, document: object) -> None:
        """Send one document. Raises WebSocketDisconnect when the other side has gone."""
        if self._socket.client_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect
        if self._coding == "msgpack":
            import msgpack  # type: ignore[import-untyped] # ships no type marker

            await self._socket.send_bytes(msgpack.packb(document, datetime=True))
            return
        text = json.dumps(document, default=_as_text)
        if self._coding == "text":
            await self._socket.send_text(text)
        else:
            await self._socket.send_bytes(text.encode())

    async def receive(self) -> dict[str, Any]:
        """The next document, text or binary whatever we send ourselves. Raises Unreadable, WebSocketDisconnect."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        raw = message.get("bytes")
        if raw is None:
            raw = message.get("text", "").encode()
        return _read(raw, as_msgpack=self._coding == "msgpack")

    async def close(self, code: int = 1000) -> None:
        """Close; harmless when the other side has gone."""
        if self._socket.client_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):  # a client that vanished is noticed only now
                await self._socket.close(code)


def coding_of(socket: WebSocket, otherwise: Coding) -> Coding:
    """The coding that a client asks for: msgpack by header, text or binary JSON by `?frames=`."""
    if "msgpack" in socket.headers.get("content-type", ""):
        return "msgpack"
    match socket.query_params.get("frames"):
        case "text":
            return "text"
        case "binary":
            return "binary"
    return otherwise


def _read(raw: bytes, *, as_msgpack: bool) -> dict[str, Any]:
    try:
        if as_msgpack and raw[:1] != b"{":
            import msgpack

            found = msgpack.unpackb(raw)
        else:
            found = json.loads(raw.decode())
    except (ValueError, RecursionError):  # also what msgpack raises
        raise Unreadable("not a document") from None
    if not isinstance(found, dict):
        raise Unreadable("not an object")
    return found


def _as_text(value: object) -> str:
    assert isinstance(value, datetime)
    return time_text(value)
