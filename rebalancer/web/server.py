"""The process: two listeners on loopback in one event loop, and an orderly end.

SIGTERM and SIGINT end it with exit code 0: open streams are told to end, requests in flight get a few seconds, and a
reader that takes nothing of its answer half a second. A connection that does not bring its request in time is closed;
one whose peer stops reading is ended by the kernel.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, NamedTuple

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from rebalancer.core.documents import BadDocument
from rebalancer.journal.read_only import exists
from rebalancer.web.answers import AnswerBook
from rebalancer.web.app import api_app
from rebalancer.web.context import WebContext
from rebalancer.web.events import EventHub
from rebalancer.web.gate import RequestGate
from rebalancer.web.hooks import hooks_app
from rebalancer.web.kept_inbox import KeptInbox
from rebalancer.web.live_board import LiveBoard
from rebalancer.web.logins import LOGINS_NAME
from rebalancer.web.metrics import WebMetrics
from rebalancer.web.place import ANSWERS_NAME, TOKENS_NAME, WebPlace
from rebalancer.web.tokens import TokenFile

LOG: Final = logging.getLogger(__name__)
REQUEST_SECONDS: Final = 10.0  # for the head of a request
SLOW_SECONDS: Final = 10.0  # a reader that takes nothing of its answer for so long is dropped
STUCK_MILLISECONDS: Final = 30_000  # a peer that acknowledges nothing for so long is gone
GRACE_SECONDS: Final = 2  # for requests in flight when the server stops
LAST_SECONDS: Final = 0.5  # and for a reader that takes nothing
CONNECTIONS_MAX: Final = 512
_BACKLOG: Final = 1024
_SEND_BYTES: Final = 128 * 1024  # kept by the kernel for one reader


class ListenAddress(NamedTuple):
    """Where to listen: a loopback address and a port; 0 picks a free one."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str, key: str) -> ListenAddress:
        """Parse `127.0.0.1:8787` or `[::1]:8787`. Raises BadDocument for anything that is not on this machine alone."""
        host, _, port = text.strip().rpartition(":")
        name = host.removeprefix("[").removesuffix("]")
        try:
            number = int(port) if port.isascii() and port.isdigit() else -1
            address = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
        except ValueError:
            raise BadDocument(key, f"{text[:80]!r} is no address with a port", "such as 127.0.0.1:8787") from None
        if not 0 <= number <= 65535:
            raise BadDocument(key, f"{text[:80]!r} has no port", "such as 127.0.0.1:8787")
        if not address.is_loopback:
            hint = "listen on 127.0.0.1, and reach it through a tunnel or a proxy: docs/how-to/http-api.md"
            raise BadDocument(key, f"{name} can be reached from other machines", hint)
        return cls(str(address), number)

    @property
    def shown(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def hosts_of(port: int, more: Sequence[str]) -> frozenset[str]:
    """The Host headers that a listener answers to, in lower case."""
    return frozenset({*(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")), *(h.lower() for h in more)})


def serve(
    place: WebPlace,
    listen: ListenAddress,
    hooks: ListenAddress | None,
    begun: Callable[[str, str | None], None] = lambda *_: None,
    alive: Callable[[], None] = lambda: None,
    others: Sequence[WebPlace] = (),
) -> None:
    """Serve until SIGTERM or SIGINT. others: further accounts for the page. begun: called with the URLs of both
    listeners once they listen; alive: every few seconds while requests can be answered. Raises BadDocument when an
    address is taken, and SignalsUnavailable when the state folder cannot be used."""
    with ExitStack() as stack:
        answers = AnswerBook(place.state / ANSWERS_NAME)
        stack.callback(answers.close)
        sockets = [stack.enter_context(_listening(listen))]
        if hooks is not None:
            sockets.append(stack.enter_context(_listening(hooks)))
        inbox = KeptInbox(place.inbox)
        stack.callback(inbox.close)
        asyncio.run(_serve(place, others, answers, inbox, sockets, begun, alive))


async def _serve(
    place: WebPlace,
    others: Sequence[WebPlace],
    answers: AnswerBook,
    inbox: KeptInbox,
    sockets: Sequence[socket.socket],
    begun: Callable[[str, str | None], None],
    alive: Callable[[], None],
) -> None:
    hub = EventHub(place.journal)
    tokens, web = TokenFile(place.state / TOKENS_NAME), place.rules.web
    logins = place.state / LOGINS_NAME
    shown = (place, *others) if exists(place.journal.place) or not others else tuple(others)
    context = WebContext(place, shown, hub, answers, WebMetrics(place, hub), inbox, LiveBoard(shown), logins)
    ports = [listener.getsockname()[1] for listener in sockets]
    apps: list[ASGIApp] = [api_app(context, tokens, hosts_of(ports[0], web.hosts))]
    if len(sockets) > 1:
        hooks = hooks_app(place, inbox, tokens)
        apps.append(RequestGate(hooks, hosts_of(ports[1], web.hosts), None, (), web.requests_per_minute))
    servers = [_Server(app) for app in apps]

    def stop() -> None:
        hub.stop()
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await hub.look()
    watching = asyncio.create_task(hub.watch(alive))
    urls = [f"http://{ListenAddress(*listener.getsockname()[:2]).shown}" for listener in sockets]
    begun(urls[0], urls[1] if len(urls) > 1 else None)
    try:
        await asyncio.gather(*(server.serve([listener]) for server, listener in zip(servers, sockets, strict=True)))
    finally:
        hub.stop()
        await watching


class _Server(uvicorn.Server):
    """A server whose signals are handled outside, for both listeners together."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_TimedProtocol,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=GRACE_SECONDS,
                h11_max_incomplete_event_size=32 * 1024,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _TimedProtocol(H11Protocol):
    """Ends a connection that does not bring the head of its request in time, or does not take its answer. What waits
    for it here is at most what one `send` has written beyond the high-water mark of its transport."""

    _late: asyncio.TimerHandle | None = None
    _slow: asyncio.TimerHandle | None = None
    _patience = SLOW_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._expect()
        elif self.conn.their_state is not h11.IDLE and self._late is not None:
            self._late.cancel()
            self._late = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._late, self._slow):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._slow = self.loop.call_later(self._patience, self._drop)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def shutdown(self) -> None:
        super().shutdown()
        self._patience = LAST_SECONDS
        if self._slow is not None:
            self._slow.cancel()
            self._slow = self.loop.call_later(self._patience, self._drop)

    def _drop(self) -> None:
        LOG.info("a reader took nothing for %g s and was dropped", self._patience)
        self.transport.abort()

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(REQUEST_SECONDS, self.transport.close)


@contextmanager
def _listening(address: ListenAddress) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)  # accepted connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_MILLISECONDS)
        try:
            listener.bind((address.host, address.port))
            listener.listen(_BACKLOG)
        except OSError as error:
            hint = "another program listens there; choose another port"
            raise BadDocument("web", f"cannot listen on {address.shown}: {error.strerror}", hint) from None
        listener.setblocking(False)
        yield listener
    finally:
        listener.close()
