"""Signals to raw target weights, before any cap. The methods and stances are those of `docs/explanation/sizing`."""

from __future__ import annotations

from typing import Final

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, Names, Numbers, Opinions, SignalRows
from rebalancer.planning.core.seams import Ints, floats, integers, rule
from rebalancer.planning.core.units import part_of, trillionths

SURE: Final = 0.75  # the confidence from which `above_75` opens a position


@rule
def size_positions(names: Names, signals: SignalRows, numbers: Numbers, funds: Funds) -> Opinions:
    """Size every name that has signals; the others get a raw weight of 0. A target weight skips sizing. The regime
    scales the confidence of scores, before it is compared with any threshold, and at the end the raw weights."""
    count = len(names.price)
    score, confidence, scale, raw, target = floats(count), floats(count), floats(count), floats(count), floats(count)
    note, bar, vetoed = integers(count), integers(count), integers(count)
    total = 0.0
    for i in range(count):
        scale[i] = 1.0
        first, last = names.first[i], names.first[i + 1]
        if first == last:
            continue
        if signals.is_target[first] == 1:
            note[i], target[i] = target_of(signals, first, last)
            if numbers.targets_of_equity == 1:
                target[i] = target[i] / numbers.capital_scaling
            score[i], confidence[i] = sign(target[i]), 1.0
            if note[i] == 0 and target[i] < 0 and names.may_short[i] == 0:
                bar[i] = codes.NO_SHORT
            continue
        score[i], confidence[i] = consensus(signals, first, last, numbers)
        if funds.confidence_rate != codes.RATE:
            confidence[i] = confidence[i] * (float(funds.confidence_rate) / 1e12)
        note[i] = stance(signals, first, last, score[i], confidence[i], numbers)
        if note[i] == 0 and score[i] < 0 and names.may_short[i] == 0:
            bar[i] = codes.NO_SHORT
        vetoed[i] = 1 if is_vetoed(signals, first, last, score[i], numbers) else 0
        if numbers.method != codes.FIXED_SIZE:
            wide = numbers.volatility_target / names.volatility[i]
            scale[i] = min(max(wide, numbers.volatility_scale_min), numbers.volatility_scale_max)
        if note[i] == 0 and bar[i] == 0:
            raw[i] = strength(numbers, score[i], confidence[i], scale[i], names.volatility[i])
            total += raw[i]
    floor = 0.0
    if numbers.crypto_floor >= 0 and funds.capital > 0 and funds.buying_power > 0:
        floor = numbers.crypto_floor * (float(funds.buying_power) / float(funds.capital))
    shared = numbers.method != codes.FIXED_FRACTION and numbers.method != codes.FIXED_SIZE
    for i in range(count):
        if shared and total > 0:
            raw[i] = raw[i] / total * numbers.max_total_exposure
        elif shared:
            raw[i] = raw[i] * numbers.max_total_exposure
        if raw[i] > 0 and names.coin[i] == codes.DEAR_COIN:
            raw[i] = max(raw[i], floor)
        if score[i] < 0:
            raw[i] = 0.0 - raw[i]
        if note[i] == 0 and bar[i] == 0 and target[i] != 0:
            raw[i] = target[i]
        is_scaled = target[i] == 0 or numbers.regime_scales_targets == 1
        if funds.gross_rate != codes.RATE and raw[i] != 0 and is_scaled:
            raw[i] = raw[i] * (float(funds.gross_rate) / 1e12)
            if funds.gross_rate == 0:
                raw[i], note[i] = 0.0, codes.REGIME_CLOSED
    return Opinions(score, confidence, scale, note, bar, vetoed, raw)


@rule
def gross_limit(signals: SignalRows, first: Ints, limit: int, numbers: Numbers, funds: Funds) -> int:
    """The limit on all names together in a regime: target weights that it does not scale keep their room, and of the
    rest it leaves its part. first: as in `Names`. limit: without the regime; both trillionths of capital."""
    if funds.gross_rate == codes.RATE:
        return limit
    kept = 0
    if numbers.regime_scales_targets == 0:
        for i in range(len(first) - 1):
            if first[i] < first[i + 1] and signals.is_target[first[i]] == 1:
                target = target_of(signals, first[i], first[i + 1])[1]
                if numbers.targets_of_equity == 1:
                    target = target / numbers.capital_scaling
                kept += trillionths(min(abs(target), numbers.max_position_size))
    kept = min(kept, limit)
    return kept + part_of(limit - kept, funds.gross_rate)


@rule
def strength(numbers: Numbers, score: float, confidence: float, scale: float, volatility: float) -> float:
    """A name's own size (`fixed_fraction`, `fixed`), or its part in what all names share; unsigned."""
    if numbers.method == codes.FIXED_FRACTION:
        wanted = numbers.base_position_size * abs(score) * certainty(numbers, confidence) * scale
        return min(wanted, numbers.max_position_size)
    if numbers.method == codes.PROPORTIONAL:
        return abs(score) * certainty(numbers, confidence)
    if numbers.method == codes.INVERSE_VOLATILITY:
        return 1.0 / volatility
    if numbers.method == codes.EQUAL:
        return 1.0
    return numbers.base_position_size


@rule
def certainty(numbers: Numbers, confidence: float) -> float:
    """The multiplier of the base size for a confidence. With `above_75` a confidence too low to open a position counts
    as 0.75, which limits how much of an existing position is kept."""
    if numbers.above_75 == 0:
        return confidence
    surer = min(max((confidence - SURE) / (1.0 - SURE), 0.0), 1.0)
    return 1.0 + surer * (numbers.max_position_size / numbers.base_position_size - 1.0)


@rule
def sign(number: float) -> float:
    """1, 0 or -1."""
    return (1.0 if number > 0 else 0.0) - (1.0 if number < 0 else 0.0)


@rule
def target_of(signals: SignalRows, first: int, last: int) -> tuple[int, float]:
    """What the target weights of a name say where they ask for no position, else 0; and their mean, weighted by
    source."""
    total, together, heard, only, asks = 0.0, 0.0, 0, first, False
    for row in range(first, last):
        weight = signals.weight[row]
        asks = asks or signals.target[row] != 0
        if weight > 0:
            total += weight
            together += weight * signals.target[row]
            heard += 1
            only = row
    if heard == 0:
        return codes.SAYS_NOTHING, 0.0
    mean = signals.target[only] if heard == 1 else together / total
    if mean != 0:
        return 0, mean
    return (codes.TARGETS_CANCEL if asks else codes.TARGET_ZERO), 0.0


@rule
def consensus(signals: SignalRows, first: int, last: int, numbers: Numbers) -> tuple[float, float]:
    """Score and confidence over all sources: means weighted by source, the score also by confidence, so that their
    product is the weighted mean of score x confidence. Signals that say hold are ignored. If all weights are zero, both
    are 0; if every confidence is zero, the score is the mean weighted by source alone.

    With `cancels_confidence` the confidence is multiplied by |sum of the weighted scores| / sum of their sizes: by 1
    less the part of them that cancels out. Strength, score x confidence, then still never falls when a score rises."""
    total, trust, view, unsure, spoken = 0.0, 0.0, 0.0, 0.0, 0.0
    heard, only = 0, first
    for row in range(first, last):
        if signals.hold[row] == 0:
            weight, confidence, score = signals.weight[row], signals.confidence[row], signals.score[row]
            total += weight
            trust += weight * confidence
            view += weight * confidence * score
            spoken += weight * confidence * abs(score)
            unsure += weight * score
            heard += 1
            only = row
    if heard == 1 and signals.weight[only] > 0:
        return signals.score[only], signals.confidence[only]
    if trust <= 0:
        if total > 0:
            return unsure / total, 0.0
        return 0.0, 0.0
    sure = trust / total
    if numbers.cancels_confidence == 1 and spoken > 0:
        sure = sure * min(1.0, abs(view) / spoken)
    return max(-1.0, min(1.0, view / trust)), sure


@rule
def speaking(signals: SignalRows, first: int, last: int) -> int:
    """How many sources give a score that counts."""
    count = 0
    for row in range(first, last):
        if signals.hold[row] == 0 and signals.weight[row] > 0 and signals.confidence[row] > 0:
            count += 1
    return count


@rule
def is_vetoed(signals: SignalRows, first: int, last: int, score: float, numbers: Numbers) -> bool:
    """Whether a source that has a weight speaks against the consensus as strongly as `veto` says."""
    if numbers.veto < 0:
        return False
    for row in range(first, last):
        against = signals.score[row] * score < 0 and signals.hold[row] == 0 and signals.weight[row] > 0
        if against and abs(signals.score[row] * signals.confidence[row]) >= numbers.veto:
            return True
    return False


@rule
def stance(signals: SignalRows, first: int, last: int, score: float, confidence: float, numbers: Numbers) -> int:
    """What the signals of a name say when they open nothing; 0 when they may open a position."""
    heard, holds, cancels = 0, 0, False
    for row in range(first, last):
        if signals.weight[row] > 0:
            heard += 1
            holds += signals.hold[row]
            counts = signals.confidence[row] > 0 or confidence == 0
            if signals.hold[row] == 0 and counts and signals.score[row] != 0:
                cancels = True
    if heard == 0:
        return codes.SAYS_NOTHING
    if heard == holds:
        return codes.SAYS_HOLD
    if numbers.quorum > 1 and speaking(signals, first, last) < numbers.quorum:
        return codes.NO_QUORUM
    if score == 0:
        return codes.SCORES_CANCEL if cancels else codes.SCORE_ZERO
    strong = abs(score * confidence)
    if strong == 0 and numbers.signal_threshold == 0:
        return codes.CONFIDENCE_ZERO
    if strong >= numbers.signal_threshold:
        return 0
    return codes.TOO_WEAK if strong < numbers.exit_threshold else codes.BETWEEN
