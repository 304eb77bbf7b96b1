"""A TCP relay on loopback that a test can break in the ways in which networks break."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

Break = Literal["cut", "drop", "stall"]


class Proxy:
    """Relays every connection to a port of this machine until `close`.

    cut: connections are closed, and new ones as soon as they are made. drop: what is sent is lost, so that both sides
    wait; the connections are closed when it is mended. stall: what is sent arrives once it is mended.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._passing = threading.Event()
        self._passing.set()
        self._broken: Break | None = None
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def breaks(self, how: Break) -> None:
        """Break the network from now on."""
        self._passing.clear()
        self._broken = how
        if how == "cut":
            self._close_all()

    def mend(self) -> None:
        """Let the network work again."""
        if self._broken == "drop":
            self._close_all()
        self._broken = None
        self._passing.set()

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        self._close_all()
        self._passing.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        if self._broken == "cut":
            client.close()
            return
        self._passing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:  # the server is down
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._pairs.append((client, server))
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._relay, args=(one, other), daemon=True).start()

    def _relay(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self._passing.wait()
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for pair in [pair for pair in self._pairs if one in pair]:
                self._pairs.remove(pair)
                for end in pair:
                    end.close()

    def _close_all(self) -> None:
        with self._lock:
            for pair in self._pairs:
                for end in pair:
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
