"""One websocket from its handshake to its end: what the account's stream and the price streams have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from starlette.websockets import WebSocketDisconnect

from rebalancer.exchange.streams.channel import Channel
from rebalancer.exchange.streams.hub import Hub


class Conversation(ABC):
    """Reads and pushes at the same time until either ends. A stream says how in `read` and `push`."""

    def __init__(self, hub: Hub, channel: Channel) -> None:
        self._hub, self._channel = hub, channel

    async def hold(self) -> None:
        """Read and push until either side ends, then close."""
        pushing = asyncio.create_task(self.push())
        reading = asyncio.create_task(self.read())
        try:
            await asyncio.wait((pushing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pushing, reading):
                task.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect):
                    await task
            self.leave()
        await self._channel.close(1012 if self._hub.closing else 1000)

    @abstractmethod
    async def read(self) -> None:
        """Obey what the client says; returns when the stream has to end."""

    @abstractmethod
    async def push(self) -> None:
        """Send what happens; returns when the stream has to end."""

    def leave(self) -> None:  # noqa: B027  # one of two holds nothing
        """Give back what the stream holds."""
