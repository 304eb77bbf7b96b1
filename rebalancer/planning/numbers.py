"""The rules as the numbers of the numeric core."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Final

from rebalancer.core.rules import Rules
from rebalancer.core.values import decimal_near
from rebalancer.core.venue_rules import VenueRules
from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Numbers
from rebalancer.planning.lot_sizes import largest_trade

MICROS: Final = 1_000_000
METHODS: Final = {
    "fixed_fraction": codes.FIXED_FRACTION,
    "proportional": codes.PROPORTIONAL,
    "inverse_volatility": codes.INVERSE_VOLATILITY,
    "equal": codes.EQUAL,
    "fixed": codes.FIXED_SIZE,
}
SIDES: Final = {"both": 0, "buy": 1, "sell": -1}


def numbers_of(rules: Rules, venue: VenueRules) -> Numbers:
    """Fractions as they are; money in micro-dollars and rates in trillionths, rounded to the safe side."""
    execution, sizing, risk = rules.execution, rules.position_sizing, rules.risk_management
    selection, band = rules.selection, rules.position_sizing.no_trade_band
    threshold, consensus = execution.signal_threshold, rules.signals.consensus
    return Numbers(
        method=METHODS[sizing.method],
        above_75=int(sizing.confidence_scaling == "above_75"),
        neutral_holds=int(execution.neutral_signals == "hold"),
        silence_holds=int(execution.unsignalled_positions == "hold"),
        quorum=consensus.quorum,
        cancels_confidence=int(consensus.disagreement == "lower"),
        veto=-1.0 if consensus.veto is None else consensus.veto,
        targets_of_equity=int(rules.signals.weights_of == "equity"),
        regime_scales_targets=int(rules.regime.targets),
        to_edge=int(band.to == "edge"),
        signal_threshold=threshold,
        exit_threshold=threshold if execution.exit_threshold is None else execution.exit_threshold,
        base_position_size=sizing.base_position_size,
        max_position_size=sizing.max_position_size,
        max_total_exposure=sizing.max_total_exposure,
        volatility_target=sizing.volatility_target,
        volatility_scale_min=sizing.volatility_scale_min,
        volatility_scale_max=sizing.volatility_scale_max,
        crypto_floor=-1.0 if sizing.crypto_floor is None else sizing.crypto_floor,
        max_position_risk=risk.max_position_risk,
        max_trade_heat=risk.max_trade_heat,
        capital_scaling=sizing.capital_scaling,
        default_stop_distance=risk.default_stop_distance,
        max_stop_distance=-1.0 if risk.max_stop_distance is None else risk.max_stop_distance,
        max_positions=-1 if risk.max_positions is None else risk.max_positions,
        max_correlated_positions=-1 if risk.max_correlated_positions is None else risk.max_correlated_positions,
        band_absolute=band.absolute,
        band_relative=band.relative,
        risk_aversion=band.risk_aversion if band.width == "cost" else -1.0,
        min_trade_money=money_up(sizing.min_trade_size),
        largest_trade_money=money_down(largest_trade(rules)),
        equity_purchase_min_money=money_up(venue.equity_purchase_min),
        crypto_order_min_money=money_up(venue.crypto_order_min),
        side=SIDES[selection.side],
        has_at_most=int(bool(selection.at_most)),
        turnover_rate=-1 if selection.max_turnover is None else rate(selection.max_turnover),
        power_kept_rate=codes.RATE - rate_up(risk.buying_power_buffer),
        withdrawn_money=money_up(selection.withdraw),
        orders_at_once=rules.gate.max_orders_per_minute,
        orders_per_execution=execution.max_orders_per_execution,
        orders_reserved=int(risk.max_orders_per_day * risk.reserved_order_fraction),
        orders_per_symbol=risk.max_orders_per_symbol_per_day,
    )


def money_down(usd: Decimal) -> int:
    """US dollars to micro-dollars, rounded toward minus infinity."""
    return int((usd * MICROS).to_integral_value(ROUND_FLOOR))


def money_up(usd: Decimal) -> int:
    """US dollars to micro-dollars, rounded toward infinity."""
    return int((usd * MICROS).to_integral_value(ROUND_CEILING))


def rate(fraction: float) -> int:
    """A fraction of at least 0 to whole trillionths, rounded down."""
    return int((decimal_near(fraction) * codes.RATE).to_integral_value(ROUND_DOWN))


def rate_up(fraction: float) -> int:
    """A fraction of at least 0 to whole trillionths, rounded up."""
    return int((decimal_near(fraction) * codes.RATE).to_integral_value(ROUND_CEILING))
