"""The embedded paper exchange, started in this process for one run or a session, or served to any client."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable, LockHeld
from rebalancer.core.rules import Simulation
from rebalancer.core.values import decimal_of, utc_of
from rebalancer.ops.exchange_address import ADDRESS_NAME, served_address
from rebalancer.ops.files import put_whole

if TYPE_CHECKING:
    from rebalancer.exchange.options import ExchangeOptions, ResetClock
    from rebalancer.exchange.starter import RunningExchange


@contextmanager
def embedded_exchange(rules: Simulation, state: Path) -> Iterator[str]:
    """The address of the exchange while the block runs: that of a running session, else one served here on a free
    loopback port. In the latter case its own clock is set within an open session, so that a run works at any hour; the
    clock stops with the process. Raises BrokerUnavailable."""
    from rebalancer.exchange.options import ExchangeOptions

    options = ExchangeOptions(
        state=state,
        seed=rules.seed,
        cash=rules.cash,
        holdings="starter",
        corporate_actions="simulated",
        open_session=True,
        start=None,
    )
    try:
        running = _started(options)
    except BrokerUnavailable:
        served = served_address(state.parent)
        if served is None:
            raise
        yield served
        return
    with running:
        yield running.url


@contextmanager
def exchange_for_session(
    rules: Simulation,
    state: Path,
    simulated: bool,
    day: date | None,
    lead_minutes: int,
    is_unfinished: Callable[[date], bool] = lambda _: False,
) -> Iterator[RunningExchange]:
    """Serve the exchange for as long as a session lasts, also for runs by hand.

    On a simulated day its clock is advanced to `lead_minutes` before the open of `day`, or of the next complete
    session; otherwise it is set to the machine's clock, unless it is ahead of it. The day on which that clock stands is
    continued when it is the requested one and `is_unfinished`. Raises BadDocument for a day that is over or is not a
    trading day.
    """
    from rebalancer.exchange.options import DEFAULT_START, ExchangeOptions

    if simulated:
        first = day or DEFAULT_START.date()
        start = None if state.exists() else datetime.combine(first, time(8), UTC)
    else:
        start = datetime.now(UTC)  # noqa: TID251 - the embedded market is open when the real one is
    options = ExchangeOptions(
        state=state,
        seed=rules.seed,
        cash=rules.cash,
        holdings="starter",
        corporate_actions="simulated",
        start=start,
        rate_limit_per_minute=0 if simulated else 200,
    )
    address = state.with_name(ADDRESS_NAME)
    with _started(options) as running:
        if simulated:
            _step_to_morning(running, day, lead_minutes, is_unfinished)
        put_whole(address, f"{running.url}\n".encode())
        try:
            yield running
        finally:
            address.unlink(missing_ok=True)


def _step_to_morning(
    running: RunningExchange, day: date | None, lead_minutes: int, is_unfinished: Callable[[date], bool]
) -> None:
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.exchange.calendar import MICROS, moment_of

    now, lead = running.clock.micros(), lead_minutes * 60 * MICROS
    sessions = running.exchange.sessions
    today = day_in_new_york(moment_of(now))
    has_begun = any(one.open - lead < now for one in sessions.between(today.toordinal(), today.toordinal()))
    if has_begun and day in (None, today) and is_unfinished(today):
        return  # a session was killed or stopped on this day
    if day is None:
        session = sessions.next_open(now + lead)
    else:
        found = sessions.between(day.toordinal(), day.toordinal())
        if not found:
            raise BadDocument("session --day", f"the market is closed on {day}", "choose a trading day")
        session = found[0]
    target = session.open - lead
    if target < now:
        raise BadDocument(
            "session --day",
            f"the embedded exchange's clock stands at {moment_of(now):%Y-%m-%d %H:%M} UTC and cannot go back",
            "choose a later day, or move its state folder away to begin anew",
        )
    running.clock.advance((target - now) / MICROS)


def _started(options: ExchangeOptions) -> RunningExchange:
    from rebalancer.exchange.starter import ExchangeUnavailable, StateLocked, StateRefused, start_exchange

    try:
        return start_exchange(options)
    except StateRefused as error:
        raise BadDocument(error.where, error.problem, error.hint) from None
    except StateLocked as error:
        raise LockHeld(str(error)) from None
    except ExchangeUnavailable as error:
        raise BrokerUnavailable(str(error)) from None


def serve_exchange(
    *,
    host: str,
    port: int,
    state: Path | None,
    seed: int,
    start: str | None,
    cash: str,
    speed: float,
    key: str | None,
    secret: str | None,
    faults: Path | None,
    replay: Path | None,
    admin_port: int | None,
    schedule: Path | None = None,
    listing: Path | None = None,
    corporate_actions: bool = True,
    charges: bool = False,
    legacy_day_trading: bool = False,
    multiplier: int = 2,
    rate_limit: int = 200,
    rate_limit_reset: ResetClock = "auto",
    allow_host: Sequence[str] = (),
) -> int:
    """Serve until a signal stops the process."""
    from rebalancer.exchange.options import ExchangeOptions
    from rebalancer.exchange.starter import serve

    try:
        money: Decimal = decimal_of(cash)
        begin = utc_of(start) if start is not None else None
    except ValueError as error:
        raise BadDocument("exchange serve", str(error)) from None
    if (key is None) != (secret is None):
        raise BadDocument("exchange serve", "--key and --secret go together")
    options = ExchangeOptions(
        state=state,
        host=host,
        port=port,
        seed=seed,
        start=begin,
        cash=money,
        speed=speed,
        key=key,
        secret=secret,
        faults=faults,
        replay=replay,
        admin_port=admin_port,
        schedule=schedule,
        listing=listing,
        corporate_actions="simulated" if corporate_actions else "none",
        charges=charges,
        legacy_day_trading=legacy_day_trading,
        multiplier=multiplier,
        rate_limit_per_minute=rate_limit,
        rate_limit_reset=rate_limit_reset,
        allow_hosts=tuple(allow_host),
    )
    code = serve(options)
    kept = "nothing of it is kept" if state is None else f"it goes on from {state} when it is started again"
    sys.stderr.write(f"exchange stopped; {kept}\n")
    return code
