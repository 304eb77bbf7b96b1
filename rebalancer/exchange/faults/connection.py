"""Connections that can be broken on purpose: the HTTP protocol hands its socket to the application."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_KEY: Final = "exchange.transport"
_NO_LINGER: Final = struct.pack("ii", 1, 0)  # closing sends a reset instead of a farewell


class BreakableProtocol(H11Protocol):
    """HTTP/1.1 whose requests carry their transport in the ASGI scope."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        inner: ASGIApp = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_KEY] = self.transport
            await inner(scope, receive, send)

        self.app = with_transport


async def reset(scope: Scope, receive: Receive) -> None:
    """Reset the connection, so that the client sees neither an answer nor an orderly end."""
    transport = _transport(scope)
    plug = transport.get_extra_info("socket")
    if plug is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await gone(receive)


async def hang_up(scope: Scope, receive: Receive) -> None:
    """End the connection after what has been sent."""
    _transport(scope).close()
    await gone(receive)


async def gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def is_closing(scope: Scope) -> bool:
    """Whether the connection has ended or is about to."""
    return _transport(scope).is_closing()


def _transport(scope: Scope) -> asyncio.Transport:
    transport = scope[_KEY]
    assert isinstance(transport, asyncio.Transport)
    return transport
