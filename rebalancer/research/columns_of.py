"""A simulation's setup as the columns of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from math import isfinite, isinf
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.facts import Instrument
from rebalancer.core.rules import Rules
from rebalancer.core.values import FRACTIONAL_LOT, ZERO
from rebalancer.planning.core import codes
from rebalancer.planning.groups import UNKNOWN, group
from rebalancer.planning.lot_sizes import closing_lot, trade_lot
from rebalancer.planning.numbers import MICROS, rate
from rebalancer.planning.overnight_ramp import overnight_gross_limit
from rebalancer.planning.regime_factors import regime_factors
from rebalancer.planning.trading_cost import trading_cost
from rebalancer.research import tape as tape_rows
from rebalancer.research.alignment import whole_microseconds
from rebalancer.research.bar_times import moment_at
from rebalancer.research.exit_columns import exit_conditions, exit_times, named_grains, ranges, said_at
from rebalancer.research.fee_rates import changes, fee_rates
from rebalancer.research.grains import grains_of, refuse_too_high
from rebalancer.research.history import smallest
from rebalancer.research.market import Fill, Floats, Integers, SimulationSetup
from rebalancer.research.snapshots import price_decimals, session_at

FILLS: Final[Mapping[Fill, int]] = {
    "same_close": tape_rows.SAME_CLOSE,
    "next_open": tape_rows.NEXT_OPEN,
    "next_vwap": tape_rows.NEXT_OPEN,
    "next_close": tape_rows.NEXT_CLOSE,
}
NIGHTS_A_YEAR: Final = 252


class EngineInput(NamedTuple):
    """What the engine is given, and the decimals of each name's quantities and prices. tape: without the matrices of
    prices, volumes, opinions, volatilities and groups, which `window` adds for some bars at a time. clusters: the
    correlation group by day and name, from 0; `first_cluster` is the first one's place among all groups. trading_cost:
    by day and name, as in `Names`."""

    tape: tape_rows.Tape
    fixed: tuple[NDArray[Any], ...]
    conditions: tape_rows.Conditions
    decimals: Integers
    price_decimals: Integers
    clusters: NDArray[Any]
    first_cluster: int
    trading_cost: Floats


def window(setup: SimulationSetup, given: EngineInput, first: int, last: int) -> tape_rows.Tape:
    """The tape with the matrices of the bars from `first` to the one before `last`. So no more than these bars of them
    are ever in memory in the engine's units; and they are copies in one layout, for which the engine is compiled."""
    market, said, at = setup.market, setup.instructions, slice(first, last)
    shape = (last - first, len(market.symbols))
    close = grains_of(market.close[at], given.price_decimals)
    fills_at, fill = _filled_at(setup), close
    if fills_at is not None:
        fill = np.where(close > 0, grains_of(fills_at[at], given.price_decimals), 0)
    volume = np.zeros(shape) if market.volume is None else np.nan_to_num(market.volume[at])
    named, exits = said.stop is not None or said.goal is not None, given.conditions.exits != tape_rows.NO_EXITS
    nothing = np.zeros((0, shape[1]), np.int64)
    opened, high, low = (
        ranges(market, given.price_decimals, at, close) if given.conditions.is_ranged else (nothing,) * 3
    )
    days = slice(int(given.tape.day[first]), int(given.tape.day[last - 1]) + 1)
    volatility, assumed = setup.reference.volatility[days], setup.rules.risk_management.assumed_volatility
    return given.tape._replace(
        first=first,
        close=np.array(close, np.int64, order="C"),
        fill=np.array(fill, np.int64, order="C"),
        volume=np.array(np.minimum(volume * 10.0**given.decimals, 4e18), np.int64, order="C"),
        opinion=np.array(said.value[at], np.float64, order="C"),
        confidence=np.ones(shape) if said.confidence is None else np.array(said.confidence[at], np.float64, order="C"),
        first_day=days.start,
        volatility=np.array(np.where(volatility > 0, volatility, assumed), order="C"),
        trading_cost=np.array(given.trading_cost[days], order="C"),
        cluster=np.array(given.clusters[days], np.int64, order="C") + given.first_cluster,
        code=given.tape.code[at],
        denied=given.tape.denied[at],
        open=opened,
        high=high,
        low=low,
        said=said_at(setup, at, shape) if exits else nothing,
        stop=named_grains(said.stop, at, given.price_decimals) if named else nothing,
        goal=named_grains(said.goal, at, given.price_decimals) if named else nothing,
    )


def fill_prices(setup: SimulationSetup, given: EngineInput, bar: Integers, name: Integers) -> Floats:
    """The price of fills at these bars and of these names, USD a share, as the engine rounds it."""
    decimals, fills_at = given.price_decimals[name], _filled_at(setup)
    prices = setup.market.close if fills_at is None else fills_at
    return grains_of(prices[bar, name], decimals) / 10.0**decimals


def _filled_at(setup: SimulationSetup) -> Floats | None:
    """The prices at which orders fill; None where these are the closes."""
    other = {"next_open": setup.market.open, "next_vwap": setup.market.vwap}.get(setup.fill)
    return setup.filled_at if other is None else other


def engine_input(setup: SimulationSetup) -> EngineInput:
    """The columns of a setup. Raises OutOfRange for numbers that the numeric core cannot hold."""
    market, rules = setup.market, setup.rules
    bars, count = market.close.shape
    members = [plain_instrument(setup, symbol) for symbol in market.symbols]
    decimals_of_prices = price_decimals(market)
    lots = [trade_lot(i, rules, is_long=True) for i in members]
    begun = {} if setup.start is None else setup.start.shares
    decimals = np.array(
        [
            0 if _is_whole(lot) and _is_whole(begun.get(i.symbol, ZERO)) else 6
            for i, lot in zip(members, lots, strict=True)
        ],
        np.int64,
    )
    for prices in (market.close, _filled_at(setup), market.high, setup.instructions.stop, setup.instructions.goal):
        if prices is not None:
            refuse_too_high(prices, decimals_of_prices)
    clusters, labels = _clusters(setup)
    groups = group(market.symbols, {i.symbol: i for i in members}, 1.0, rules)
    sectors = [limit for label, limit in zip(groups.labels, groups.limits, strict=True) if label.startswith("sector:")]
    limits = [1.0, *sectors, *([rules.risk_management.max_correlation_exposure] * labels), *groups.limits[-2:]]
    confidence_rate, gross_rate = _regime_rates(setup)
    nothing, none = np.zeros((0, count), np.int64), np.zeros((0, count))
    opens, exited = exit_times(setup)
    tape = tape_rows.Tape(
        first=0,
        close=nothing,
        fill=nothing,
        volume=nothing,
        opinion=none,
        confidence=none,
        first_day=0,
        volatility=none,
        trading_cost=none,
        cluster=nothing,
        day=setup.reference.row.astype(np.int64),
        gross=_gross(setup),
        confidence_rate=confidence_rate,
        gross_rate=gross_rate,
        decides=setup.cycles.astype(np.int64),
        worth=np.zeros(bars, np.int64) if setup.worth is None else setup.worth,
        spare=_spare(setup),
        code=np.full((bars, count), tape_rows.ABSENT, np.uint8),
        denied=np.zeros((bars, count), np.uint8),
        open=nothing,
        high=nothing,
        low=nothing,
        said=nothing,
        stop=nothing,
        goal=nothing,
        now=whole_microseconds(market.times).astype(np.int64),
        opens=opens,
        exited=exited,
        action_bar=setup.actions.bar,
        action_name=setup.actions.name,
        action_new=setup.actions.new,
        action_old=setup.actions.old,
        action_cash=grains_of(setup.actions.cash, decimals_of_prices[setup.actions.name]),
        exit_bar=setup.exits.bar,
        exit_name=setup.exits.name,
        exit_size=_exit_units(setup, decimals),
        exit_price=grains_of(setup.exits.price, decimals_of_prices[setup.exits.name]),
        exit_kind=setup.exits.kind,
        exit_at=setup.exits.at,
    )
    short = [_units(trade_lot(i, rules, is_long=False), int(d)) for i, d in zip(members, decimals, strict=True)]
    grains = 10**decimals_of_prices
    fixed = (
        np.array([int(rules.position_sizing.allow_short and i.shortable) for i in members], np.int64),
        np.array([int(i.asset_class == "crypto") for i in members], np.int64),
        np.array([_selected(s, rules) for s in market.symbols], np.int64),
        np.array(groups.sector, np.int64),
        10 ** (decimals + decimals_of_prices - 6),
        np.array([_units(lot, int(d)) for lot, d in zip(lots, decimals, strict=True)], np.int64),
        np.array(short, np.int64),
        np.array([_units(closing_lot(i, is_long=True), int(d)) for i, d in zip(members, decimals, strict=True)]),
        50 * grains,
        10_000 * grains,
        np.array([codes.NO_LIMIT if isinf(limit) else rate(limit) for limit in limits], np.int64),
    )
    return EngineInput(
        tape, fixed, _conditions(setup), decimals, decimals_of_prices, clusters, 1 + len(sectors), _trading_cost(setup)
    )


def plain_instrument(setup: SimulationSetup, symbol: str) -> Instrument:
    """A symbol as the snapshots of bars describe it, without what changes from day to day."""
    kind = setup.terms.venue.asset_class(symbol)
    sector = setup.reference.sector[setup.market.symbols.index(symbol)]
    lot = FRACTIONAL_LOT if kind == "crypto" else Decimal(1)
    return Instrument(symbol, kind, True, True, kind == "us_equity", lot, Decimal("0.01"), sector)


def _exit_units(setup: SimulationSetup, decimals: Integers) -> Integers:
    """How much each recorded exit closed, base units, rounded to the nearest."""
    return np.rint(setup.exits.shares * 10.0 ** decimals[setup.exits.name]).astype(np.int64)


def _is_whole(number: Decimal) -> bool:
    return number == number.to_integral_value()


def _selected(symbol: str, rules: Rules) -> int:
    only, exclude = rules.selection.only, rules.selection.exclude
    return 0 if only and symbol not in only else -1 if symbol in exclude else 1


def _units(lot: Decimal | None, decimals: int) -> int:
    """A lot in base units; 0 for none."""
    return 0 if lot is None else max(int(lot.scaleb(decimals)), 1)


def _clusters(setup: SimulationSetup) -> tuple[NDArray[Any], int]:
    """The correlation group of every name on every day, numbered from 0, and how many there are."""
    reference, symbols = setup.reference, setup.market.symbols
    number: dict[str, int] = {UNKNOWN: 0}
    for name in [*(given for given in reference.given_cluster if given is not None), *symbols]:
        number.setdefault(name, len(number))
    by_symbol = smallest(np.array([*(number[symbol] for symbol in symbols), number[UNKNOWN]]))
    found = by_symbol[reference.cluster]  # unknown is -1: the last one
    for i, given in enumerate(reference.given_cluster):
        if given is not None:
            found[:, i] = number[given]
    used = np.unique(found)
    place = np.zeros(len(number), np.int64)
    place[used] = np.arange(len(used))
    return smallest(place)[found], len(used)


def _gross(setup: SimulationSetup) -> Integers:
    """The limit on all names together at every bar, trillionths of capital."""
    rules, times = setup.rules, setup.market.times
    sizing, risk = rules.position_sizing, rules.risk_management
    if risk.max_overnight_leverage / sizing.capital_scaling >= sizing.max_total_exposure:
        return np.full(len(times), rate(sizing.max_total_exposure), np.int64)
    buffer = rules.execution.close_buffer_seconds
    moments = [moment_at(int(stamp)) for stamp in times]
    return np.array([rate(overnight_gross_limit(at, session_at(at, buffer), rules)) for at in moments], np.int64)


def _regime_rates(setup: SimulationSetup) -> tuple[Integers, Integers]:
    """What the regime leaves of confidence and of exposure at every bar, trillionths."""
    reference, rules = setup.reference, setup.rules.regime
    days = int(reference.row[-1]) + 1
    by_day = [regime_factors(regime, rules) for regime in reference.regime or (None,) * days]
    rates = np.array([factors.rates for factors in by_day], np.int64)[reference.row]
    return rates[:, 0].copy(), rates[:, 1].copy()


def _trading_cost(setup: SimulationSetup) -> Floats:
    """The trading cost by day and name; one row of memory where it is the cost model's."""
    symbols, venue, days = setup.market.symbols, setup.terms.venue, int(setup.reference.row[-1]) + 1
    by_day = [setup.trading_costs(day) for day in range(days if setup.learned is not None else 1)]
    rows = np.array([[trading_cost(costs, symbol, venue) for symbol in symbols] for costs in by_day])
    return np.broadcast_to(rows, (days, len(symbols)))


def _spare(setup: SimulationSetup) -> Integers:
    """How many cycles fit between every bar and the moment at which the account is to be flat; below zero after it."""
    rules, times = setup.rules, setup.market.times
    minutes = rules.risk_management.flat_by_minutes_before_close
    if minutes is None:
        return np.full(len(times), tape_rows.EVER, np.int64)
    interval, buffer = (
        timedelta(minutes=rules.execution.timing.minutes_until_next),
        rules.execution.close_buffer_seconds,
    )
    found = []
    for moment in (moment_at(int(stamp)) for stamp in times):
        flat = session_at(moment, buffer).close - timedelta(minutes=minutes)
        found.append((flat - moment) // interval)
    return np.array(found, np.int64)


def _conditions(setup: SimulationSetup) -> tape_rows.Conditions:
    """The conditions of fills and costs, in the engine's units."""
    costs, risk, venue, market = setup.costs, setup.rules.risk_management, setup.terms.venue, setup.market
    days, cap, has_volume = len(np.unique(market.day)), costs.participation_max, market.volume is not None
    low, high, short, crypto = (
        rate(float(collar - 1))
        for collar in (venue.collar_low, venue.collar_high, venue.collar_short, venue.collar_crypto)
    )
    return tape_rows.Conditions(
        fill=FILLS[setup.fill],
        is_target=int(setup.instructions.kind == "targets"),
        half_spread_rate=rate(costs.half_spread_bps / 10_000),
        impact=float(costs.impact_coefficient) if has_volume else 0.0,
        participation=float(cap) if isfinite(cap) and has_volume else 0.0,
        bars_a_day=max(len(market.times) / max(days, 1), 1.0),
        sale_fee_rate=0,
        share_fee_money=0,
        share_fee_most_money=0,
        interest_rate=rate(costs.interest_rate / NIGHTS_A_YEAR),
        borrow_rate=rate(costs.borrow_rate / NIGHTS_A_YEAR),
        collar_low_rate=low,
        collar_high_rate=high,
        collar_short_rate=short,
        collar_crypto_rate=crypto,
        multiplier_rate=rate(float(setup.terms.multiplier)),
        scaling_rate=rate(setup.rules.position_sizing.capital_scaling),
        orders_a_day=risk.max_orders_per_day,
        daily_loss_kept_rate=_kept(risk.max_daily_loss),
        limit_rate=_limit_rate(setup.rules),
        drift_most=-1.0 if setup.rules.execution.timing.drift is None else setup.rules.execution.timing.drift,
        drawdown_kept_rate=_kept(risk.max_drawdown),
        flattens=int(risk.on_breach == "flatten"),
        unusable_most=float(setup.rules.quotes.max_unusable_fraction),
        least_confidence=float(setup.rules.signals.min_confidence),
        **exit_conditions(setup),
    )


def with_fees(conditions: tape_rows.Conditions, setup: SimulationSetup, bar: int) -> tuple[tape_rows.Conditions, int]:
    """The conditions with the fees of a bar's day, and the first bar at which they are others."""
    day = setup.market.day
    if not setup.costs.fees:
        return conditions, len(day)
    later = [change for change in changes() if change > day[bar]]
    until = int(np.searchsorted(day, later[0], "left")) if later else len(day)
    rates = fee_rates(int(day[bar]))
    found = conditions._replace(
        sale_fee_rate=rate(float(rates.of_value)),
        share_fee_money=int(rates.a_share * MICROS),
        share_fee_most_money=int(rates.a_share_most * MICROS),
    )
    return found, until


def _limit_rate(rules: Rules) -> int:
    if rules.execution.order_type == "market":
        return -1
    return rate(rules.execution.limit_offset_bps / 10_000)


def _kept(most: float) -> int:
    """What a loss limit leaves, trillionths; -1 for one that no loss reaches."""
    return codes.RATE - rate(most) if most <= 1 else -1
