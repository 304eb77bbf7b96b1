"""Quantity increments for each name, and the size limits of a single order."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.facts import Instrument
from rebalancer.core.rules import Rules
from rebalancer.core.values import FRACTIONAL_LOT, shares_toward_zero


def trade_lot(instrument: Instrument, rules: Rules, *, is_long: bool) -> Decimal:
    """The smallest quantity to trade: the instrument's lot, or a millionth of a share where fractional trading is on.
    The broker lends whole shares only, so shorts trade in whole shares."""
    if instrument.asset_class == "crypto":
        return instrument.lot
    if not is_long:
        return max(instrument.lot, Decimal(1))
    fractions = instrument.fractionable and rules.position_sizing.fractional
    return min(instrument.lot, FRACTIONAL_LOT) if fractions else instrument.lot


def closing_lot(instrument: Instrument, *, is_long: bool) -> Decimal | None:
    """The increment of a reduction; None when any fraction that is held can be closed."""
    if instrument.asset_class == "crypto":
        return instrument.lot
    if not is_long:
        return max(instrument.lot, Decimal(1))
    return None if instrument.fractionable else instrument.lot


def part_lot(instrument: Instrument, rules: Rules, *, is_long: bool) -> Decimal:
    """The smallest quantity into which a reduction may be split over several cycles."""
    return closing_lot(instrument, is_long=is_long) or trade_lot(instrument, rules, is_long=is_long)


def largest_trade(rules: Rules) -> Decimal:
    """The most USD that one order may be worth."""
    return min(rules.position_sizing.max_trade_size, rules.position_sizing.max_order_value)


def most_closed(price: Decimal, part: Decimal, rules: Rules) -> Decimal:
    """The most shares in one reduction: those within the largest trade, but never less than one part, however expensive
    that is. A size limit spreads a reduction over cycles; it never prevents one."""
    return max(most_shares(price, part, largest_trade(rules)), part)


def most_shares(price: Decimal, lot: Decimal, money: Decimal) -> Decimal:
    """The most shares that this amount of money buys, rounded down to the lot."""
    return shares_toward_zero(money / price, lot)
