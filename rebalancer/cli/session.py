"""`session`: one trading day from before the open until after the close."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.errors import day_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.ops.logs.context import LogEvent, note
from rebalancer.ops.logs.setup import Form, form_of, level_of, set_up

if TYPE_CHECKING:
    from rebalancer.brokers.factory import Connection
    from rebalancer.exchange.starter import RunningExchange
    from rebalancer.session.setup import Setup

LOG: Final = logging.getLogger(__name__)


def run_trading_day(
    config: Sequence[Path] | None,
    *,
    speed: float | None,
    day: str | None,
    with_parent: bool = False,
    standby: bool = False,
) -> int:
    """Run one session. Exit code 0 when the day is closed, when the market is closed, and after a stop by a signal.

    with_parent: stop as after SIGTERM when standard input closes. standby: wait while another host trades the account.
    """
    from rebalancer.cli.parent import when_parent_ends
    from rebalancer.cli.played_exchange import ExchangeWithin
    from rebalancer.ops.notify import Notify
    from rebalancer.session.names import refuse_strange_sectors
    from rebalancer.session.setup import banner, load_setup
    from rebalancer.session.start import run_session
    from rebalancer.session.stop import Stop

    form = _log()
    notify = Notify.from_environment(os.environ)
    setup = load_setup(config)
    refuse_strange_sectors(setup)
    wanted = None if day is None else day_of("--day", day)
    simulated = speed is not None or wanted is not None
    if simulated and setup.mode != "simulated":
        raise BadDocument(
            "session", "--speed and --day are for the embedded exchange", "leave them out: the broker runs in real time"
        )
    stop = Stop()
    with stop.on_signals(), _connected(setup, simulated, wanted) as (connection, running):
        if with_parent:
            when_parent_ends(lambda: stop.ask("the session is being stopped (its desk has ended)"))

        def begun() -> None:
            for warning in setup.loaded.warnings:
                LOG.warning("%s", warning)
            _say(form, LogEvent.SESSION_BEGAN, f"session: {setup.mode}, journal {setup.journal}")
            _say(form, None, f"environment: {banner(setup)}")

        said = run_session(
            setup, connection, stop, notify, exchange=None if running is None else running.clock,
            market=None if running is None else ExchangeWithin(running.exchange),
            speed=speed or 1.0, begun=begun, standby=standby,
        )  # fmt: skip
    _say(form, LogEvent.SESSION_ENDED, f"session: {said}")
    return ExitCode.DONE


def _log() -> Form:
    """Set up the log: for a person one line per cycle, for programs and the journal every order too."""
    form, level = form_of(os.environ, sys.stderr, is_session=True), level_of(os.environ)
    usual = logging.WARNING if form is Form.HUMAN else logging.INFO
    set_up(level or usual, form, with_context=level == logging.INFO)
    if level is None:
        logging.getLogger("rebalancer.session").setLevel(logging.INFO)
    return form


def _say(form: Form, event: LogEvent | None, text: str) -> None:
    """Log a message about the whole session; a person sees the bare text."""
    if form is Form.HUMAN:
        sys.stderr.write(f"{text}\n")
    elif event is None:
        LOG.info("%s", text)
    else:
        note(LOG, event, text)


@contextmanager
def _connected(setup: Setup, simulated: bool, day: date | None) -> Iterator[tuple[Connection, RunningExchange | None]]:
    """The broker for a whole session: Alpaca, or the embedded exchange, served here as long as the session lasts. On a
    simulated day its clock is set shortly before the open; otherwise to the machine's clock, if that is later."""
    from rebalancer.brokers.endpoints import Credentials, Endpoints
    from rebalancer.brokers.factory import Connection
    from rebalancer.cli.connection import connected
    from rebalancer.cli.embedded import exchange_for_session
    from rebalancer.session.setup import refuse_unasked_exchange

    if setup.mode != "simulated":
        with connected(setup) as connection:
            yield connection, None
        return
    if not simulated:  # --speed and --day require the embedded exchange
        refuse_unasked_exchange(setup)
    from rebalancer.session.end_of_day import is_unfinished

    rules = setup.rules
    lead = rules.session.start_lead_minutes + 1

    def unfinished(one: date) -> bool:
        return is_unfinished(setup.journal, one, begun=day is None)

    with exchange_for_session(
        rules.simulation, setup.state / "exchange.sqlite", simulated, day, lead, unfinished
    ) as running:
        yield Connection(Credentials("embedded", "embedded"), Endpoints(running.url)), running
