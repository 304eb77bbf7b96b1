"""Server-sent events: every row once, however often a reader is dropped; an orderly end."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rebalancer.journal import Journal
from tests.web.conftest import Server, project_in, start

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


class Reader:
    """One connection to the stream; what it has read, byte by byte, as an EventSource would take it."""

    def __init__(self, server: Server, last: str | None) -> None:
        place = urlsplit(server.url)
        assert place.hostname is not None
        self._socket = socket.create_connection((place.hostname, place.port), 60)
        resume = "" if last is None else f"Last-Event-ID: {last}\r\n"
        self._socket.sendall(
            f"GET /api/v1/events HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {server.tokens['read']}\r\n"
            f"{resume}\r\n".encode()
        )
        self._file = self._socket.makefile("rb")

    def events(self) -> Iterator[dict[str, str]]:
        while self._file.readline() not in (b"\r\n", b""):
            continue
        found: dict[str, str] = {}
        for line in self._lines():
            if not line:
                if found:
                    yield found
                found = {}
            else:
                name, _, value = line.partition(": ")
                found[name] = value

    def _lines(self) -> Iterator[str]:
        rest = b""
        while size := self._file.readline():
            chunk = self._file.read(int(size, 16))
            self._file.readline()
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode() for line in lines)

    def drop(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[tuple[Server, Journal]]:
    state = project_in(tmp_path)
    with Journal.open(state / "journal.sqlite") as journal:
        running = start(tmp_path, state)
        yield running, journal
        if running.process.poll() is None:
            running.stop()


def write(journal: Journal, count: int, body: str = "") -> None:
    rows = [("note", str(i), {"text": body}) for i in range(count)]
    journal.record_events("acc", None, NOON, rows)


def read_on(server: Server, until: int, random_: random.Random, drops: int, last: str = "0") -> tuple[list[int], int]:
    """Read up to a row over connections that are dropped at random places; the rows seen, and the drops."""
    seen: list[int] = []
    dropped = 0
    while not seen or seen[-1] < until:
        reader = Reader(server, last)
        left = random_.randint(0, 4) if dropped < drops else -1
        for event in reader.events():
            if event["event"] == "reload":
                break
            if "id" in event:
                seen.append(int(event["id"]))
                last = event["id"]
                assert json.loads(event["data"])["seq"] == seen[-1]
                if seen[-1] >= until:
                    break
            if left == 0:
                dropped += 1
                break
            left -= 1
        reader.drop()
    return seen, dropped


def test_a_dropped_stream_resumes_without_gap_or_repetition(fresh: tuple[Server, Journal]) -> None:
    server, journal = fresh
    write(journal, 200)
    assert read_on(server, 200, random.Random(3), 40)[0] == list(range(1, 201))


@pytest.mark.campaign
def test_a_thousand_drops(fresh: tuple[Server, Journal]) -> None:
    server, journal = fresh
    write(journal, 3000)
    seen, dropped = read_on(server, 3000, random.Random(1), 1000)
    print(f"drops {dropped}, rows {len(seen)}")
    assert dropped == 1000
    assert seen == list(range(1, 3001))


def test_without_an_id_it_begins_at_the_head_and_tells_it(fresh: tuple[Server, Journal]) -> None:
    server, journal = fresh
    write(journal, 5)
    reader = Reader(server, None)
    events = reader.events()
    first = next(events)
    assert (first["event"], json.loads(first["data"])["seq"], "id" in first) == ("head", 5, False)
    write(journal, 1, "new\nline")
    row = next(event for event in events if "id" in event)
    assert (row["id"], row["event"]) == ("6", "note")
    assert json.loads(row["data"])["body"] == {"text": "new\nline"}
    reader.drop()


def test_a_reader_that_stops_reading_holds_nobody_up(fresh: tuple[Server, Journal]) -> None:
    server, journal = fresh
    stuck = Reader(server, "0")
    write(journal, 3000, "x" * 4000)  # 12 MB: more than any socket buffers
    assert read_on(server, 3000, random.Random(1), 0)[0] == list(range(1, 3001))
    stuck.drop()


def test_a_number_beyond_the_head_begins_at_the_head(fresh: tuple[Server, Journal]) -> None:
    server, journal = fresh
    write(journal, 3)
    reader = Reader(server, "999")
    assert json.loads(next(reader.events())["data"])["seq"] == 3
    reader.drop()


def test_sigterm_with_open_streams_ends_with_0(fresh: tuple[Server, Journal]) -> None:
    server, journal = fresh
    write(journal, 3)
    readers = [Reader(server, "0") for _ in range(20)]
    for reader in readers:
        assert next(reader.events())["event"] == "head"
    begun = time.monotonic()
    assert server.stop() == 0
    print(f"ended after {time.monotonic() - begun:.2f} s")
    for reader in readers:
        reader.drop()


def test_an_old_journal_in_its_place_sends_readers_away(fresh: tuple[Server, Journal]) -> None:
    server, journal = fresh
    write(journal, 3)
    reader = Reader(server, None)
    events = reader.events()
    assert next(events)["event"] == "head"
    (server.state / "journal.sqlite.head").write_bytes(b"%020d %s\n" % (1, b"0" * 64))
    assert "reload" in [event["event"] for event in events]
    reader.drop()
