"""Decide whether this cycle has to close every position, and why.

Either the account is to be flat some minutes before the close, or a loss limit was breached and `on_breach` is
`flatten`. Becoming flat may take several cycles, given the largest trade and the most reductions per cycle; the first
of them is early enough for the last one to begin in time. Nothing is opened in the cycle before the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from rebalancer.core.facts import Instrument, Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, decimal_near, shares_toward_zero
from rebalancer.planning.lot_sizes import closing_lot, most_closed, part_lot
from rebalancer.planning.pricing import BASIS_POINTS
from rebalancer.planning.trading_halt import HaltDecision


def decide_liquidation(
    halt: HaltDecision, snapshot: Snapshot, held: Mapping[str, Decimal], prices: Mapping[str, Decimal], rules: Rules
) -> HaltDecision:
    """The halt decision, with `leave` set when all positions are to be closed. Nothing is opened then either.

    held: signed shares. prices: USD, for the held symbols that have one.
    """
    if halt.stop:
        return halt
    if halt.outcome is not None and rules.risk_management.on_breach == "flatten":
        return halt._replace(leave=True)
    minutes = rules.risk_management.flat_by_minutes_before_close
    if minutes is None:
        return halt
    flat = snapshot.session.close - timedelta(minutes=minutes)
    interval = timedelta(minutes=rules.execution.timing.minutes_until_next)
    cycles = _cycles_needed(held, prices, {i.symbol: i for i in snapshot.instruments}, rules)
    if snapshot.as_of + interval * (cycles + 1) <= flat:
        return halt
    why = because(ReasonCode.FLAT_BY, minutes=minutes)
    if snapshot.as_of + interval * cycles <= flat:  # there is still time, but anything opened now would need more of it
        return halt if halt.denied is not None else HaltDecision(None, why, False, Outcome.DENIED_FLAT_BY)
    if halt.outcome is not None:
        return halt._replace(why=halt.because.plus(why), leave=True)
    return HaltDecision(None, why, stop=False, denied=Outcome.DENIED_FLAT_BY, leave=True)


def _cycles_needed(
    held: Mapping[str, Decimal], prices: Mapping[str, Decimal], instruments: Mapping[str, Instrument], rules: Rules
) -> int:
    """The cycles needed to close everything: one order per symbol and cycle, of the largest trade or one lot each."""
    pieces = [
        _orders_needed(qty, prices.get(symbol, ZERO), instruments.get(symbol), rules) for symbol, qty in held.items()
    ]
    together = -(-sum(pieces) // max(rules.gate.max_orders_per_minute, 1))
    return max([1, together, *pieces])


def _orders_needed(held: Decimal, price: Decimal, instrument: Instrument | None, rules: Rules) -> int:
    """The orders needed to close one position. A name without a price, or unknown to the broker, counts as one order:
    it cannot be closed in any case. An odd-lot remainder takes one more, the last."""
    if price <= 0 or instrument is None:
        return 1
    shares, is_long = abs(held), held > 0
    whole = closing_lot(instrument, is_long=is_long)
    lots = shares if whole is None else shares_toward_zero(shares, whole)
    if not is_long and rules.execution.order_type == "limit":  # bought back at the limit, above the mid
        beyond = 1 + decimal_near(rules.execution.limit_offset_bps) / BASIS_POINTS
        price *= beyond * (1 + decimal_near(rules.quotes.max_spread) / 2)
    most = most_closed(price, part_lot(instrument, rules, is_long=is_long), rules)
    return int((lots / most).to_integral_value(ROUND_CEILING)) + (lots != shares)
