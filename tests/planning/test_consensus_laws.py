"""The consensus of several sources: laws of the pooled score, and what quorum, veto and disagreement do to a plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.venue_rules import ALPACA
from rebalancer.planning import plan
from rebalancer.planning.core.columns import SignalRows
from rebalancer.planning.core.size import consensus, is_vetoed, speaking
from rebalancer.planning.numbers import numbers_of
from rebalancer.report.votes import disagreement
from tests.planning.examples import book, instrument, signal, snapshot
from tests.planning.examples import rules as rules_of
from tests.planning.worlds import World, limited, world

TINY = 1e-9
SHARES = st.floats(0, 1, allow_subnormal=False)
SCORES = st.floats(-1, 1, allow_subnormal=False)
Vote = tuple[float, float, float]  # score, confidence, weight
VOTES = st.lists(
    st.tuples(SCORES, SHARES, st.sampled_from([0.0, 0.15, 0.2, 0.25, 0.4, 1.0, 40.0])), min_size=1, max_size=6
)
LOWERS = st.sampled_from(["ignore", "lower"])


def rows(votes: list[Vote]) -> SignalRows:
    """Votes as the core reads them."""
    score, confidence, weight = (list(column) for column in zip(*votes, strict=True))
    zeros = [0] * len(votes)
    return SignalRows(zeros, [0.0] * len(votes), score, confidence, weight, zeros)


def pooled(votes: list[Vote], lowers: str = "lower") -> tuple[float, float]:
    numbers = numbers_of(Rules.model_validate({"signals": {"consensus": {"disagreement": lowers}}}), ALPACA)
    return consensus(rows(votes), 0, len(votes), numbers)


def near(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return abs(a[0] - b[0]) <= TINY and abs(a[1] - b[1]) <= TINY


@given(VOTES, LOWERS, st.randoms(use_true_random=False))
def test_the_order_of_the_votes_says_nothing(votes: list[Vote], lowers: str, random: Any) -> None:
    mixed = list(votes)
    random.shuffle(mixed)
    assume(sum(c * w for _, c, w in votes) > 1e-6 or all(c * w == 0 for _, c, w in votes))
    assert near(pooled(votes, lowers), pooled(mixed, lowers))


@given(VOTES, LOWERS)
def test_it_stays_between_the_votes(votes: list[Vote], lowers: str) -> None:
    score, confidence = pooled(votes, lowers)
    heard = [(s, c) for s, c, w in votes if w > 0]
    if not heard:
        assert (score, confidence) == (0.0, 0.0)
        return
    assert min(s for s, _ in heard) - TINY <= score <= max(s for s, _ in heard) + TINY
    least = 0.0 if lowers == "lower" else min(c for _, c in heard)
    assert least - TINY <= confidence <= max(c for _, c in heard) + TINY


@given(VOTES, LOWERS, SCORES, SHARES)
def test_a_source_without_weight_says_nothing(votes: list[Vote], lowers: str, score: float, confidence: float) -> None:
    """A silent source has no row; one without a weight has a row that counts for nothing."""
    assert near(pooled([*votes, (score, confidence, 0.0)], lowers), pooled(votes, lowers))


@given(VOTES, LOWERS)
def test_weights_are_relative(votes: list[Vote], lowers: str) -> None:
    assert near(pooled([(s, c, w * 4) for s, c, w in votes], lowers), pooled(votes, lowers))


def test_silence_is_not_zero() -> None:
    """40/25/20/15, and then without the second: the others share what is left. A score of zero is not silence."""
    weights = (0.40, 0.25, 0.20, 0.15)
    score, confidence = pooled([(s, 1.0, w) for s, w in zip((1.0, 0.5, 0.2, -0.4), weights, strict=True)], "ignore")
    assert (round(score, 12), confidence) == (0.505, 1.0)
    three = pooled([(1.0, 1.0, 0.40), (0.2, 1.0, 0.20), (-0.4, 1.0, 0.15)], "ignore")
    assert (round(three[0], 12), three[1]) == (round(0.38 / 0.75, 12), 1.0)
    zero = pooled([(1.0, 1.0, 0.40), (0.0, 1.0, 0.25), (0.2, 1.0, 0.20), (-0.4, 1.0, 0.15)], "ignore")
    assert round(zero[0], 12) == 0.38


@settings(max_examples=400)
@given(VOTES, LOWERS, st.integers(0, 5), SHARES)
@example([(0.9, 1.0, 1.0), (0.9, 1.0, 0.15)], "lower", 1, 0.5)
@example([(0.5, 1.0, 1.0), (-1.0, 1.0, 0.15)], "lower", 1, 1.0)
def test_a_vote_that_rises_never_lowers_score_or_strength(votes: list[Vote], lowers: str, at: int, part: float) -> None:
    score, confidence, weight = votes[at % len(votes)]
    raised = list(votes)
    raised[at % len(votes)] = (score + part * (1 - score), confidence, weight)
    before, after = pooled(votes, lowers), pooled(raised, lowers)
    assert after[0] >= before[0] - TINY
    assert after[0] * after[1] >= before[0] * before[1] - TINY


@given(VOTES)
def test_disagreement_lowers_confidence_alone_and_by_what_reports_show(votes: list[Vote]) -> None:
    plain, lowered = pooled(votes, "ignore"), pooled(votes, "lower")
    told = [signal("A", s, confidence=c, source=f"s{i}") for i, (s, c, _) in enumerate(votes)]
    cancelled = disagreement(told, {f"s{i}": w for i, (_, _, w) in enumerate(votes)})
    assert lowered[0] == plain[0]
    assert abs(lowered[1] - plain[1] * (1 - cancelled)) <= 1e-6
    if all(s >= 0 for s, _, _ in votes) or all(s <= 0 for s, _, _ in votes):
        assert abs(lowered[1] - plain[1]) <= TINY


@given(VOTES, st.floats(0.01, 1))
def test_a_veto_is_a_strong_vote_against(votes: list[Vote], veto: float) -> None:
    numbers = numbers_of(Rules.model_validate({"signals": {"consensus": {"veto": veto}}}), ALPACA)
    score, _ = pooled(votes)
    expected = any(s * score < 0 and w > 0 and abs(s * c) >= veto for s, c, w in votes)
    assert is_vetoed(rows(votes), 0, len(votes), score, numbers) == expected
    assert speaking(rows(votes), 0, len(votes)) == sum(1 for _, c, w in votes if c > 0 and w > 0)


# whole plans


def changed(found: World, **consensus_: object) -> World:
    document = found.rules.model_dump(mode="json")
    document["signals"]["consensus"] |= consensus_
    return World(found.snapshot, Rules.model_validate(document))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]), st.sampled_from([0.1, 0.4]))
def test_quorum_and_veto_open_and_enlarge_nothing_more(seed: int, quorum: int, veto: float) -> None:
    """No name is enlarged without a quorum, or against a veto, and both are said with their numbers."""
    found = changed(limited(world(seed, calm=True), seed), quorum=quorum, veto=veto, disagreement="lower")
    decided = plan(*found)
    weight_of = found.rules.signals.weight_of
    counted: dict[str, list[Signal]] = {}
    for one, verdict in zip(found.snapshot.signals, decided.verdicts, strict=True):
        is_heard = not verdict.outcome.startswith("REJECTED_") and verdict.outcome is not Outcome.DENIED_STOPPED_OUT
        if is_heard and not one.hold and one.confidence > 0 and weight_of(one.source) > 0:
            counted.setdefault(one.symbol, []).append(one)
    for order in decided.orders:
        if order.phase == "increase":
            heard = counted.get(order.symbol, [])
            assert len(heard) >= quorum
            sign = 1 if order.side == "buy" else -1
            assert [s for s in heard if s.score * sign < 0 and abs(s.score * s.confidence) >= veto] == []


def two(first: float, second: float) -> tuple[Signal, ...]:
    return signal("A", first), signal("A", second, id="s-2", source="news")


@pytest.mark.parametrize(
    ("consensus_", "held", "signals", "outcome", "because"),
    [
        (
            {"quorum": 2}, "0", (signal("A", 0.8),), Outcome.HELD_NEUTRAL,
            "1 of at least 2 sources give a score (signals.consensus.quorum): nothing is opened and nothing closed",
        ),
        (
            {"quorum": 2}, "100", (signal("A", -0.8),), Outcome.HELD_NEUTRAL,
            "1 of at least 2 sources give a score (signals.consensus.quorum): nothing is opened and nothing closed",
        ),
        (
            {"veto": 0.3}, "0", two(1.0, -0.5), Outcome.HELD_NEUTRAL,
            "news says -0.50 against the consensus of +0.25 (signals.consensus.veto): nothing is opened or enlarged",
        ),
    ],
)  # fmt: skip
def test_what_is_said(consensus_: Any, held: str, signals: Any, outcome: Outcome, because: str) -> None:
    facts = snapshot(instruments=(instrument("A"),), positions=book(A=held) if held != "0" else (), signals=signals)
    decided = plan(facts, rules_of(signals={"consensus": consensus_}))
    assert decided.orders == ()
    assert {(v.outcome, str(v.because)) for v in decided.verdicts} == {(outcome, because)}


def test_a_veto_does_not_keep_a_position_from_being_reduced() -> None:
    """The consensus asks for less than is held: a vote against it is no reason to keep more."""
    facts = snapshot(instruments=(instrument("A"),), positions=book(A="400"), signals=two(0.6, -0.5))
    free, vetoed = plan(facts, rules_of()), plan(facts, rules_of(signals={"consensus": {"veto": 0.3}}))
    assert [(o.phase, o.side, o.qty) for o in vetoed.orders] == [(o.phase, o.side, o.qty) for o in free.orders]
    assert [o.phase for o in vetoed.orders] == ["reduce"]
    assert vetoed.orders[0].qty > Decimal(0)
