"""An HTTP server on loopback that does exactly what a script says, also what no sane server would do.

    with ScriptedServer([reply(503), reply(200, '{"a": 1}')]) as server:
        ...                       # the first request is answered 503, the second 200
    server.requests               # what arrived, in order, byte for byte

A step belongs to one request, except `refuse_before_reading`, which belongs to one connection. When the script has
run out, the last step is repeated with `repeat_last`, else every further request is answered 599.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """One request as it arrived. `headers` have lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Step:
    """What happens to one request. `play` returns True when the connection may be used again."""

    play: Callable[[socket.socket, Seen, threading.Event], bool]
    before_reading: bool = False


def reply(
    status: int = 200, body: str | bytes = b"", *, headers: Iterable[tuple[str, str]] = (), close: bool = False
) -> Step:
    """Answer properly, and keep the connection unless `close`."""
    raw = body.encode() if isinstance(body, str) else body
    kind = "text/html" if raw.lstrip().startswith(b"<") else "application/json"
    lines = [("Content-Type", kind), ("Content-Length", str(len(raw))), *headers]
    return raw_reply(_head(status, lines) + raw, close=close)


def raw_reply(data: bytes, *, close: bool = True) -> Step:
    """Send these bytes and nothing else."""

    def play(sock: socket.socket, seen: Seen, stop: threading.Event) -> bool:
        sock.sendall(data)
        return not close

    return Step(play)


def silence(seconds: float = 5.0) -> Step:
    """Read the request and never answer."""

    def play(sock: socket.socket, seen: Seen, stop: threading.Event) -> bool:
        stop.wait(seconds)
        return False

    return Step(play)


def reset() -> Step:
    """Read the request and reset the connection."""

    def play(sock: socket.socket, seen: Seen, stop: threading.Event) -> bool:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return Step(play)


def refuse_before_reading() -> Step:
    """Accept the connection and reset it before a byte was read."""
    return Step(reset().play, before_reading=True)


def drip(status: int, body: bytes, *, every_seconds: float = 0.05, from_byte: int = 0) -> Step:
    """Answer properly but one byte at a time, from this byte on."""
    data = _head(status, [("Content-Length", str(len(body)))]) + body

    def play(sock: socket.socket, seen: Seen, stop: threading.Event) -> bool:
        sock.sendall(data[:from_byte])
        for i in range(from_byte, len(data)):
            if stop.wait(every_seconds):
                break
            sock.sendall(data[i : i + 1])
        return False

    return Step(play)


def answer(respond: Callable[[Seen], Any]) -> Step:
    """Answer 200 with the JSON that `respond` makes of the request; None makes an empty 204."""

    def play(sock: socket.socket, seen: Seen, stop: threading.Event) -> bool:
        value = respond(seen)
        raw = b"" if value is None else json.dumps(value).encode()
        lines = [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))]
        sock.sendall(_head(204 if value is None else 200, lines) + raw)
        return True

    return Step(play)


class ScriptedServer:
    """Play the steps, one per request, over any number of connections."""

    def __init__(self, steps: Iterable[Step], *, repeat_last: bool = False) -> None:
        self._steps, self._repeat_last = list(steps), repeat_last
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.requests: list[Seen] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ScriptedServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._connections:
                _shut(sock)
        for thread in self._threads:
            thread.join(5)

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return len(self._connections)

    def drop_idle_connections(self) -> None:
        """Close all connections, as a server does with those that have been idle for long."""
        with self._lock:
            for sock in self._connections:
                _shut(sock)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(sock)
                number = len(self._connections)
            self._start(self._serve, sock, number)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with sock:
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                step = self._next(before_reading=True)
                if step is not None:
                    step.play(sock, Seen("", "", {}, b"", number), self._stop)
                    return
                reader = sock.makefile("rb")
                with reader:
                    while (seen := _read(reader, number)) is not None:
                        with self._lock:
                            self.requests.append(seen)
                        step = self._next(before_reading=False) or reply(599, "the script has ended", close=True)
                        if not step.play(sock, seen, self._stop):
                            return
            except (OSError, ValueError):
                return  # the client went away, or does not speak HTTP: which is its right

    def _next(self, *, before_reading: bool) -> Step | None:
        with self._lock:
            if not self._steps or self._steps[0].before_reading is not before_reading:
                return None
            return self._steps[0] if self._repeat_last and len(self._steps) == 1 else self._steps.pop(0)


def _head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _read(reader: Any, number: int) -> Seen | None:
    first = reader.readline()
    if not first:
        return None
    method, path, _ = first.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, body, number)


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
