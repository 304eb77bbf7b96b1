"""Select the signals that can be acted upon; reject the others, each with its reason.

A signal is valid when it is well formed, for a known and tradable symbol, the newest of its source and symbol, fresh
and confident enough, its symbol has a usable price, and no protective exit has closed the symbol since it was issued.
The checks run in the order of `Outcome`. A valid target weight supersedes every score for its symbol, also newer ones
of the same source, and is fresh until it is replaced, unless `signals.targets_max_age` says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Instrument, Quote, Signal, Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.rules import Quotes, Rules
from rebalancer.core.values import ZERO
from rebalancer.core.venue_rules import ALPACA, VenueRules
from rebalancer.planning.reconcile import by_id

CLOCK_SKEW = timedelta(seconds=5)  # tolerance for times in the future
TARGET_MAX = Decimal(5)  # the largest target weight; a larger one is a percentage


class Prices(NamedTuple):
    """`usable`: the mid price of every symbol whose quote may be traded on, USD, with its `bid` and `ask`; `unusable`:
    the reason for every other quote; `value`: the best available price to value a holding, tradable or not; `venue`:
    the rules of the venue that quotes them."""

    usable: Mapping[str, Decimal]
    bid: Mapping[str, Decimal]
    ask: Mapping[str, Decimal]
    value: Mapping[str, Decimal]
    unusable: Mapping[str, Reasons]
    venue: VenueRules = ALPACA


class ValidSignals(NamedTuple):
    """Valid signals by symbol, at least one each, newest first; and for every signal of the snapshot, in its order, the
    verdict that rejected it, or None."""

    signals: Mapping[str, tuple[Signal, ...]]
    rejected: tuple[Verdict | None, ...]


def validate_signals(snapshot: Snapshot, prices: Prices, rules: Rules) -> ValidSignals:
    """Divide the signals into valid and rejected. Every signal is in exactly one of the two."""
    instruments = {i.symbol: i for i in snapshot.instruments}
    problems = [
        _problem(signal, snapshot, instruments.get(signal.symbol), prices.usable.get(signal.symbol))
        for signal in snapshot.signals
    ]
    newest: dict[tuple[str, str, bool], int] = {}
    for place, (signal, problem) in enumerate(zip(snapshot.signals, problems, strict=True)):
        best = newest.get(_subject(signal))
        if problem is None and (best is None or _age_key(signal) > _age_key(snapshot.signals[best])):
            newest[_subject(signal)] = place
    valid_signals: dict[str, list[Signal]] = {}
    rejected: list[Verdict | None] = []
    for place, (signal, refusal) in enumerate(zip(snapshot.signals, problems, strict=True)):
        instrument = instruments.get(signal.symbol)
        if refusal is None:
            best = newest[_subject(signal)]
            if best != place:
                newer = snapshot.signals[best].id
                refusal = (
                    Outcome.REJECTED_SUPERSEDED,
                    because(ReasonCode.SUPERSEDED, source=signal.source, newer=newer),
                )
            elif (old := _too_old(signal, snapshot.as_of, rules)) is not None:
                refusal = Outcome.REJECTED_STALE, old
            elif signal.confidence < rules.signals.min_confidence:
                refusal = (
                    Outcome.REJECTED_LOW_CONFIDENCE,
                    because(
                        ReasonCode.CONFIDENCE_LOW, confidence=signal.confidence, limit=rules.signals.min_confidence
                    ),
                )
            elif instrument is not None and not instrument.tradable:
                refusal = Outcome.REJECTED_NOT_TRADABLE, because(ReasonCode.NOT_TRADABLE)
            elif signal.symbol not in prices.usable:
                refusal = Outcome.REJECTED_NO_PRICE, prices.unusable.get(signal.symbol, because(ReasonCode.NO_QUOTE))
            elif (left := snapshot.stopped_out.get(signal.symbol)) is not None and signal.issued_at <= left:
                by_kill = signal.symbol in snapshot.closed_by_kill
                code = ReasonCode.CLOSED_BY_KILL if by_kill else ReasonCode.CLOSED_BY_EXIT
                refusal = Outcome.DENIED_STOPPED_OUT, because(code, at=left)
        if refusal is None:
            valid_signals.setdefault(signal.symbol, []).append(signal)
        rejected.append(None if refusal is None else Verdict(signal.id, signal.symbol, *refusal))
    _let_targets_stand(snapshot.signals, valid_signals, rejected)
    ordered = {
        symbol: tuple(sorted(group, key=lambda s: (s.issued_at, s.source, s.id), reverse=True))
        for symbol, group in sorted(valid_signals.items())
    }
    return ValidSignals(ordered, tuple(rejected))


def _subject(signal: Signal) -> tuple[str, str, bool]:
    """What a signal is about: a newer one of the same source about the same supersedes it."""
    return signal.source, signal.symbol, signal.target is not None


def _too_old(signal: Signal, as_of: datetime, rules: Rules) -> Reasons | None:
    """Why a signal is stale; None when it is not."""
    is_score = signal.target is None
    limit = rules.signals.max_age_of(signal.source) if is_score else rules.signals.targets_max_age
    if limit is None or as_of - signal.issued_at <= timedelta(minutes=limit):
        return None
    age = (as_of - signal.issued_at).total_seconds() / 60
    if is_score and limit != rules.signals.max_age_minutes:
        return because(ReasonCode.VOTE_OLD, age=age, source=signal.source, limit=limit)
    return because(ReasonCode.SIGNAL_OLD if is_score else ReasonCode.TARGET_OLD, age=age, limit=limit)


def _let_targets_stand(
    signals: tuple[Signal, ...], valid_signals: dict[str, list[Signal]], rejected: list[Verdict | None]
) -> None:
    """Reject, in place, the valid scores of every symbol that has a valid target weight."""
    standing = {symbol: [s for s in group if s.target is not None] for symbol, group in valid_signals.items()}
    standing = {symbol: targets for symbol, targets in standing.items() if targets}
    valid_signals.update(standing)
    for place, signal in enumerate(signals):
        if rejected[place] is None and signal.target is None and signal.symbol in standing:
            first = max(standing[signal.symbol], key=_age_key)
            why = because(ReasonCode.TARGET_STANDS, source=first.source, target=first.id)
            rejected[place] = Verdict(signal.id, signal.symbol, Outcome.REJECTED_SUPERSEDED, why)


def usable_prices(snapshot: Snapshot, rules: Quotes) -> Prices:
    """The prices of every quote: usable if it is fresh, positive, two-sided, uncrossed and not too wide."""
    usable: dict[str, Decimal] = {}
    bid: dict[str, Decimal] = {}
    ask: dict[str, Decimal] = {}
    unusable: dict[str, Reasons] = {}
    value = {o.symbol: o.limit_price for o in by_id(snapshot.open_orders) if o.limit_price is not None}
    value |= {p.symbol: p.avg_entry_price for p in snapshot.positions}
    spread_max = Decimal(str(rules.max_spread))
    for quote in snapshot.quotes:
        problem = quote_problem(quote, snapshot.as_of, rules.max_age_seconds, spread_max)
        if problem is None and quote.bid is not None and quote.ask is not None:
            value[quote.symbol] = usable[quote.symbol] = (quote.bid + quote.ask) / 2
            bid[quote.symbol], ask[quote.symbol] = quote.bid, quote.ask
        else:
            unusable[quote.symbol] = problem or because(ReasonCode.NO_QUOTE)
            worth = _worth(quote, spread_max)
            if worth is not None:
                value[quote.symbol] = worth
    return Prices(usable, bid, ask, value, unusable, snapshot.venue)


def _worth(quote: Quote, spread_max: Decimal) -> Decimal | None:
    """The value of a share under the caps when its quote is unusable: the last trade, or the mid if that is higher and
    the spread is narrow (a stale or crossed quote). None when no price is known."""
    known = [price for price in (quote.last, quote.ask, quote.bid) if price is not None and price > 0]
    if quote.bid is None or quote.ask is None or not (quote.bid > 0 and quote.ask > 0):
        return known[0] if known else None
    is_narrow = 2 * abs(quote.ask - quote.bid) <= spread_max * (quote.ask + quote.bid)
    return max(known[0], (quote.bid + quote.ask) / 2) if is_narrow else known[0]


def quote_problem(quote: Quote, as_of: datetime, age_max_seconds: float, spread_max: Decimal) -> Reasons | None:
    """Why this quote cannot be traded on; None when it can."""
    if quote.bid is None or quote.ask is None:
        return because(ReasonCode.QUOTE_ONE_SIDED)
    if not (quote.bid > 0 and quote.ask > 0):
        return because(ReasonCode.QUOTE_NOT_POSITIVE)
    if quote.bid > quote.ask:
        return because(ReasonCode.QUOTE_CROSSED, bid=quote.bid, ask=quote.ask)
    age = (as_of - quote.at).total_seconds()
    if not age <= age_max_seconds:
        return because(ReasonCode.QUOTE_OLD, age=age, limit=age_max_seconds)
    if age < -CLOCK_SKEW.total_seconds():
        return because(ReasonCode.QUOTE_FROM_FUTURE, age=-age)
    if not 2 * (quote.ask - quote.bid) <= spread_max * (quote.ask + quote.bid):
        share = float((quote.ask - quote.bid) * 2 / (quote.ask + quote.bid))
        return because(ReasonCode.QUOTE_WIDE, spread=share, limit=float(spread_max))
    return None


def _age_key(signal: Signal) -> tuple[datetime, str, float, float, Decimal, Decimal]:
    """Sort key by age for signals of one source; the last fields only break ties between equal ids."""
    last = signal.stop_price or ZERO, signal.target or ZERO
    return signal.issued_at, signal.id, signal.score, signal.confidence, *last


def _problem(
    signal: Signal, snapshot: Snapshot, instrument: Instrument | None, price: Decimal | None
) -> tuple[Outcome, Reasons] | None:
    """Why a signal is invalid in itself or for an unknown symbol; None when it is not."""
    if not (math.isfinite(signal.score) and -1 <= signal.score <= 1):
        return Outcome.REJECTED_INVALID, because(ReasonCode.SCORE_OUT_OF_RANGE, score=signal.score)
    if not (math.isfinite(signal.confidence) and 0 <= signal.confidence <= 1):
        return Outcome.REJECTED_INVALID, because(ReasonCode.CONFIDENCE_OUT_OF_RANGE, confidence=signal.confidence)
    if signal.target is not None and not (signal.target.is_finite() and abs(signal.target) <= TARGET_MAX):
        why = because(ReasonCode.TARGET_OUT_OF_RANGE, target=signal.target, limit=TARGET_MAX)
        return Outcome.REJECTED_INVALID, why
    if signal.issued_at - snapshot.as_of > CLOCK_SKEW:
        return Outcome.REJECTED_INVALID, because(ReasonCode.ISSUED_IN_FUTURE, at=signal.issued_at)
    if signal.stop_price is not None:
        if not signal.stop_price > 0:
            return Outcome.REJECTED_INVALID, because(ReasonCode.STOP_NOT_POSITIVE)
        if (
            price is not None
            and signal.score != 0
            and (price - signal.stop_price) * (1 if signal.score > 0 else -1) <= 0
        ):
            return (
                Outcome.REJECTED_INVALID,
                because(ReasonCode.STOP_ON_WRONG_SIDE, stop=signal.stop_price, price=price),
            )
    if instrument is None:
        return Outcome.REJECTED_UNKNOWN_SYMBOL, because(ReasonCode.SYMBOL_UNKNOWN)
    return None
