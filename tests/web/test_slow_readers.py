"""Readers of the events that are too slow: sent away or dropped, at a bounded cost; nothing is lost to them."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import Message

from rebalancer.journal import Journal
from rebalancer.journal.read_only import ReadOnlyJournal
from rebalancer.web.events import BEHIND_MAX, EventHub, EventStream
from tests.web.conftest import Server
from tests.web.test_events import fresh as fresh
from tests.web.test_events import read_on, write

ROW_BYTES = 4000
ROWS = BEHIND_MAX + 1000
STUCK = 30


def memory(server: Server) -> int:
    """Bytes of the server that are in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def streams(server: Server) -> int:
    found = re.search(r"^rebalancer_event_streams (\d+)", server.ask("GET", "/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def opened(server: Server) -> socket.socket:
    """A reader at the head, which has been answered, and from then on reads nothing."""
    place = urlsplit(server.url)
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(120)
    reader.connect((place.hostname, place.port))
    reader.sendall(
        f"GET /api/v1/events HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Authorization: Bearer {server.tokens['read']}\r\n\r\n".encode()
    )
    assert b"200 OK" in reader.recv(12_000)
    return reader


def test_readers_that_take_nothing_are_dropped_and_cost_little(fresh: tuple[Server, Journal]) -> None:
    """They are live, then more than 5,000 rows behind: 24 MB for each of them, which nobody keeps."""
    server, journal = fresh
    write(journal, 1)
    readers = [opened(server) for _ in range(STUCK)]
    assert streams(server) == STUCK
    before = memory(server)
    grown = []
    for _ in range(ROWS // 500):
        write(journal, 500, "x" * ROW_BYTES)
        grown.append(memory(server) - before)
    deadline = time.monotonic() + 300
    while streams(server):
        assert time.monotonic() < deadline
        grown.append(memory(server) - before)
        time.sleep(0.2)
    kept = max(grown) / (ROWS * ROW_BYTES)
    print(f"{STUCK} readers, {ROWS} rows of {ROW_BYTES} bytes: {max(grown) / 1e6:.1f} MB more in memory")
    assert kept < 3  # of the journal's size, for all readers together; it would be 30 with a queue for each
    for reader in readers:
        rest = b""
        try:
            while part := reader.recv(65536):
                rest += part
        except ConnectionResetError:
            pass
        seen = [int(number) for number in re.findall(rb"^id: (\d+)", rest, re.MULTILINE)]
        assert seen == list(range(2, len(seen) + 2))
        assert len(seen) < BEHIND_MAX
        reader.close()
    head = 1 + ROWS
    assert read_on(server, head, random.Random(1), 0, last=str(seen[-1] if seen else 1))[0][-1] == head


def test_a_reader_that_drips_is_dropped_too(fresh: tuple[Server, Journal]) -> None:
    """It takes a hundred bytes now and then, so that the kernel never gives it up."""
    server, journal = fresh
    write(journal, 1)
    reader = opened(server)
    write(journal, 500, "x" * ROW_BYTES)
    deadline, taken = time.monotonic() + 300, 0
    while streams(server):
        with suppress(ConnectionResetError):
            taken += len(reader.recv(100))
        time.sleep(0.5)
        assert time.monotonic() < deadline
    reader.close()
    assert taken < 500 * ROW_BYTES


class Tap:
    """The wire to one reader, which takes a message only when it is let."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.open = asyncio.Event()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            await self.open.wait()
            self.taken.append(message["body"])


async def silence() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_live_reader_that_falls_behind_is_told_to_reload(tmp_path: Path) -> None:
    async def course(journal: Journal) -> list[bytes]:
        hub, tap = EventHub(ReadOnlyJournal(tmp_path / "j.sqlite")), Tap()
        head = (await hub.look()).seq
        tap.open.set()
        stream = asyncio.create_task(EventStream(hub, head)({}, silence, tap.send))
        while not tap.taken:
            await asyncio.sleep(0)
        tap.open.clear()
        await asyncio.sleep(0)
        write(journal, 10)
        await hub.look()  # the stream wakes, and waits for the reader with these rows
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.to_thread(write, journal, BEHIND_MAX + 1)
        await hub.look()
        tap.open.set()
        await asyncio.wait_for(stream, 60)
        return tap.taken

    with Journal.open(tmp_path / "j.sqlite") as journal:
        write(journal, 3)
        taken = asyncio.run(course(journal))
    seen = [int(number) for number in re.findall(rb"^id: (\d+)", b"".join(taken), re.MULTILINE)]
    assert seen == list(range(4, 14))
    assert taken[-2:] == [b'event: reload\ndata: {"seq":%d}\n\n' % (3 + 10 + BEHIND_MAX + 1), b""]
