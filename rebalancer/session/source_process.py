"""The process that asks the signal sources: `rebalancer sources run`.

With systemd it is a unit beside the session; without that unit the session starts it and ends it. Either way a cycle
only reads what it has written. Only one runs per state folder (`sources.lock`).
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from rebalancer.core.errors import LockHeld
from rebalancer.core.signal_rules import Signals
from rebalancer.journal.status_query import query_status
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.exchange_address import served_address
from rebalancer.ops.logs.redact import redact
from rebalancer.ops.paths import home_directory
from rebalancer.ops.run_lock import RunLock
from rebalancer.ops.source_status import LOCK_NAME
from rebalancer.session.setup import Setup
from rebalancer.settings.profile import PROFILE
from rebalancer.settings.secrets import surroundings
from rebalancer.signals.model.paths import model_files
from rebalancer.signals.sources.catalog import keys_of
from rebalancer.signals.sources.process import run_sources
from rebalancer.signals.sources.refresh import SymbolsWanted

LOG: Final = logging.getLogger(__name__)
LOG_NAME: Final = "sources.log"
AGAIN_SECONDS: Final = 30.0  # before a process that failed is started again
END_SECONDS: Final = 10.0
NOT_AGAIN: Final = frozenset({0, 2, 75, 78})  # ended, wrong usage, another one runs, bad configuration


def ask_sources(setup: Setup, wait: threading.Event) -> None:
    """Ask the enabled sources of a setup until the event is set. Raises LockHeld, BadDocument, SignalsUnavailable."""
    signals = asked_signals(setup)
    run_sources(signals, setup.state, lambda: keys_now(setup), lambda: symbols_now(setup), lambda: _wait(wait))


def _wait(event: threading.Event) -> None:
    while not event.wait(1.0):  # a signal handler runs between two waits
        pass


def keys_now(setup: Setup) -> Mapping[str, str]:
    """The variables and secrets of this profile as they are now: a key may have been changed in its file. With the
    embedded exchange Alpaca's sources ask that one while a session serves it."""
    found = surroundings(os.environ, setup.profile)
    served = served_address(setup.state) if setup.mode == "simulated" else None
    return found if served is None else {**found, **embedded_keys(served)}


def embedded_keys(url: str) -> dict[str, str]:
    """The variables for an embedded exchange, which takes any key."""
    return {
        "APCA_API_BASE_URL": url, "APCA_API_DATA_URL": url,
        "APCA_API_KEY_ID": "embedded", "APCA_API_SECRET_KEY": "embedded",
    }  # fmt: skip


def missing_keys(setup: Setup, name: str) -> list[str]:
    """The variables of a source that are not set. The embedded exchange needs none of Alpaca's."""
    embedded = embedded_keys("") if setup.mode == "simulated" else {}
    return [key for key in keys_of(name) if key not in embedded and not setup.environ.get(key)]


def asked_signals(setup: Setup) -> Signals:
    """The rules of the signals as the sources get them: the model's files stand in the options of the source `model`,
    which is there whether it is enabled or not."""
    signals, model = setup.rules.signals, setup.rules.model
    one = signals.sources.get("model") or Signals.model_validate({"sources": {"model": {}}}).sources["model"]
    files = model_files(model, setup.root, setup.state)
    options = {**one.options, "model_path": str(files.model), "features_path": str(files.features)}
    if model.max_age_days is not None:
        options["max_age_days"] = str(model.max_age_days)
    changed = one.model_copy(update={"options": options})
    return signals.model_copy(update={"sources": {**signals.sources, "model": changed}})


def symbols_now(setup: Setup) -> SymbolsWanted:
    """The symbols to ask about: the configured universe, what is held, and what the last plan had a target for."""
    status = query_status(setup.journal, now=SystemClock().wall())
    held: set[str] = set()
    planned: set[str] = set()
    if status is not None and status.last_end is not None:
        held = {symbol for symbol, qty in status.last_end.expected_positions.items() if qty}
    if status is not None and status.plan is not None:
        planned = {str(target["symbol"]) for target in json.loads(status.plan)["targets"]}
    return SymbolsWanted(frozenset({*setup.rules.signals.universe, *held, *planned}), frozenset(held))


@contextmanager
def asked_beside(setup: Setup) -> Iterator[None]:
    """Have the sources asked while the block runs, by a child process unless another process does it already. Nothing
    that happens to the child ends the block or delays it by more than `END_SECONDS`."""
    if unit_is_enabled(setup.profile):
        LOG.info("sources are asked by the unit %s", unit_name(setup.profile))
        yield
        return
    try:
        with RunLock(setup.state / LOCK_NAME, "session"):
            pass
    except LockHeld as error:
        LOG.info("sources are asked elsewhere: %s", str(error).partition("\n")[0])
        yield
        return
    child = _Child(setup)
    child.start()
    try:
        yield
    finally:
        child.end()


def unit_name(profile: str) -> str:
    """The unit that asks the sources of a profile; "" for none."""
    return f"rebalancer-sources@{profile}.service" if profile else "rebalancer-sources.service"


def unit_is_enabled(profile: str) -> bool:
    """Whether systemd runs that unit for this user. systemd itself is not queried: its files say it."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    own = Path(base) if os.path.isabs(base) else home_directory() / ".config"
    folders = (own / "systemd" / "user", Path("/etc/systemd/user"), Path("/etc/systemd/system"))
    return any(os.path.lexists(folder / "default.target.wants" / unit_name(profile)) for folder in folders)


class _Child:
    """The child process and the thread that starts it again when it fails. It ends when its standard input closes, so
    also when this process is killed."""

    def __init__(self, setup: Setup) -> None:
        files = [option for path in setup.files for option in ("--config", str(path))]
        self._command = [sys.executable, "-m", "rebalancer", "sources", "run", "--with-parent", *files]
        self._environ = {**os.environ, PROFILE: setup.profile} if setup.profile else dict(os.environ)
        self._log = setup.state / LOG_NAME
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="sources", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        self._thread.join(END_SECONDS)
        if process is not None and process.poll() is None:
            process.kill()
            self._thread.join(1.0)

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                code = self._run()
            except OSError as error:
                LOG.warning("sources are not asked: %s", redact(str(error)))
                return
            if self._ending.is_set():
                return
            LOG.warning("the process that asks the sources ended with %s: %s", code, self._log)
            if code in NOT_AGAIN:
                return
            self._ending.wait(AGAIN_SECONDS)

    def _run(self) -> int:
        with _private(self._log) as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._environ, close_fds=True
            )
            if self._ending.is_set() and self._process.stdin is not None:
                self._process.stdin.close()
            return self._process.wait()


def _private(path: Path) -> IO[bytes]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "wb")
