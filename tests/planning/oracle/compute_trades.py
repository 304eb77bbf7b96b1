"""Turn target weights into trades: compare them with what is held, and decide where trading is worthwhile.

Target shares are rounded toward zero to the lot, so a target never breaks a cap. The trade is the target less the held
shares and what our open orders may still fill. A drift inside the no-trade band, or a trade below the minimum, is not
traded unless it closes the position; `phase` cuts trades above the maximum and leaves the rest to later cycles. A trade
through zero is split in two, close then open, since the broker refuses a flip in one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.band_rules import NoTradeBand
from rebalancer.core.facts import Instrument, TradingCosts
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, Side, decimal_near, shares_away_from_zero, shares_toward_zero
from rebalancer.planning.lot_sizes import closing_lot, part_lot, trade_lot
from rebalancer.planning.reconcile import ReconciledBook
from rebalancer.planning.validate_signals import Prices
from tests.planning.oracle.construct_targets import ProposedTarget
from tests.planning.oracle.pricing import order_price


class TradeProposal(NamedTuple):
    """The trades that one name's target calls for. `reduce` and `increase` are signed shares to trade toward and away
    from zero; `hold` says why nothing is traded. `target` is signed shares; `drift` is the weight still to trade
    (target - now, counting pending orders) and `band` the half width of the no-trade band, both fractions of capital.
    `part` is the smallest quantity into which a reduction may be split; `paid` is the price at which the order is
    valued, USD per share; `order_min` is the least USD that the venue accepts in one order on this side."""

    symbol: str
    price: Decimal
    paid: Decimal
    order_min: Decimal
    lot: Decimal
    closing_lot: Decimal | None
    part: Decimal
    held: Decimal
    pending: Decimal
    target: Decimal
    reduce: Decimal
    increase: Decimal
    drift: float
    band: float
    hold: Outcome | None
    because: Reasons


class _Move(NamedTuple):
    """From what is held to the target: fractions of capital, and signed shares. `aimed` is the weight to trade to."""

    drift: float
    band: float
    aimed: float
    held: Decimal
    target: Decimal
    price: Decimal


def compute_trades(
    proposed: Sequence[ProposedTarget],
    book: ReconciledBook,
    prices: Prices,
    instruments: Mapping[str, Instrument],
    capital: Decimal,
    rules: Rules,
    costs: TradingCosts | None = None,
) -> tuple[TradeProposal, ...]:
    """One proposal per target, in the order of the targets. costs: of trading, where they are known."""
    return tuple(
        _proposal(target, book, prices, instruments[target.symbol], capital, rules, costs) for target in proposed
    )


def _proposal(
    proposed: ProposedTarget,
    book: ReconciledBook,
    prices: Prices,
    instrument: Instrument,
    capital: Decimal,
    rules: Rules,
    costs: TradingCosts | None,
) -> TradeProposal:
    price = prices.usable[proposed.symbol]
    held = book.held.get(proposed.symbol, ZERO)
    pending = book.pending.get(proposed.symbol, ZERO)
    lot = trade_lot(instrument, rules, is_long=proposed.weight >= 0)
    now = held + pending
    drift = proposed.weight - float(now * price / capital)
    fixed = _band(proposed, rules.position_sizing.no_trade_band)
    cost = None if costs is None else _cost(costs, proposed.symbol, instrument)
    is_kept = float(now) * proposed.weight > 0 and not _capped(proposed, drift)
    band = max(fixed, _cost_band(proposed, cost, rules)) if is_kept else fixed
    aimed = proposed.weight
    if rules.position_sizing.no_trade_band.to == "edge" and abs(drift) > band and not _capped(proposed, drift):
        edge = fixed if drift * float(now) < 0 else band
        aimed -= edge if drift > 0 else -edge
    target = shares_toward_zero(decimal_near(aimed) * capital / price, lot)
    if proposed.implied and not proposed.factors and proposed.weight == proposed.raw != 0:
        target, drift = now, 0.0  # no signal: keep exactly what is held, odd lots included
    if proposed.denial is not None and not proposed.factors and 0 != proposed.weight == proposed.held_weight:
        target = held  # edition 3: a restriction that allows what is held changes nothing
    reduce, increase = split(held, pending, target, lot, instrument)
    if drift * float(held) > 0:
        reduce = ZERO  # only rounding puts the target below the holding: do not sell for that
    side: Side = "buy" if reduce + increase > 0 else "sell"
    paid = order_price(side, instrument, prices, rules)
    part = part_lot(instrument, rules, is_long=held >= 0)
    order_min = prices.venue.order_min(instrument.asset_class, side)
    closes = proposed.weight == 0 and reduce != 0 and abs(held + reduce) < part  # but for an odd lot, which follows
    closes = closes and abs(reduce) * paid >= order_min
    forced = proposed.denial is not None and proposed.denial is not Outcome.DENIED_SHORT
    smallest = order_min if closes or forced else rules.position_sizing.min_trade_size
    move = _Move(drift, band, aimed, held, target, price)
    hold, why = _hold(proposed, move, reduce, increase, paid, smallest)
    if rules.position_sizing.no_trade_band.width == "cost":
        why = _with_cost(hold, why, move, fixed, cost)
    nothing = hold is not Outcome.HELD_WITHIN_BAND and reduce == increase == 0
    if (hold is None or nothing) and pending * (target - now) < 0:
        hold, why = Outcome.FROZEN_OPEN_ORDER, because(ReasonCode.OTHER_SIDE_WORKING)
    closes_in = closing_lot(instrument, is_long=held >= 0)
    return TradeProposal(
        proposed.symbol, price, paid, order_min, lot, closes_in, part, held, pending, target, reduce, increase, drift,
        band, hold, why,
    )  # fmt: skip


def split(
    held: Decimal, pending: Decimal, target: Decimal, lot: Decimal, instrument: Instrument
) -> tuple[Decimal, Decimal]:
    """Signed shares to trade toward zero and away from it. The reduction is rounded away from zero, so that it ends
    within the target, but never beyond what is held; the increase is rounded toward zero. An odd-lot remainder is
    closed last, in one piece. While orders of ours are working, only the remaining difference is traded, and never a
    flip."""
    now = held + pending
    if now * target < 0 or target == 0:
        closing, opening = -now, target
    elif abs(target) < abs(now):
        closing, opening = target - now, ZERO
    else:
        closing, opening = ZERO, target - now
    if closing == 0:
        return ZERO, shares_toward_zero(opening, lot)
    whole = closing_lot(instrument, is_long=held >= 0)
    if whole is not None:
        sellable = shares_toward_zero(now, whole) or now
        closing = min(shares_away_from_zero(abs(closing), whole), abs(sellable)) * (1 if closing > 0 else -1)
    if held * closing >= 0:
        closing = ZERO  # nothing held in this direction yet: pending shares cannot be sold before they fill
    closing = max(min(closing, abs(held)), -abs(held))
    if pending != 0 and now * target < 0:
        opening = ZERO
    return closing, shares_toward_zero(opening, lot)


def _capped(target: ProposedTarget, drift: float) -> bool:
    """Whether a cap limits the target and the position exceeds it: it is then traded to the target, not to the edge."""
    return target.weight * drift < 0 and (bool(target.factors) or abs(target.weight) >= target.own_cap - 1e-12)


def _band(target: ProposedTarget, band: NoTradeBand) -> float:
    """The half width of the no-trade band; zero for a position that is to be closed entirely."""
    return 0.0 if target.weight == 0 else max(band.absolute, band.relative * abs(target.weight))


def _cost(costs: TradingCosts, symbol: str, instrument: Instrument) -> float:
    """One way, a fraction of the value traded; crypto pays the venue's fee besides."""
    fee = 0.003 if instrument.asset_class == "crypto" else 0.0
    return min(max(costs.by_symbol.get(symbol, costs.usual), 0.0) / 1e4 + fee, 1.0)


def _cost_band(target: ProposedTarget, cost: float | None, rules: Rules) -> float:
    """The half width at which a gap is worth its cost, with the root of the mathematics library."""
    band, scaling = rules.position_sizing.no_trade_band, rules.position_sizing.capital_scaling
    if band.width != "cost" or cost is None or target.weight == 0:
        return 0.0
    share = target.weight * scaling
    return float((3 * cost / (2 * band.risk_aversion) * (share * (1 - share)) ** 2) ** (1 / 3)) / scaling


def _with_cost(hold: Outcome | None, why: Reasons, move: _Move, fixed: float, cost: float | None) -> Reasons:
    """What trading costs say: that they hold the name back, or that they are not known."""
    if hold is Outcome.HELD_WITHIN_BAND and abs(move.drift) > fixed:
        assert cost is not None
        part = abs(move.drift) / move.band
        worth = cost * part * (3 - part**2) / 2
        return because(ReasonCode.NOT_WORTH_COST, drift=move.drift, worth=worth, cost=cost, band=move.band)
    if cost is None and hold in (None, Outcome.HELD_WITHIN_BAND):
        return why.plus(because(ReasonCode.COST_UNKNOWN))
    return why


def _hold(
    proposed: ProposedTarget, move: _Move, reduce: Decimal, increase: Decimal, paid: Decimal, smallest: Decimal
) -> tuple[Outcome | None, Reasons]:
    """Why this name is not traded, as outcome and reasons; or None and the reasons for the trade. smallest: the USD
    below which a trade is not made: for a forced reduction only what the venue refuses."""
    drift, band, held, target = move.drift, move.band, move.held, move.target
    if proposed.denial is not None and (reduce == 0 or (proposed.weight != 0 and abs(drift) <= band)):
        return proposed.denial, proposed.note
    if proposed.weight == 0 and held == 0:
        if proposed.stance:
            return Outcome.HELD_NEUTRAL, proposed.note
        if proposed.raw != 0:
            return Outcome.DENIED_CAP, because(ReasonCode.NO_ROOM, caps=caps_that_shrink(proposed))
    if proposed.implied and (target == held or (drift == 0 and proposed.weight != 0)):
        outcome = Outcome.HELD_NEUTRAL if proposed.stance == "keep" else Outcome.HELD_AT_TARGET
        return outcome, proposed.note if proposed.stance else because(ReasonCode.NO_SIGNAL_HELD)
    if abs(drift) <= band and held != 0:
        return Outcome.HELD_WITHIN_BAND, because(ReasonCode.WITHIN_BAND, drift=drift, band=band)
    if reduce == 0 and increase == 0:
        if target == held and held != 0:
            return Outcome.HELD_AT_TARGET, because(ReasonCode.AT_TARGET, qty=target)
        return Outcome.HELD_BELOW_MINIMUM, because(
            ReasonCode.BELOW_ONE_LOT, weight=abs(proposed.weight), price=move.price
        )
    value = max(abs(reduce), abs(increase)) * paid
    if value < smallest:
        return Outcome.HELD_BELOW_MINIMUM, because(ReasonCode.BELOW_MINIMUM, value=value, limit=smallest)
    if abs(drift) <= band:
        return Outcome.HELD_WITHIN_BAND, because(ReasonCode.WITHIN_BAND, drift=drift, band=band)
    return None, Reasons.later(_why_traded, proposed, move)


def _why_traded(proposed: ProposedTarget, move: _Move) -> Reasons:
    """What the trade does to the position, and the reasons for its target."""
    now, target = proposed.weight - move.drift, move.aimed
    if now == 0:
        code = ReasonCode.OPENS
    elif target == 0:
        code = ReasonCode.CLOSES
    elif now * target < 0:
        code = ReasonCode.REVERSES
    else:
        code = ReasonCode.ABOVE_TARGET if abs(now) > abs(target) else ReasonCode.BELOW_TARGET
    return because(code, now=now, target=target).plus(why_target(proposed))


def why_target(proposed: ProposedTarget) -> Reasons:
    """The reasons for the target: what the signal supports, then the caps that shrink it."""
    if proposed.denial is Outcome.DENIED_SHORT:
        return (proposed.basis or because(ReasonCode.NO_LONG, score=proposed.score)).plus(proposed.note)
    if proposed.denial is not None:
        return proposed.note
    if proposed.implied and proposed.weight == 0 and not proposed.stance:
        return because(ReasonCode.NO_SIGNAL_CLOSED)
    if proposed.stance:
        why = proposed.note
    elif proposed.implied:
        why = because(ReasonCode.NO_SIGNAL)
    else:
        score = because(ReasonCode.SCORE, score=proposed.score, confidence=proposed.confidence)
        why = proposed.basis or score
    return why.plus(caps_that_shrink(proposed))


def caps_that_shrink(proposed: ProposedTarget) -> Reasons:
    """The caps that shrink a target; nothing when none does."""
    found = because(ReasonCode.CAPS, factors=proposed.factors) if proposed.factors else NOTHING
    if proposed.raw != 0 and abs(proposed.weight) >= proposed.own_cap - 1e-12:
        found = found.plus(because(ReasonCode.OWN_CAP, rule=proposed.own_cap_name, limit=proposed.own_cap))
    return found
