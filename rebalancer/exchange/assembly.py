"""Putting an exchange together from its state file, or laying out a fresh one."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final, NamedTuple

from rebalancer.exchange import corporate
from rebalancer.exchange.calendar import (
    MICROS,
    OutsideCalendar,
    SessionTable,
    build_sessions,
    micros_of,
    moment_of,
    new_york_day,
)
from rebalancer.exchange.clock import SimulatedClock, session_start_after
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.damage import HINT, check_state, damaged, reading
from rebalancer.exchange.listing_file import keep_listing, stored_listing
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.market.replay import ReplayMarket
from rebalancer.exchange.market.replay_files import Recording, read_recordings
from rebalancer.exchange.opening import open_account
from rebalancer.exchange.options import DEFAULT_START, ExchangeOptions
from rebalancer.exchange.schedule import Scheduled, apply_schedule
from rebalancer.exchange.simulated_actions import simulated_actions
from rebalancer.exchange.state import Behaviour
from rebalancer.exchange.state_file import StateUnreadable
from rebalancer.exchange.store import Store

_SIMULATED: Final = "simulated_actions"  # the day from which on the state has them
_UNPLANNED_DAYS: Final = 30  # at the end of the calendar, so that every action can end
_UNSAVED_SECONDS: Final = 2  # at most so much time had passed since the clock was last saved when a process was killed


def assemble(
    options: ExchangeOptions,
    start: datetime | None,
    scheduled: list[Scheduled],
    listing: dict[str, Listing] | None = None,
) -> Exchange:
    """Open or create the state, and put what is scheduled on it. `listing` has names that are added to the market or
    replaced. Raises StateUnreadable, ValueError."""
    store = Store(options.state)
    try:
        if not store.is_new and not store.is_as_closed:
            check_state(store)
        with reading(store):
            sessions = SessionTable(build_sessions() if store.is_new else store.sessions())
        replay = None if options.replay is None else Replay(*read_recordings(options.replay))
        seed = options.seed if store.is_new else int(store.meta("seed") or 0)
        listed = stored_listing(store, listing, options.state)
        market = (
            Market(seed, sessions, listed)
            if replay is None
            else ReplayMarket(seed, sessions, replay.recordings, listed)
        )
        at = _fresh_start(market, start) if store.is_new else _resumed(store, start, options.speed)
        if options.open_session:
            at = session_start_after(at, sessions)
        try:
            sessions.require(at)
        except OutsideCalendar as error:
            if store.is_new or start is not None:
                raise
            raise StateUnreadable(store.where, f"cannot go on: {error}", HINT) from None
        behaviour = Behaviour(
            options.fill_latency_seconds,
            options.partial_fill_probability,
            options.multiplier,
            options.charges,
            options.legacy_day_trading,
        )
        if store.is_new:
            _create(store, options, sessions, behaviour, at, market, replay)
        if (replay.digest if replay else None) != store.meta("replay"):
            raise ValueError(
                f"{options.state} was made with {'another' if store.meta('replay') else 'no'} replay: "
                "give the same --replay, unchanged, or choose another --state"
            )
        if listing is not None:
            with store.transaction():
                keep_listing(store, listing.values())
        with reading(store):
            exchange = Exchange(store, SimulatedClock(moment_of(at), options.speed), market, behaviour)
            exchange.save_clock()
            exchange.catch_up()
        if options.corporate_actions == "simulated" and replay is None:
            _simulate_actions(exchange)
        apply_schedule(exchange, scheduled, fresh=store.is_new)
    except (sqlite3.Error, UnicodeError) as error:
        store.close()
        raise damaged(store, f"cannot be read: {error}") from None
    except BaseException:  # an interrupt too: the file must not stay open
        store.close()
        raise
    return exchange


def _create(
    store: Store,
    options: ExchangeOptions,
    sessions: SessionTable,
    behaviour: Behaviour,
    at: int,
    market: Market,
    replay: Replay | None,
) -> None:
    """Lay out the file and open the account, all in one transaction."""
    with store.transaction():
        store.create()
        store.set_meta("seed", str(options.seed))
        store.set_sessions(sessions.sessions)
        if replay is not None:
            store.set_meta("replay", replay.digest)
        exchange = Exchange(store, SimulatedClock(moment_of(at)), market, behaviour)
        open_account(exchange, options.cash, options.holdings, at)


def _simulate_actions(exchange: Exchange) -> None:
    """Put the seed's dividends and splits on the schedule, from tomorrow to the end of the calendar, once a state."""
    store, market = exchange.store, exchange.market
    if store.meta(_SIMULATED) is not None:
        return
    with exchange.request() as at:
        today, last = new_york_day(at), exchange.sessions.days[-1] - _UNPLANNED_DAYS
        taken = {(action.symbol, action.ex_day) for action in exchange.announced}
        rows = simulated_actions(market.seed, list(market.listings.values()), exchange.sessions, today, last)
        corporate.plan(exchange, [row for row in rows if (row.symbol, row.ex_day) not in taken])
        store.set_meta(_SIMULATED, str(today))


class Replay(NamedTuple):
    """What was recorded, and the digest that tells recordings apart."""

    recordings: dict[str, Recording]
    digest: str


def _fresh_start(market: Market, start: datetime | None) -> int:
    """Where a fresh state begins: a replay at its first recorded session's open."""
    if start is None and isinstance(market, ReplayMarket):
        return market.first_session().open
    return micros_of(start or DEFAULT_START)


def _resumed(store: Store, start: datetime | None, speed: float) -> int:
    """Where the clock goes on: exactly where it was stopped, a little later after a kill, never back."""
    stored = int(store.meta("clock") or 0)
    if store.meta("running") == "1":
        stored += round(_UNSAVED_SECONDS * speed * MICROS)
    resumed = max(stored, int(store.meta("caught_up") or 0))
    return resumed if start is None else max(resumed, micros_of(start))
