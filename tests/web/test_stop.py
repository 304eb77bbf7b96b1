"""The end of the server: what it waits for, and what it does not."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from rebalancer.web import server as serving
from rebalancer.web.events import _disconnected

LONG = 600  # seconds that no test waits for


async def endless(_: Scope, receive: Receive, send: Send) -> None:
    """An answer that goes on until its reader is gone."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    gone = asyncio.create_task(_disconnected(receive))
    while not gone.done():
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await asyncio.sleep(0)


async def paused(server: uvicorn.Server) -> None:
    """Return once a reader of this server takes nothing more."""
    while not any(getattr(one, "_slow", None) for one in server.server_state.connections):
        await asyncio.sleep(0.01)


def test_the_end_waits_for_no_reader_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GRACE_SECONDS", LONG)
    monkeypatch.setattr(serving._TimedProtocol, "_patience", LONG)

    async def course(listener: socket.socket, reader: socket.socket) -> None:
        server = serving._Server(endless)
        running = asyncio.create_task(server.serve([listener]))
        reader.connect(listener.getsockname())
        await asyncio.to_thread(reader.sendall, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(paused(server), 60)
        server.should_exit = True
        await asyncio.wait_for(running, 60)

    with serving._listening(serving.ListenAddress("127.0.0.1", 0)) as listener, socket.socket() as reader:
        asyncio.run(course(listener, reader))
