"""The live view of the accounts of this server, read once for all pages that are open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.documents import sha256
from rebalancer.execution.kill_switch import FILE_NAME
from rebalancer.journal.head_checkpoint import checkpoint_of
from rebalancer.ops import session_status, source_status
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.paths import LOCK_NAME
from rebalancer.report.live.gather import LivePlace, LiveReader
from rebalancer.report.live.page import live_parts
from rebalancer.report.live.records import LiveView
from rebalancer.web.place import WebPlace

FRESH_SECONDS: Final = 2.0  # what no file tells, such as a process that has died, is looked at so often


class LiveParts(NamedTuple):
    """The parts of the page, a name of exactly this text, and the view that they show."""

    html: str
    etag: str
    view: LiveView


class LiveBoard:
    """Reads the accounts again when a file of them has changed, at most once at a time. Belongs to one event loop."""

    def __init__(self, places: Sequence[WebPlace]) -> None:
        self._readers = [LiveReader(_place(place)) for place in places]
        self._files = [path for place in places for path in _watched(place)]
        self._clock, self._lock = SystemClock(), asyncio.Lock()
        self._stamps: tuple[object, ...] = ()
        self._read_at = -FRESH_SECONDS
        self._view: LiveView | None = None
        self._parts: LiveParts | None = None

    async def view(self) -> LiveView:
        """The accounts as they are. Raises JournalBroken."""
        async with self._lock:
            stamps = await asyncio.to_thread(self._look)
            is_fresh = self._clock.monotonic() - self._read_at < FRESH_SECONDS
            if self._view is None or stamps != self._stamps or not is_fresh:
                self._view = None
                self._view = await asyncio.to_thread(self._read, self._clock.wall())
                self._stamps, self._read_at = stamps, self._clock.monotonic()
            return self._view

    async def parts(self) -> LiveParts:
        """The parts of the page, as they are. Raises JournalBroken."""
        view = await self.view()
        if self._parts is None or self._parts.view is not view:
            html = await asyncio.to_thread(live_parts, view)
            self._parts = LiveParts(html, f'"{sha256(html)[:32]}"', view)
        return self._parts

    def _read(self, now: datetime) -> LiveView:
        return LiveView(tuple(reader.read(now) for reader in self._readers), now)

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in self._files)


def _place(place: WebPlace) -> LivePlace:
    return LivePlace(place.state, place.report_mode, place.journal.place, place.name)


def _watched(place: WebPlace) -> tuple[Path, ...]:
    names = (FILE_NAME, session_status.NAME, source_status.NAME, LOCK_NAME)
    journal = place.journal.place
    file = (journal,) if isinstance(journal, Path) else ()  # what a database holds is looked at every two seconds
    return (checkpoint_of(journal).path, *file, *(place.state / name for name in names))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
