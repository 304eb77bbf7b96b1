"""Starting and stopping the exchange: in a thread of this process for programs and tests, or in the foreground."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
import threading
from collections import deque
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, TYPE_CHECKING, Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import refuse_irregular
from rebalancer.core.values import utc
from rebalancer.exchange.options import ExchangeOptions

if TYPE_CHECKING:
    from rebalancer.exchange.clock import SimulatedClock
    from rebalancer.exchange.core import Exchange

READY_SECONDS_MAX: Final = 20.0


class ExchangeUnavailable(RuntimeError):
    """The exchange cannot start: another process holds its state, the port is taken, or the state is unreadable."""


class StateRefused(ExchangeUnavailable):
    """The state file is damaged, or of something else: where, what is wrong with it, and what to do."""

    def __init__(self, where: str, problem: str, hint: str) -> None:
        super().__init__(f"{where}: {problem}; {hint}")
        self.where, self.problem, self.hint = where, problem, hint


class StateLocked(ExchangeUnavailable):
    """What lies in the place of the state's lock is no regular file, so that nobody can tell who holds it."""


class RunningExchange:
    """An exchange that answers on `url` until `stop` is called; ready when the constructor returns."""

    def __init__(self, options: ExchangeOptions) -> None:
        import uvicorn

        from rebalancer.exchange.admin.port import LOOPBACK, build_admin
        from rebalancer.exchange.door import names_of
        from rebalancer.exchange.faults.connection import BreakableProtocol
        from rebalancer.exchange.http.app import build_app
        from rebalancer.exchange.http.gate import GateRules
        from rebalancer.exchange.streams.compression import CompressedProtocol
        from rebalancer.exchange.streams.hub import Hub

        self._lock_file = _lock(options.state)
        self._sockets: list[socket.socket] = []
        try:
            self.exchange: Exchange = open_exchange(options)
            self._sockets.append(_listen(options.host, options.port, "--port"))
            if options.admin_port is not None:
                self._sockets.append(_listen(LOOPBACK, options.admin_port, "--admin-port"))
        except BaseException:  # whatever stops the start, sockets and lock must not outlive it
            for opened in self._sockets:
                opened.close()
            _unlock(self._lock_file)
            raise
        rules = GateRules(
            options.key, options.secret, options.rate_limit_per_minute, options.latency_seconds,
            options.rate_limit_reset, names_of(options.host, options.allow_hosts),
        )  # fmt: skip
        self._hub = Hub(rules.knows)
        self._gate = build_app(self.exchange, rules, self._hub)
        config = uvicorn.Config(
            self._gate,
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            http=BreakableProtocol,
            ws=CompressedProtocol,
            ws_ping_interval=10.0,
            ws_max_size=1024 * 1024,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
        self._servers = [uvicorn.Server(config)]
        self._stopped, self._problem = False, ""
        self.url, self.admin_url = _url(self._sockets[0]), None
        if options.admin_port is not None:
            self.admin_url = _url(self._sockets[1])
            admin = uvicorn.Config(
                build_admin(self.exchange, self._hub), log_config=None, access_log=False, lifespan="off", ws="none",
                proxy_headers=False, timeout_graceful_shutdown=2,
            )  # fmt: skip
            self._servers.append(uvicorn.Server(admin))
        self._thread = threading.Thread(target=self._serve, name="exchange", daemon=True)
        self._thread.start()
        self._wait_until_ready()

    @property
    def clock(self) -> SimulatedClock:
        """The simulated clock; `clock.advance(seconds)` steps it."""
        return self.exchange.clock

    @property
    def request_log(self) -> deque[tuple[str, str]]:
        """Method and path of every request since the start, the newest 200 000."""
        return self._gate.request_log

    def stop(self) -> None:
        """Finish running requests, store the clock and release state and port. Harmless when repeated."""
        if self._stopped:
            return
        self._stopped = True
        self._hub.close()
        for server in self._servers:
            server.should_exit = True
        self._thread.join()
        for opened in self._sockets:
            opened.close()
        self.exchange.close()
        _unlock(self._lock_file)

    def __enter__(self) -> RunningExchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self) -> None:
        """Run the servers in their thread, where they install no signal handlers."""

        async def serve_all() -> None:
            pairs = zip(self._servers, self._sockets, strict=True)
            await asyncio.gather(*(server.serve(sockets=[opened]) for server, opened in pairs))

        try:
            asyncio.run(serve_all())
        except OSError as error:  # no file handles are left, say
            self._problem = f": {error.strerror}"

    def _wait_until_ready(self) -> None:
        pause = threading.Event()
        waited = 0.0
        while not all(server.started for server in self._servers):
            if not self._thread.is_alive() or waited > READY_SECONDS_MAX:
                self.stop()
                raise ExchangeUnavailable(f"the exchange did not come up at {self.url}{self._problem}")
            pause.wait(0.002)
            waited += 0.002


def start_exchange(options: ExchangeOptions) -> RunningExchange:
    """Start an exchange in this process. Raises ExchangeUnavailable or ValueError."""
    return RunningExchange(options)


def serve(options: ExchangeOptions) -> int:
    """Run in the foreground until SIGTERM or SIGINT; prints the URL on stdout. Returns the exit code.
    Raises BadDocument for a file that cannot be read."""
    ended = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        running = start_exchange(options)
    except BadDocument:
        raise
    except StateRefused as error:
        raise BadDocument(error.where, error.problem, error.hint) from None
    except (ExchangeUnavailable, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the foreground command speaks to its terminal
        if isinstance(error, ExchangeUnavailable):
            return 75 if isinstance(error, StateLocked) else 69
        return 2
    with running:
        print(f"exchange listening on {running.url}", flush=True)  # noqa: T201 - stdout tells where
        if running.admin_url is not None:
            print(f"admin port on {running.admin_url}", flush=True)  # noqa: T201 - stdout tells where
        ended.wait()
    return 0


def open_exchange(options: ExchangeOptions) -> Exchange:
    """The exchange without a server: for backtests and tests. Raises ExchangeUnavailable or ValueError."""
    from rebalancer.exchange.assembly import assemble
    from rebalancer.exchange.faults.rules import read_faults_file
    from rebalancer.exchange.listing_file import read_listing_file
    from rebalancer.exchange.schedule import read_schedule_file
    from rebalancer.exchange.state_file import StateUnreadable

    if options.multiplier not in (1, 2, 4):
        raise ValueError(f"multiplier {options.multiplier} is not 1, 2 or 4")
    if not 0 <= options.partial_fill_probability <= 1:
        raise ValueError(f"partial fill probability {options.partial_fill_probability} is not between 0 and 1")
    if not 0 <= options.fill_latency_seconds < 60:
        raise ValueError(f"fill latency {options.fill_latency_seconds} s is not between 0 and 60")
    try:
        file = None if options.faults is None else read_faults_file(options.faults)
        scheduled = [] if options.schedule is None else read_schedule_file(options.schedule)
        listing = None if options.listing is None else read_listing_file(options.listing)
        exchange = assemble(options, None if options.start is None else utc(options.start), scheduled, listing)
        if file is not None:
            exchange.faults.put(file.rules, file.seed)
        return exchange
    except StateUnreadable as error:
        raise StateRefused(error.where, error.problem, error.hint) from None


def _lock(state: Path | None) -> IO[str] | None:
    """Hold `STATE.lock` for as long as the process lives. Raises ExchangeUnavailable when another one holds it."""
    if state is None:
        return None
    state.parent.mkdir(parents=True, exist_ok=True)
    path = state.with_name(state.name + ".lock")
    try:
        refuse_irregular(path)
        handle = open(path, "a+", encoding="utf-8", opener=_without_waiting)  # noqa: SIM115 - held as long as the process lives
    except BadDocument as error:
        raise StateLocked(str(error)) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        handle.close()
        raise ExchangeUnavailable(
            f"{state} is in use by another exchange (process {holder}): stop that one or choose another --state"
        ) from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def _unlock(handle: IO[str] | None) -> None:
    if handle is not None:
        handle.close()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int, option: str) -> socket.socket:
    """A listening socket. Its protocol is named because asyncio turns off Nagle's delay (40 ms a call) only then."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        problem = f"cannot listen on {host}:{port}: {error.strerror}"
        raise ExchangeUnavailable(f"{problem}; choose another {option}") from None
    return listener
