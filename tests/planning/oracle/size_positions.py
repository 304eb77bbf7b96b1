"""Turn signals into raw target weights, before any cap.

Each symbol has one strength: the weighted mean over its sources of score x confidence. Below the threshold it opens
nothing, and `stance` says what happens to an existing position:

    flat      a score of 0, or no confidence at all: the target is zero, whatever the rules say
    neutral   too weak to support a position: `neutral_signals` says whether it is closed or kept
    keep      between `exit_threshold` and `signal_threshold`, or every source says hold: kept unchanged

Then one of five sizing methods applies, all in signed fractions of capital:

    fixed_fraction      base_position_size x |score| x certainty x volatility scale, at most max_position_size
    proportional        max_total_exposure x |score| x certainty / sum over all names
    inverse_volatility  max_total_exposure x (1 / volatility) / sum over all names
    equal               max_total_exposure / number of names
    fixed               base_position_size, regardless of score, confidence and volatility

The certainty is the confidence itself or, with `above_75`, a multiplier that rises linearly from 1 at confidence 0.75
to max_position_size / base_position_size at 1. The volatility scale is volatility_target / volatility within its
bounds; a name whose volatility is unknown is assumed to have `assumed_volatility`. Finally, a coin above `DEAR_COIN`
gets at least `crypto_floor`.

A target weight skips all of this: its raw weight is the target itself where `signals.weights_of` is capital, and the
target / capital_scaling where it is equity. Targets of several sources count as their mean, weighted by source.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import sqrt
from typing import Final, Literal, NamedTuple, assert_never

import numpy as np

from rebalancer.core.facts import Account, Instrument, Signal
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.rules import PositionSizing, Rules
from tests.planning.oracle.cap_weights import Floats

SURE: Final = 0.75  # the confidence from which `above_75` opens a position
DEAR_COIN: Final = Decimal(10_000)  # USD; a coin priced above this gets `crypto_floor`
TRADING_DAYS_A_YEAR: Final = 252

Stance = Literal["", "flat", "neutral", "keep"]


class SizedPosition(NamedTuple):
    """One symbol's derivation from signals to a raw weight. `note` explains `stance` or `denial`; it is empty where the
    signal counts in full. `basis` is what supports the weight of a target; it is empty for a score."""

    symbol: str
    raw: float
    score: float
    confidence: float
    volatility: float
    volatility_known: bool
    volatility_scale: float
    note: Reasons
    denial: Outcome | None = None
    stance: Stance = ""
    basis: Reasons = NOTHING


def size_positions(
    signals: Mapping[str, tuple[Signal, ...]],
    instruments: Mapping[str, Instrument],
    account: Account,
    prices: Mapping[str, Decimal],
    capital: Decimal,
    rules: Rules,
) -> tuple[SizedPosition, ...]:
    """Size every symbol with valid signals, in sorted order. Raw weights are signed fractions of capital; `capital` is
    in USD, `prices` are mid prices, USD."""
    sizing, risk = rules.position_sizing, rules.risk_management
    rows: list[tuple[str, float, float, float, bool, Reasons]] = []
    stances: dict[str, Stance] = {}
    targets: dict[str, float] = {}  # of capital
    basis: dict[str, Reasons] = {}
    for symbol, group in sorted(signals.items()):
        known = volatility_of(instruments[symbol], prices.get(symbol), rules)
        if group[0].target is None:
            signal_of_symbol, trust = _consensus(group, rules.signals.source_weights)
            stances[symbol], note = _stance(group, signal_of_symbol, trust, rules)
        else:
            target = _target(group, rules.signals.source_weights)
            targets[symbol], basis[symbol] = _of_capital(target or 0.0, rules)
            signal_of_symbol, trust = float(np.sign(target or 0.0)), 1.0
            stances[symbol], note = _stance_of_target(group, target)
        if not note and signal_of_symbol < 0 and (reason := why_not_short(instruments[symbol], account, rules)):
            note = reason
        rows.append((symbol, signal_of_symbol, trust, known or risk.assumed_volatility, known is not None, note))
    score = np.array([row[1] for row in rows])
    confidence = np.array([row[2] for row in rows])
    volatility = np.array([row[3] for row in rows])
    is_target = np.array([row[0] in targets for row in rows], dtype=bool)
    active = np.array([not row[5] for row in rows], dtype=bool) & ~is_target
    scale = np.clip(sizing.volatility_target / volatility, sizing.volatility_scale_min, sizing.volatility_scale_max)
    scale = np.where(is_target, 1.0, scale)
    if sizing.method == "fixed":
        scale = np.ones_like(score)
    size = np.where(active, _sizes(score, confidence, volatility, scale, active, rules), 0.0)
    if sizing.crypto_floor is not None and capital > 0:
        floor = sizing.crypto_floor * max(float(account.buying_power / capital), 0.0)
        dear = np.array([_is_dear_coin(instruments[row[0]], prices) for row in rows], dtype=bool)
        size = np.where(dear & (size > 0), np.maximum(size, floor), size)
    raw = np.where(size > 0, np.copysign(size, score), 0.0)
    return tuple(
        SizedPosition(
            symbol,
            float(raw[i]) if symbol not in targets or note else targets[symbol],
            s,
            c,
            v,
            known,
            float(scale[i]),
            note,
            _denial(note, stances[symbol]),
            stances[symbol],
            basis.get(symbol, NOTHING),
        )
        for i, (symbol, s, c, v, known, note) in enumerate(rows)
    )


def volatility_of(instrument: Instrument, price: Decimal | None, rules: Rules) -> float | None:
    """The annualised volatility of a name by the configured measure; None when it is not known.

    `atr` uses the daily average true range as a fraction of the price. It is larger than the standard deviation of
    daily returns: 1.6 times for a random walk.
    """
    if rules.position_sizing.volatility_measure == "returns":
        known = instrument.volatility
        return known if known is not None and known > 0 else None
    if instrument.atr is None or price is None or not instrument.atr > 0:
        return None
    return float(instrument.atr / price) * sqrt(TRADING_DAYS_A_YEAR)


def why_not_short(instrument: Instrument, account: Account, rules: Rules) -> Reasons:
    """Why this symbol may not be sold short; nothing when it may."""
    if not rules.position_sizing.allow_short:
        return because(ReasonCode.SHORTS_OFF)
    if instrument.asset_class == "crypto":
        return because(ReasonCode.CRYPTO_NOT_SHORTABLE)
    if not account.shorting_enabled or account.multiplier <= 1:
        return because(ReasonCode.ACCOUNT_NOT_SHORTABLE)
    if not instrument.shortable:
        return because(ReasonCode.NOT_SHORTABLE)
    return NOTHING


def _denial(note: Reasons, stance: Stance) -> Outcome | None:
    return Outcome.DENIED_SHORT if note and not stance else None


def _stance(group: tuple[Signal, ...], signal_of_symbol: float, trust: float, rules: Rules) -> tuple[Stance, Reasons]:
    """The stance of a signal that opens nothing, and the reason; both empty when it may open a position."""
    heard = [signal for signal in group if rules.signals.source_weights.get(signal.source, 1.0) > 0]
    if not heard:
        return "neutral", because(ReasonCode.SOURCES_WITHOUT_WEIGHT)
    if all(signal.hold for signal in heard):
        return "keep", because(ReasonCode.SAYS_HOLD)
    if signal_of_symbol == 0:
        counted = [s for s in heard if not s.hold and (s.confidence > 0 or trust == 0)]
        cancel = any(signal.score != 0 for signal in counted)
        return "flat", because(ReasonCode.SCORES_CANCEL if cancel else ReasonCode.SCORE_ZERO)
    strength, opens = abs(signal_of_symbol * trust), rules.execution.signal_threshold
    if strength == 0 and opens == 0:
        return "flat", because(ReasonCode.CONFIDENCE_ZERO)
    if strength >= opens:
        return "", NOTHING
    keeps = opens if rules.execution.exit_threshold is None else rules.execution.exit_threshold
    if strength < keeps:
        return "neutral", because(ReasonCode.TOO_WEAK, strength=(strength, keeps))
    return "keep", because(ReasonCode.BETWEEN_THRESHOLDS, strength=(strength, opens), exit=keeps)


def _target(group: tuple[Signal, ...], weights: Mapping[str, float]) -> float | None:
    """The target weight of one symbol: the mean over its sources, weighted by source. None when none has a weight."""
    counted = [(weights.get(s.source, 1.0), float(s.target)) for s in group if s.target is not None]
    counted = [(weight, target) for weight, target in counted if weight > 0]
    if len(counted) == 1:
        return counted[0][1]
    total = sum(weight for weight, _ in counted)
    return sum(weight * target for weight, target in counted) / total if total > 0 else None


def _of_capital(target: float, rules: Rules) -> tuple[float, Reasons]:
    """A target weight as a fraction of capital, with the sentence that says so."""
    if rules.signals.weights_of == "capital":
        return target, because(ReasonCode.TARGET_OF_CAPITAL, target=target)
    weight = target / rules.position_sizing.capital_scaling
    return weight, because(ReasonCode.TARGET_OF_EQUITY, target=target, weight=weight)


def _stance_of_target(group: tuple[Signal, ...], target: float | None) -> tuple[Stance, Reasons]:
    """The stance of a target weight that opens nothing, and the reason; both empty when it asks for a position."""
    if target is None:
        return "neutral", because(ReasonCode.SOURCES_WITHOUT_WEIGHT)
    if target != 0:
        return "", NOTHING
    cancel = any(signal.target for signal in group)
    return "flat", because(ReasonCode.TARGETS_CANCEL if cancel else ReasonCode.TARGET_ZERO)


def _consensus(group: tuple[Signal, ...], weights: Mapping[str, float]) -> tuple[float, float]:
    """Score and confidence over all sources: means weighted by source, the score also by confidence, so that their
    product is the weighted mean of score x confidence. Signals that say hold are ignored. If all weights are zero, both
    are 0; if every confidence is zero, the score is the mean weighted by source alone."""
    group = tuple(signal for signal in group if not signal.hold)
    if len(group) == 1 and weights.get(group[0].source, 1.0) > 0:
        return group[0].score, group[0].confidence
    total = trust = signal_of_symbol = unsure = 0.0
    for signal in group:
        weight = weights.get(signal.source, 1.0)
        total += weight
        trust += weight * signal.confidence
        signal_of_symbol += weight * signal.confidence * signal.score
        unsure += weight * signal.score
    if trust <= 0:
        return unsure / total if total > 0 else 0.0, 0.0
    return max(-1.0, min(1.0, signal_of_symbol / trust)), trust / total


def _sizes(
    score: Floats, confidence: Floats, volatility: Floats, scale: Floats, active: np.ndarray, rules: Rules
) -> Floats:
    sizing = rules.position_sizing
    match sizing.method:
        case "fixed_fraction":
            wanted = sizing.base_position_size * np.abs(score) * _certainty(confidence, sizing) * scale
            return np.minimum(wanted, sizing.max_position_size)
        case "proportional":
            strength = np.abs(score) * _certainty(confidence, sizing)
            return _shares(np.where(active, strength, 0.0)) * sizing.max_total_exposure
        case "inverse_volatility":
            return _shares(np.where(active, 1 / volatility, 0.0)) * sizing.max_total_exposure
        case "equal":
            return _shares(np.where(active, 1.0, 0.0)) * sizing.max_total_exposure
        case "fixed":
            return np.full_like(score, sizing.base_position_size)
        case method:
            assert_never(method)


def _certainty(confidence: Floats, sizing: PositionSizing) -> Floats:
    """The multiplier of the base size for confidence. With `above_75`, a confidence too low to open a position counts
    as 0.75, which limits how much of an existing position is kept."""
    if sizing.confidence_scaling == "proportional":
        return confidence
    surer = np.clip((confidence - SURE) / (1 - SURE), 0.0, 1.0)
    return 1 + surer * (sizing.max_position_size / sizing.base_position_size - 1)


def _is_dear_coin(instrument: Instrument, prices: Mapping[str, Decimal]) -> bool:
    return instrument.asset_class == "crypto" and prices.get(instrument.symbol, DEAR_COIN) > DEAR_COIN


def _shares(parts: Floats) -> Floats:
    total = float(np.cumsum(parts)[-1]) if parts.size else 0.0  # a sequential sum is the same on every machine
    return parts / total if total > 0 else parts
