"""What all streams share: who may connect, who is connected, and when everybody has to go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

POLL_SECONDS: Final = 0.02
AUTH_SECONDS: Final = 10.0  # a connection that does not say who it is, is closed


class Hub:
    """The open streams of one server. Used in the server's event loop, except `close`."""

    def __init__(self, knows: Callable[[str, str], bool]) -> None:
        self.knows = knows  # whether a key and a secret are accepted
        self.closing = False
        self._taken: dict[str, int] = {}

    def take(self, path: str, places: int = 1) -> bool:
        """Take one of a path's places; False when there is none."""
        if self._taken.get(path, 0) >= places:
            return False
        self._taken[path] = self._taken.get(path, 0) + 1
        return True

    def leave(self, path: str) -> None:
        """Give a place back."""
        self._taken[path] -= 1

    def connected(self) -> dict[str, int]:
        """How many connections each path has."""
        return {path: number for path, number in sorted(self._taken.items()) if number}

    def close(self) -> None:
        """Let every stream end; called when the server stops."""
        self.closing = True

    async def pause(self, seconds: float = POLL_SECONDS) -> bool:
        """Wait a little; False when the streams have to end."""
        await asyncio.sleep(seconds)
        return not self.closing
