"""The snapshot of one bar, as a live cycle would have observed it: what `explain`, the audit and every reason rest on.

Prices are closes, rounded to the decimals of their name; bid, ask and last are equal, and the costs of trading come
with the fills. A name without a price at the bar has a one-sided quote of its last price: it keeps its value and cannot
be traded. Only names with a signal or a position are in the snapshot, as in a live one.

The session is the day's published one where the bar lies in it, and else one that is open just long enough: no bar is
left out because of a calendar.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

import numpy as np

from rebalancer.brokers.protocol import TradingHours
from rebalancer.core.facts import Account, Day, Instrument, Position, Quote, Session, Signal, Snapshot
from rebalancer.core.new_york import day_in_new_york, in_new_york
from rebalancer.core.schedule import CLOSES, OPENS
from rebalancer.core.values import FRACTIONAL_LOT, ZERO, decimal_near
from rebalancer.market_data.trading_calendar import published_hours, slot_id
from rebalancer.research.bar_times import moment_at
from rebalancer.research.market import Floats, Integers, Market, SimulatedAccount, SimulationSetup

ACCOUNT: Final = "backtest"
SOURCE: Final = "backtest"
TICK: Final = Decimal("0.01")
CHEAP: Final = 0.01  # USD a share
DEAR: Final = 1000.0


def snapshot_at(
    setup: SimulationSetup, bar: int, account: SimulatedAccount, decimals: Integers | None = None
) -> Snapshot:
    """The snapshot of the cycle at the close of a bar. bar: from 0. decimals: `price_decimals`, if known already."""
    market, value = setup.market, setup.instructions.value[bar]
    as_of = moment_at(int(market.times[bar]))
    prices = last_prices(market, bar)
    wanted = [
        i for i, symbol in enumerate(market.symbols) if not np.isnan(value[i]) or account.shares.get(symbol, ZERO) != 0
    ]
    if decimals is None:
        decimals = price_decimals(market)
    worth = {market.symbols[i]: price_of(float(prices[i]), int(decimals[i])) for i in wanted if not np.isnan(prices[i])}
    equity = account.equity
    if equity is None:
        equity = account.cash + sum((qty * worth[s] for s, qty in account.shares.items()), ZERO)
    gross = sum((abs(qty) * worth[s] for s, qty in account.shares.items()), ZERO)
    return Snapshot(
        cycle_id=slot_id(as_of),
        as_of=as_of,
        session=session_at(as_of, setup.rules.execution.close_buffer_seconds),
        account=Account(
            id=ACCOUNT,
            equity=equity,
            last_equity=account.last_equity if account.last_equity > 0 else equity,
            peak_equity=max(account.peak_equity, equity),
            cash=account.cash,
            buying_power=max(setup.terms.multiplier * equity - gross, ZERO)
            if account.buying_power is None
            else account.buying_power,
            multiplier=setup.terms.multiplier,
            shorting_enabled=True,
        ),
        positions=tuple(
            Position(s, q, q, account.entry.get(s, worth[s])) for s, q in sorted(account.shares.items()) if q != 0
        ),
        instruments=tuple(_instrument(setup, bar, i) for i in wanted),
        quotes=tuple(
            _quote(symbol, worth[symbol], as_of, is_traded=not np.isnan(market.close[bar, i]))
            for i in wanted
            if (symbol := market.symbols[i]) in worth
        ),
        signals=tuple(_signal(setup, bar, i, as_of, int(decimals[i])) for i in wanted if not np.isnan(value[i])),
        day=Day(account.orders_sent, dict(sorted(account.orders_sent_by_symbol.items()))),
        latched=dict(account.latched),
        stopped_out=dict(account.stopped_out),
        stop_exits=None if account.stop_exits == account.stopped_out else dict(account.stop_exits),
        venue=setup.terms.venue,
        regime=setup.reference.regime[int(setup.reference.row[bar])] if setup.reference.regime else None,
        trading_costs=setup.trading_costs(int(setup.reference.row[bar])),
    )


def price_decimals(market: Market) -> Integers:
    """The decimals that each name's prices are kept with: six, or nine where it is cheaper than a cent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a name without any price
        low, high = np.nanmin(market.close, axis=0), np.nanmax(market.close, axis=0)
    return np.where((low < CHEAP) & (high < DEAR), 9, 6).astype(np.int64)


def price_of(price: float, decimals: int = 6) -> Decimal:
    """A price rounded to so many decimals."""
    return decimal_near(round(price, decimals))


def last_prices(market: Market, bar: int) -> Floats:
    """The last known price of every name at a bar; NaN before its first one."""
    prices: Floats = market.close[bar].copy()
    for i in np.flatnonzero(np.isnan(prices)):
        known = np.flatnonzero(~np.isnan(market.close[:bar, i]))
        if known.size:
            prices[i] = market.close[known[-1], i]
    return prices


def session_at(as_of: datetime, buffer_seconds: float) -> Session:
    """The session that a cycle at this time falls into; it never ends within `close_buffer_seconds`."""
    local = in_new_york(as_of).time()
    hours = None if not OPENS <= local < CLOSES else _hours(day_in_new_york(as_of))
    if hours is not None and hours.open <= as_of and as_of + timedelta(seconds=buffer_seconds) < hours.close:
        return Session(True, hours.open, hours.close)
    least = timedelta(seconds=max(buffer_seconds, 1))
    return Session(True, min(as_of, as_of if hours is None else hours.open), as_of + least)


@lru_cache(maxsize=64)
def _year(year: int) -> Mapping[date, TradingHours]:
    return {hours.day: hours for hours in published_hours(date(year, 1, 1), date(year, 12, 31))}


def _hours(day: date) -> TradingHours | None:
    return _year(day.year).get(day)


def _instrument(setup: SimulationSetup, bar: int, i: int) -> Instrument:
    reference, symbol = setup.reference, setup.market.symbols[i]
    row = int(reference.row[bar])
    volatility = float(reference.volatility[row, i])
    cluster = int(reference.cluster[row, i])
    kind = setup.terms.venue.asset_class(symbol)
    return Instrument(
        symbol=symbol,
        asset_class=kind,
        tradable=True,
        fractionable=True,
        shortable=kind == "us_equity",
        lot=FRACTIONAL_LOT if kind == "crypto" else Decimal(1),
        tick=TICK,
        sector=reference.sector[i],
        correlation_group=reference.given_cluster[i] or (setup.market.symbols[cluster] if cluster >= 0 else None),
        volatility=None if np.isnan(volatility) else volatility,
    )


def _quote(symbol: str, price: Decimal, as_of: datetime, *, is_traded: bool) -> Quote:
    return Quote(symbol, price, price, price, as_of) if is_traded else Quote(symbol, None, None, price, as_of)


def _signal(setup: SimulationSetup, bar: int, i: int, as_of: datetime, decimals: int) -> Signal:
    symbol, said = setup.market.symbols[i], setup.instructions
    value = float(said.value[bar, i])
    issued = (
        as_of if said.said is None else moment_at(int(said.said[bar] if said.said.ndim == 1 else said.said[bar, i]))
    )
    stop, goal = (
        None if column is None or np.isnan(column[bar, i]) else price_of(float(column[bar, i]), decimals)
        for column in (said.stop, said.goal)
    )
    if said.kind == "targets":
        return Signal.of_target(f"{SOURCE}-{symbol}", symbol, decimal_near(value), SOURCE, issued, stop, goal)
    confidence = 1.0 if said.confidence is None else float(said.confidence[bar, i])
    return Signal(f"{SOURCE}-{symbol}", symbol, value, confidence, SOURCE, issued, stop, goal)
