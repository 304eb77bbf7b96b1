"""The process that asks the signal sources: `rebalancer sources run`.

With systemd it is a unit beside the session; without that unit the session starts it and ends it. Either way a cycle
only reads what it has written. Only one runs per state folder (`sources.lock`).
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rebalancer.core.signal_rules import Signals
from rebalancer.journal.status_query import query_status
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.exchange_address import served_address
from rebalancer.ops.paths import home_directory
from rebalancer.ops.source_status import LOCK_NAME
from rebalancer.session.child_process import command_beside
from rebalancer.session.setup import Setup
from rebalancer.settings.secrets import surroundings
from rebalancer.signals.model.paths import model_files
from rebalancer.signals.sources.catalog import keys_of
from rebalancer.signals.sources.process import run_sources
from rebalancer.signals.sources.refresh import SymbolsWanted

LOG: Final = logging.getLogger(__name__)
LOG_NAME: Final = "sources.log"


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
    """Have the sources asked while the block runs, by a child process unless another process does it already."""
    if unit_is_enabled(setup.profile):
        LOG.info("sources are asked by the unit %s", unit_name(setup.profile))
        yield
        return
    with command_beside(setup, "sources are asked", ("sources", "run"), LOCK_NAME, LOG_NAME):
        yield


def unit_name(profile: str) -> str:
    """The unit that asks the sources of a profile; "" for none."""
    return f"rebalancer-sources@{profile}.service" if profile else "rebalancer-sources.service"


def unit_is_enabled(profile: str) -> bool:
    """Whether systemd runs that unit for this user. systemd itself is not queried: its files say it."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    own = Path(base) if os.path.isabs(base) else home_directory() / ".config"
    folders = (own / "systemd" / "user", Path("/etc/systemd/user"), Path("/etc/systemd/system"))
    return any(os.path.lexists(folder / "default.target.wants" / unit_name(profile)) for folder in folders)
