"""The votes of enabled sources as signals: what a cycle reads, once, without waiting for anybody."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import SignalsUnavailable
from rebalancer.core.facts import Signal
from rebalancer.core.signal_rules import Signals
from rebalancer.core.values import utc_of
from rebalancer.ops.files import is_absent
from rebalancer.signals.signal_row import computed_id
from rebalancer.signals.sources.store import StoredVote, VoteStore


class SourceVotes:
    """The newest vote of each enabled source on each symbol, unless it is stale. A store that is there and cannot be
    read is an error: that nothing is in it must not be mistaken for silence."""

    def __init__(self, path: Path, rules: Signals, wall: Callable[[], datetime]) -> None:
        self._path, self._rules, self._wall = path, rules, wall

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:  # noqa: ARG002 - scores alone
        """The votes as signals. Raises BadDocument."""
        if is_absent(self._path):
            return ()
        try:
            with VoteStore.open(self._path) as store:
                votes = store.votes(sorted(self._rules.enabled_sources))
        except SignalsUnavailable as error:
            problem, _, hint = str(error).removeprefix(f"{self._path}: ").partition("\n  hint: ")
            raise BadDocument(str(self._path), problem, hint) from None
        ahead = now - self._wall()
        signals = [self._signal_of(vote, ahead) for vote in votes]
        return tuple(s for s in signals if now - s.issued_at <= timedelta(minutes=self._rules.max_age_of(s.source)))

    def _signal_of(self, vote: StoredVote, ahead: timedelta) -> Signal:
        """ahead: how far the broker's clock is ahead of ours. Raises BadDocument for a vote that was altered or damaged
        since it was stored."""
        if vote.signal_id != computed_id(vote.source, vote.symbol, vote.issued_at, vote.score, vote.confidence):
            problem = f"the vote of {vote.source} on {vote.symbol} was altered since it was stored"
            raise BadDocument(str(self._path), problem, "move the file away: the sources are asked again")
        issued_at = utc_of(vote.issued_at) + ahead
        return Signal(vote.signal_id, vote.symbol, vote.score, vote.confidence, vote.source, issued_at)
