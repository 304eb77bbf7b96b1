"""The agreement to trade live, assembled from configuration, command line, token, environment and broker."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType
from typing import Final

from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.factory import Connection
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import WrongAccount
from rebalancer.core.values import time_text
from rebalancer.ops.clock import SystemClock
from rebalancer.session.setup import Setup
from rebalancer.settings.arm_token import FILE_NAME, HOURS_MAX, is_armed
from rebalancer.settings.live_trading import COMMAND_LINE, CommandLine, Switches, is_wanted, refuse_disagreement

PAPER_KEY: Final = "PK"  # prefix of Alpaca's paper keys


def agree(setup: Setup, endpoints: Endpoints) -> Endpoints:
    """The endpoints to trade with: unchanged on paper, marked as agreed when every switch says live.

    Asks the broker for the account only when all else agrees, and a person at a terminal last. Raises BadDocument (exit
    78) naming every switch that is missing.
    """
    rules, said = setup.rules, COMMAND_LINE.get() or CommandLine()
    account_id = rules.broker.account_id
    armed = account_id is not None and is_armed(setup.state, account_id, SystemClock().wall())
    switches = Switches(
        configured=rules.execution.mode == "live",
        commanded=said.live or armed,
        live_host=endpoints.is_live and not setup.environ.get("APCA_API_KEY_ID", "").startswith(PAPER_KEY),
        account_named=account_id is not None,
        account_matches=True,  # asked below, once all others agree
        confirmed=True,
    )
    if not is_wanted(switches) and not endpoints.is_live:
        return endpoints
    refuse_disagreement(switches)
    assert account_id is not None
    allowed = endpoints.agreed()
    broker = Connection(Credentials.from_environment(setup.environ), allowed).connect(rules.broker)
    try:
        broker.account()
    except WrongAccount:
        refuse_disagreement(switches._replace(account_matches=False))
    finally:
        broker.close()
    refuse_disagreement(switches._replace(confirmed=said.yes or armed or typed(account_id)))
    return allowed


def typed(account_id: str, ask: Callable[[], str] = sys.stdin.readline) -> bool:
    """Whether a person at the terminal types the account's last four characters; False when there is no terminal."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("LIVE TRADING with real money. Type the last four characters of the account: ")
    sys.stderr.flush()
    with _signals_end_the_process():
        return ask().strip() == account_id[-4:]


@contextmanager
def _signals_end_the_process() -> Iterator[None]:
    """SIGTERM and SIGINT end this process at once, with exit codes 143 and 130: nothing is under way while a person is
    asked, and a handler that only remembers the signal would leave the question waiting."""

    def end(number: int, _: FrameType | None) -> None:
        os._exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def arm(setup: Setup, last4: str, hours: int, now: datetime, reason: str = "") -> datetime:
    """Write the token that replaces --live and the confirmation until it expires; returns its expiry. reason: why,
    where nothing is behind the configuration. Raises
    BadDocument when the configuration is not live or names another account."""
    refuse_to_arm(setup, last4, hours)
    until = now + timedelta(hours=hours)
    path = setup.state / FILE_NAME
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        web, why = setup.rules.web.live_writes, {"reason": reason} if reason else {}
        json.dump({"account": last4, "from": time_text(now), "until": time_text(until), "web": web} | why, file)
    fresh.replace(path)
    return until


def refuse_to_arm(setup: Setup, last4: str, hours: int) -> None:
    """Raise BadDocument when the configuration is not live or names another account, and for too many hours."""
    account_id = setup.rules.broker.account_id
    if setup.rules.execution.mode != "live" or account_id is None:
        raise BadDocument("arm-live", "the configuration is not live", "set execution.mode: live and broker.account_id")
    if last4 != account_id[-4:]:
        raise BadDocument("arm-live --account", "these are not the last four characters of broker.account_id")
    if not 0 < hours <= HOURS_MAX:
        raise BadDocument("arm-live --hours", f"{hours} is not between 1 and {HOURS_MAX}")
