"""What several sources say about one symbol, side by side, and how much of it cancels out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rebalancer.core.facts import Signal
from rebalancer.report.records import RunRecord


class VoteRow(NamedTuple):
    """The counted votes on one symbol, heaviest first. `shares` are their parts of all weights, 1 together;
    `disagreement` is the part of the weighted scores that cancels out."""

    symbol: str
    votes: tuple[Signal, ...]
    shares: tuple[float, ...]
    disagreement: float


def counted_votes(symbol: str, record: RunRecord) -> list[Signal]:
    """The scores on a symbol that were not rejected."""
    rejected = {v.signal_id for v in record.verdicts if v.outcome.startswith("REJECTED")}
    return [
        s for s in record.snapshot.signals
        if s.symbol == symbol and s.id not in rejected and not s.hold and s.target is None
    ]  # fmt: skip


def vote_rows(record: RunRecord) -> tuple[VoteRow, ...]:
    """Every symbol on which at least two sources have a vote that counts, the most disputed first."""
    several = {s.symbol for s in record.snapshot.signals if s.target is None and not s.hold}
    found = []
    for symbol in sorted(several):
        votes, weights = counted_votes(symbol, record), record.weights
        total = sum(weights.get(vote.source, 1.0) for vote in votes)
        if len(votes) > 1 and total > 0:
            ordered = sorted(votes, key=lambda v: (-weights.get(v.source, 1.0), v.source))
            shares = tuple(weights.get(vote.source, 1.0) / total for vote in ordered)
            found.append(VoteRow(symbol, tuple(ordered), shares, disagreement(votes, weights)))
    return tuple(sorted(found, key=lambda row: (-row.disagreement, row.symbol)))


def disagreement(votes: Sequence[Signal], weights: Mapping[str, float]) -> float:
    """The part of the weighted scores that cancels out: 0 when all sources point the same way, 1 when nothing is
    left."""
    strengths = [vote.score * vote.confidence * weights.get(vote.source, 1.0) for vote in votes]
    spoken = sum(map(abs, strengths))
    return max(0.0, 1 - abs(sum(strengths)) / spoken) if spoken > 0 else 0.0
