"""`session`: one trading day from before the open until after the close."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.exits import Exit
from rebalancer.cli.screen import log_to_stderr, warn
from rebalancer.documents import BadDocument

if TYPE_CHECKING:
    from rebalancer.session.execute import Connection
    from rebalancer.session.pace import MovableTime
    from rebalancer.session.setup import Setup


def run_trading_day(config: Sequence[Path] | None, *, speed: float | None, day: str | None) -> int:
    """Run one session. Exit code 0 when the day is closed, when the market is closed, and after a stop by a signal."""
    from rebalancer.session.notify import Notify
    from rebalancer.session.setup import banner, load_setup
    from rebalancer.session.start import run_session
    from rebalancer.session.stop import Stop

    log_to_stderr()
    logging.getLogger("rebalancer.session").setLevel(logging.INFO)  # one line a cycle
    for handler in logging.getLogger("rebalancer").handlers:
        handler.setLevel(logging.INFO)
    notify = Notify.from_environment(os.environ)
    setup = load_setup(config)
    warn(setup.loaded.warnings)
    wanted = _day_of(day)
    simulated = speed is not None or wanted is not None
    if simulated and setup.mode != "simulated":
        raise BadDocument("session", "--speed and --day are for the embedded exchange", "leave them out: time is real")
    stop = Stop()
    with stop.on_signals(), _connected(setup, simulated, wanted) as (connection, time):
        sys.stderr.write(f"session: {setup.mode}, journal {setup.journal}\n")
        sys.stderr.write(f"environment: {banner(setup)}\n")
        said = run_session(setup, connection, stop, notify, exchange=time, speed=speed or 1.0)
    sys.stderr.write(f"session: {said}\n")
    return Exit.DONE


@contextmanager
def _connected(setup: Setup, simulated: bool, day: date | None) -> Iterator[tuple[Connection, MovableTime | None]]:
    """The broker for a whole session: Alpaca, or the embedded exchange, served here as long as the session lasts. On a
    simulated day its clock stands shortly before the open; else it is set to the machine's, if that is later."""
    from rebalancer.cli.embedded import exchange_for_session
    from rebalancer.cli.run import connected
    from rebalancer.session.execute import Connection
    from rebalancer.session.setup import refuse_unasked_exchange
    from rebalancer.world.brokers import Credentials, Endpoints

    if setup.mode != "simulated":
        with connected(setup) as connection:
            yield connection, None
        return
    if not simulated:  # --speed and --day ask for the embedded exchange
        refuse_unasked_exchange(setup)
    rules = setup.rules
    lead = rules.session.start_lead_minutes + 1
    with exchange_for_session(rules.simulation, setup.state / "exchange.sqlite", simulated, day, lead) as running:
        yield Connection(Credentials("embedded", "embedded"), Endpoints(running.url)), running.clock


def _day_of(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadDocument("session --day", f"{text!r} is not a date", "write it as 2026-11-20") from None
