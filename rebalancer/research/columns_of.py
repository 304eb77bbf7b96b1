"""A market, instructions and rules as the columns of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite, isinf
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.facts import Instrument, Session
from rebalancer.core.rules import Rules
from rebalancer.core.venue_rules import ALPACA
from rebalancer.market_data.statistics import RETURNS_MIN, RETURNS_USED, TRADING_DAYS_A_YEAR
from rebalancer.planning.core import codes
from rebalancer.planning.groups import group
from rebalancer.planning.lot_sizes import closing_lot, trade_lot
from rebalancer.planning.numbers import MICROS, rate
from rebalancer.planning.overnight_ramp import overnight_gross_limit
from rebalancer.planning.to_columns import OutOfRange
from rebalancer.research import tape as tape_rows
from rebalancer.research.market import CostModel, Instructions, Market

Fill = Literal["next_open", "next_close", "same_close"]

FILLS: Final[Mapping[Fill, int]] = {
    "same_close": tape_rows.SAME_CLOSE,
    "next_open": tape_rows.NEXT_OPEN,
    "next_close": tape_rows.NEXT_CLOSE,
}
SEC_FEE_RATE: Final = 27.80e-6  # of the value of a sale
TAF_FEE: Final = Decimal("0.000166")  # USD a share sold
TAF_FEE_MOST: Final = Decimal("8.30")  # USD an order
MULTIPLIER: Final = 2.0  # of equity that the broker lends
EQUITY_MOST: Final = 10**18  # micro-dollars
PER_YEAR: Final = 365


def session_of(market: Market, bar: int, rules: Rules) -> Session:
    """The session that a bar falls into: from the first bar of its day until shortly after the last."""
    day = market.day[bar]
    first, last = np.searchsorted(market.day, day, "left"), np.searchsorted(market.day, day, "right") - 1
    end = time_of(market, int(last)) + timedelta(seconds=rules.execution.close_buffer_seconds + 60)
    return Session(True, time_of(market, int(first)), end)


def time_of(market: Market, bar: int) -> datetime:
    """The time of a bar, aware UTC, to microseconds."""
    return datetime.fromtimestamp(int(market.times[bar]) // 1000 / 1e6, UTC)


def volatilities(market: Market) -> NDArray[np.float64]:
    """The annualised volatility of every name on every trading day, from the closes of earlier days; NaN while fewer
    than `RETURNS_MIN` returns are known. Shape (days, names)."""
    ends = np.flatnonzero(market.is_last_of_day)
    closes = market.close[ends]
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.diff(np.log(closes), axis=0)
    found = np.full((len(ends), len(market.symbols)), np.nan)
    for day in range(RETURNS_MIN + 1, len(ends)):
        window = returns[max(0, day - 1 - RETURNS_USED) : day - 1]
        known = np.isfinite(window).sum(axis=0) >= RETURNS_MIN
        found[day, known] = np.nanstd(window[:, known], axis=0, ddof=1) * np.sqrt(TRADING_DAYS_A_YEAR)
    return np.where(found > 0, np.round(found, 6), np.nan)


def columns_of(
    market: Market,
    instructions: Instructions,
    rules: Rules,
    members: tuple[Instrument, ...],
    fill: Fill,
    decides: NDArray[np.bool_] | None,
) -> tuple[Any, tuple[NDArray[Any], ...], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The tape, what is fixed, the volatilities, and the decimals of prices and of quantities."""
    bars, count = market.close.shape
    price_decimals = np.array([_price_decimals(market.close[:, i]) for i in range(count)], np.int64)
    decimals = np.array([0 if _is_whole(i, rules) else 6 for i in members], np.int64)
    close = _grains(market.close, price_decimals)
    fill_at = close if fill != "next_open" or market.open is None else _grains(market.open, price_decimals)
    volume = np.zeros((1, count)) if market.volume is None else market.volume
    units = np.nan_to_num(np.broadcast_to(volume, (bars, count)) * 10.0**decimals)
    days = np.cumsum(np.concatenate(([0], np.diff(market.day) != 0))).astype(np.int64)
    volatility = volatilities(market)
    measured = np.where(np.isfinite(volatility), volatility, rules.risk_management.assumed_volatility)
    groups = group(market.symbols, {i.symbol: i for i in members}, 1.0, rules)
    limits = [codes.NO_LIMIT if isinf(limit) else rate(limit) for limit in groups.limits]
    confidence = instructions.confidence
    tape = tape_rows.Tape(
        close=close,
        fill=fill_at,
        volume=np.minimum(units, 9e18).astype(np.int64),
        opinion=np.ascontiguousarray(instructions.value, np.float64),
        confidence=np.ones((1, count)).repeat(bars, 0) if confidence is None else np.ascontiguousarray(confidence),
        volatility=np.ascontiguousarray(measured),
        day=days,
        gross=_gross(market, rules),
        decides=np.ones(bars, np.int64) if decides is None else decides.astype(np.int64),
        leaves=np.zeros(bars, np.int64),
        denies=np.zeros(bars, np.int64),
        code=np.full((bars, count), tape_rows.ABSENT, np.int16),
        denied=np.zeros((bars, count), np.int16),
    )
    lots = [_lots(i, rules, int(d)) for i, d in zip(members, decimals, strict=True)]
    sizing, selection = rules.position_sizing, rules.selection
    grains = 10**price_decimals
    fixed = (
        np.array([int(sizing.allow_short and i.shortable and i.asset_class != "crypto") for i in members], np.int64),
        np.array([int(i.asset_class == "crypto") for i in members], np.int64),
        np.array([_selected(i.symbol, selection.only, selection.exclude) for i in members], np.int64),
        np.array(groups.sector, np.int64),
        np.array(groups.cluster, np.int64),
        10 ** (decimals + price_decimals - 6),
        *(np.array(column, np.int64) for column in zip(*lots, strict=True)),
        50 * grains,
        10_000 * grains,
        np.array(limits, np.int64),
    )
    return tape, fixed, volatility, price_decimals, decimals


def _selected(symbol: str, only: list[str], exclude: list[str]) -> int:
    return 0 if only and symbol not in only else -1 if symbol in exclude else 1


def _is_whole(instrument: Instrument, rules: Rules) -> bool:
    return trade_lot(instrument, rules, is_long=True) == trade_lot(instrument, rules, is_long=True).to_integral_value()


def _lots(instrument: Instrument, rules: Rules, decimals: int) -> tuple[int, int, int]:
    """Lots of longs, of shorts and of the closing of longs, in base units."""
    long, short = (trade_lot(instrument, rules, is_long=is_long) for is_long in (True, False))
    closing = closing_lot(instrument, is_long=True)
    one, other, last = (0 if lot is None else max(int(lot.scaleb(decimals)), 1) for lot in (long, short, closing))
    return one, other, last


def _price_decimals(closes: NDArray[np.float64]) -> int:
    """The decimals that a name's prices are kept with: six, or nine where it is cheaper than a cent."""
    priced = closes[np.isfinite(closes)]
    return 9 if priced.size and priced.min() < 0.01 and priced.max() < 1000 else 6


def _grains(prices: NDArray[np.float64], decimals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Prices in grains, rounded to the nearest; 0 where there is none."""
    found = np.rint(np.nan_to_num(prices) * 10.0**decimals).astype(np.int64)
    if found.size and found.max() > 2_000_000_000_000:
        raise OutOfRange("a price above 2,000,000 USD a share")
    return found


def _gross(market: Market, rules: Rules) -> NDArray[np.int64]:
    """The gross limit at every bar, trillionths of capital."""
    sizing, risk = rules.position_sizing, rules.risk_management
    bars = len(market.times)
    if risk.max_overnight_leverage / sizing.capital_scaling >= sizing.max_total_exposure:
        return np.full(bars, rate(sizing.max_total_exposure), np.int64)
    found = [rate(overnight_gross_limit(time_of(market, t), session_of(market, t, rules), rules)) for t in range(bars)]
    return np.array(found, np.int64)


def conditions_of(
    market: Market, instructions: Instructions, rules: Rules, costs: CostModel, fill: Fill
) -> tape_rows.Conditions:
    """The conditions of fills and costs, in the engine's units."""
    risk, days = rules.risk_management, max(int(market.is_last_of_day.sum()), 1)
    cap = costs.participation_max
    low, high, short, crypto = (
        rate(float(collar - 1))
        for collar in (ALPACA.collar_low, ALPACA.collar_high, ALPACA.collar_short, ALPACA.collar_crypto)
    )
    return tape_rows.Conditions(
        fill=FILLS[fill],
        is_target=int(instructions.kind == "targets"),
        half_spread_rate=rate(costs.half_spread_bps / 10_000),
        impact=float(costs.impact_coefficient) if market.volume is not None else 0.0,
        participation=float(cap) if isfinite(cap) and market.volume is not None else 0.0,
        bars_a_day=max(len(market.times) / days, 1.0),
        sale_fee_rate=rate(SEC_FEE_RATE) if costs.fees else 0,
        share_fee_money=int(TAF_FEE * MICROS) if costs.fees else 0,
        share_fee_most_money=int(TAF_FEE_MOST * MICROS),
        interest_rate=rate(costs.interest_rate / PER_YEAR),
        borrow_rate=rate(costs.borrow_rate / PER_YEAR),
        collar_low_rate=low,
        collar_high_rate=high,
        collar_short_rate=short,
        collar_crypto_rate=crypto,
        multiplier_rate=rate(MULTIPLIER),
        scaling_rate=rate(rules.position_sizing.capital_scaling),
        orders_a_day=risk.max_orders_per_day,
        daily_loss_kept_rate=codes.RATE - rate(risk.max_daily_loss),
        drawdown_kept_rate=codes.RATE - rate(risk.max_drawdown),
        flattens=int(risk.on_breach == "flatten"),
    )
