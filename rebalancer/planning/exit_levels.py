"""Compute the exit levels of each position: its stop and its target price.

The prices of the signal that opened the position take precedence if they are on the correct side of its entry price;
otherwise the rules set a distance from the average entry price. Prices are rounded to the tick toward the entry, so
that a stop never loses more, and a target never waits for more, than specified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from rebalancer.core.facts import Instrument, Position
from rebalancer.core.rules import Protection
from rebalancer.core.values import ZERO, decimal_near
from rebalancer.core.venue_rules import ALPACA, VenueRules

BASIS_POINTS = 10_000


class SignalExits(NamedTuple):
    """The exit prices given by the signal that opened a position; None where it gave none."""

    signal_id: str
    stop_price: Decimal | None
    target_price: Decimal | None


class ExitLevel(NamedTuple):
    """One position and its two exit prices, USD per share. `qty` has the sign of the position. `stop_from` and
    `target_from` say where the prices come from. `stop_limit`: the worst price accepted on a stop; None: any."""

    symbol: str
    qty: Decimal
    entry: Decimal
    stop: Decimal
    target: Decimal
    stop_from: str
    target_from: str
    stop_limit: Decimal | None = None


def exit_levels(
    positions: Sequence[Position],
    instruments: Mapping[str, Instrument],
    named: Mapping[str, SignalExits],
    rules: Protection,
    venue: VenueRules = ALPACA,
) -> tuple[ExitLevel, ...]:
    """The exit levels of every position with a quantity and an entry price, by symbol.

    A position without an entry price (zero or less: not yet reported by the broker) has none: see
    `without_exit_levels`.
    """
    return tuple(
        _exit_level(p, _tick(p.avg_entry_price, instruments.get(p.symbol), venue), named.get(p.symbol), rules)
        for p in sorted(positions)
        if p.qty != ZERO and p.avg_entry_price > 0
    )


def without_exit_levels(positions: Sequence[Position]) -> tuple[str, ...]:
    """The held symbols that have no exit levels because their entry price is not known."""
    return tuple(sorted(p.symbol for p in positions if p.qty != ZERO and not p.avg_entry_price > 0))


def _exit_level(position: Position, tick: Decimal, named: SignalExits | None, rules: Protection) -> ExitLevel:
    entry, up = position.avg_entry_price, position.qty > 0
    against, in_favour = (-1, 1) if up else (1, -1)
    stop = _toward(entry, entry * (1 + against * decimal_near(rules.stop_loss)), tick)
    target = _toward(entry, entry * (1 + in_favour * decimal_near(rules.take_profit)), tick)
    stop_from, target_from = (
        f"protection.stop_loss {rules.stop_loss:.1%}",
        f"protection.take_profit {rules.take_profit:.1%}",
    )
    if named is not None and _beyond(named.stop_price, entry, against):
        assert named.stop_price is not None
        stop, stop_from = _toward(entry, named.stop_price, tick), f"signal {named.signal_id}"
    if named is not None and _beyond(named.target_price, entry, in_favour):
        assert named.target_price is not None
        target, target_from = _toward(entry, named.target_price, tick), f"signal {named.signal_id}"
    limit = _stop_limit(stop, against, tick, rules) if rules.stop_type == "stop_limit" else None
    return ExitLevel(position.symbol, position.qty, entry, stop, target, stop_from, target_from, limit)


def _stop_limit(stop: Decimal, against: int, tick: Decimal, rules: Protection) -> Decimal:
    """The limit price of a stop-limit order, rounded away from the stop: never nearer than specified. At least one tick
    (or the stop price, where that is lower)."""
    price = stop * (1 + against * decimal_near(rules.stop_limit_offset_bps) / BASIS_POINTS)
    rounding = ROUND_FLOOR if against < 0 else ROUND_CEILING
    return max((price / tick).to_integral_value(rounding=rounding) * tick, min(tick, stop))


def _beyond(price: Decimal | None, entry: Decimal, direction: int) -> bool:
    """Whether a price lies on this side of the entry: +1 above, -1 below; never at or below zero."""
    return price is not None and price > 0 and (price - entry) * direction > 0


def _toward(entry: Decimal, price: Decimal, tick: Decimal) -> Decimal:
    """Round to the tick toward the entry price, but never to the entry, beyond it, or to zero."""
    rounding = ROUND_CEILING if price < entry else ROUND_FLOOR
    rounded = (price / tick).to_integral_value(rounding=rounding) * tick
    crossed = rounded >= entry if price < entry else rounded <= entry
    if crossed:  # the distance is less than one tick: take the next tick away from the entry
        away = ROUND_FLOOR if price < entry else ROUND_CEILING
        rounded = (price / tick).to_integral_value(rounding=away) * tick
    return max(rounded, tick)


def _tick(price: Decimal, instrument: Instrument | None, venue: VenueRules) -> Decimal:
    if instrument is None:
        return venue.equity_tick
    return venue.tick(instrument.asset_class, instrument.tick, price)
