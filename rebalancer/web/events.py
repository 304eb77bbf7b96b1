"""Server-sent events: the journal's rows as they are written, exactly once to each reader.

An event's id is its row number, so `Last-Event-ID` resumes without gap or repetition, from the journal itself. No queue
belongs to a reader: it holds its position, and what it has not taken yet waits in the journal. A reader that falls
`BEHIND_MAX` rows behind is sent away with the event `reload`, and the server ends the connection of one that takes
nothing; both connect again and resume. A `head` event without id tells every five seconds that the stream
lives.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rebalancer.core.errors import ExternalError
from rebalancer.core.values import time_text
from rebalancer.journal.read_only import ReadOnlyJournal
from rebalancer.journal.records import Event
from rebalancer.ops.clock import SystemClock
from rebalancer.web.problems import HttpProblem

LOG: Final = logging.getLogger(__name__)
LOOK_SECONDS: Final = 0.2
HEAD_SECONDS: Final = 5.0
BEHIND_MAX: Final = 5000
STREAMS_MAX: Final = 200
_ROWS: Final = 200  # read at once
_PART_BYTES: Final = 64 * 1024  # sent at once
_KEPT_ROWS, _KEPT_BYTES = 2000, 8 * 1024 * 1024


class StreamRow(NamedTuple):
    """One event as it goes over the wire."""

    seq: int
    text: bytes

    @property
    def untyped(self) -> bytes:
        """The same without its type, which stands in the data too."""
        start = self.text.index(b"\nevent: ")
        return self.text[:start] + self.text[self.text.index(b"\n", start + 1) :]


class JournalHead(NamedTuple):
    """The newest row of the journal; 0 and "" for one without rows."""

    seq: int
    hash: str


class EventHub:
    """Watches one journal for all readers. Belongs to one event loop."""

    def __init__(self, journal: ReadOnlyJournal) -> None:
        self._journal = journal
        self.head = JournalHead(0, "")
        self.streams = 0
        self.stopping = asyncio.Event()
        self._grown = asyncio.Event()
        self._recent: deque[StreamRow] = deque()
        self._bytes = 0
        self._problem = ""
        self.edition = 0  # counts replacements of the journal, after which row numbers mean something else

    async def watch(self, alive: Callable[[], None]) -> None:
        """Follow the journal until `stopping` is set. A journal that cannot be read is looked at again. alive: called
        after a look, every few seconds."""
        monotonic = SystemClock().monotonic
        called_at = -HEAD_SECONDS
        while not self.stopping.is_set():
            await self.look()
            if monotonic() - called_at >= HEAD_SECONDS:
                called_at = monotonic()
                alive()
            try:
                await asyncio.wait_for(self.stopping.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    async def look(self) -> JournalHead:
        """Look at the head once, take in what is new, and return it."""
        try:
            found = await asyncio.to_thread(self._newest)
            if found != self.head:
                if found.seq < self.head.seq or (found.seq == self.head.seq and self.head.hash and found.hash):
                    self._replaced()  # a hash that was not written yet when the row was is no other row
                await self._take(found)
            self._problem = ""
        except (ExternalError, OSError) as error:
            text = str(error).partition("\n")[0]
            if text != self._problem:
                LOG.warning("the journal cannot be read: %s", text)
            self._problem = text
        return self.head

    async def after(self, seq: int) -> Sequence[StreamRow]:
        """The next rows after a number, oldest first; empty at the head. Raises JournalBroken."""
        if seq >= self.head.seq:
            return ()
        if self._recent and self._recent[0].seq <= seq + 1:
            first = seq + 1 - self._recent[0].seq
            return [self._recent[i] for i in range(first, min(first + _ROWS, len(self._recent)))]
        events = await asyncio.to_thread(self._journal.events_after, seq, None, _ROWS)
        return [_row(event) for event in events if event.seq <= self.head.seq]

    async def changed(self, seconds: float) -> None:
        """Return when the head has moved, when the server stops, or after so many seconds."""
        grown = self._grown
        try:
            await asyncio.wait_for(grown.wait(), max(seconds, 0.001))
        except TimeoutError:
            return

    def stop(self) -> None:
        """End all streams."""
        self.stopping.set()
        self._grown.set()

    async def _take(self, found: JournalHead) -> None:
        behind = found.seq - self.head.seq
        if self.head.seq and behind <= _KEPT_ROWS:
            for event in await asyncio.to_thread(self._journal.events_after, self.head.seq, None, behind):
                row = _row(event)
                self._recent.append(row)
                self._bytes += len(row.text)
                while len(self._recent) > _KEPT_ROWS or self._bytes > _KEPT_BYTES:
                    self._bytes -= len(self._recent.popleft().text)
        else:
            self._recent.clear()
            self._bytes = 0
        if self._recent and self._recent[-1].seq != found.seq:  # rows were written after the head was read
            found = JournalHead(self._recent[-1].seq, found.hash) if self._recent[-1].seq > found.seq else found
        self.head = found
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        if self.stopping.is_set():
            self._grown.set()

    def _replaced(self) -> None:
        self.edition += 1
        self.head = JournalHead(0, "")
        self._recent.clear()
        self._bytes = 0

    def _newest(self) -> JournalHead:
        return JournalHead(*self._journal.newest())


class EventStream(Response):
    """The answer to one reader. position: the last row it has. untyped: every row is a plain message, since a browser
    drops types that it does not listen to."""

    media_type = "text/event-stream"

    def __init__(self, hub: EventHub, position: int, *, untyped: bool = False) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        self._hub, self._position, self._untyped = hub, position, untyped
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - required by ASGI
        hub = self._hub
        gone = asyncio.create_task(_disconnected(receive))
        hub.streams += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            sending = asyncio.create_task(self._send_all(send))
            await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            else:
                sending.result()
        finally:
            hub.streams -= 1
            gone.cancel()

    async def _send_all(self, send: Send) -> None:
        hub, edition = self._hub, self._hub.edition
        monotonic = SystemClock().monotonic
        is_live, sent_at = False, -HEAD_SECONDS
        while not hub.stopping.is_set():
            if monotonic() - sent_at >= HEAD_SECONDS:
                sent_at = monotonic()
                await _send(send, _head(hub.head))
            rows = await hub.after(self._position)
            if hub.edition != edition or (is_live and hub.head.seq - self._position > BEHIND_MAX):
                await _send(send, _reload(hub.head))
                break
            if not rows:
                is_live = True
                await hub.changed(sent_at + HEAD_SECONDS - monotonic())
                continue
            for part in _parts(rows):
                await _send(send, b"".join(row.untyped if self._untyped else row.text for row in part))
                self._position = part[-1].seq
                if hub.stopping.is_set() or (is_live and hub.head.seq - self._position > BEHIND_MAX):
                    break
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def position_of(text: str | None, head: int) -> int:
    """Where a reader goes on: after its last event, at the head without one. A number beyond the head belongs to
    another journal: the reader begins at the head. Raises HttpProblem 400 for what is no number."""
    if text is None or not text.strip():
        return head
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise HttpProblem(400, "Last-Event-ID is the number of a journal row")
    return min(int(text), head)


def _parts(rows: Sequence[StreamRow]) -> Iterator[list[StreamRow]]:
    """The rows in parts of about `_PART_BYTES`: no more waits in this process for a reader."""
    part: list[StreamRow] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row.text)
        if size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _row(event: Event) -> StreamRow:
    document = {
        "seq": event.seq,
        "at": time_text(event.at),
        "kind": event.kind,
        "cycle_id": event.cycle_id,
        "key": event.key,
        "body": event.body,
    }
    data = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    kind = event.kind if event.kind.isidentifier() and event.kind.isascii() else "other"
    return StreamRow(event.seq, f"id: {event.seq}\nevent: {kind}\ndata: {data}\n\n".encode())


def _head(head: JournalHead) -> bytes:
    data = {"seq": head.seq, "hash": head.hash[:8], "at": time_text(SystemClock().wall())}
    return f"event: head\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _reload(head: JournalHead) -> bytes:
    return f'event: reload\ndata: {{"seq":{head.seq}}}\n\n'.encode()
