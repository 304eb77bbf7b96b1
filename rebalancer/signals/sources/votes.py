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
    read is an error: that nothing is in it must not be mistaken for silence. needed: a source without which nothing may
    be traded; "" for none."""

    def __init__(self, path: Path, rules: Signals, wall: Callable[[], datetime], needed: str = "") -> None:
        self._path, self._rules, self._wall, self._needed = path, rules, wall, needed

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:  # noqa: ARG002 - scores alone
        """The votes as signals. Raises BadDocument."""
        if is_absent(self._path):
            if self._needed:
                raise self._unmet("it has not been asked yet")
            return ()
        try:
            with VoteStore.open(self._path) as store:
                votes = store.votes(sorted(self._rules.enabled_sources))
                if self._needed:
                    self._refuse_without(store)
        except SignalsUnavailable as error:
            problem, _, hint = str(error).removeprefix(f"{self._path}: ").partition("\n  hint: ")
            raise BadDocument(str(self._path), problem, hint) from None
        ahead = now - self._wall()
        signals = [self._signal_of(vote, ahead) for vote in votes]
        return tuple(s for s in signals if now - s.issued_at <= timedelta(minutes=self._rules.max_age_of(s.source)))

    def _refuse_without(self, store: VoteStore) -> None:
        """Raise BadDocument when the needed source is off, or was last asked too long ago."""
        off, age = store.off(self._needed), timedelta(minutes=self._rules.max_age_of(self._needed))
        if off is not None:
            raise self._unmet(off.because)
        newest = max((at for at, _ in store.asked(self._needed).values()), default=None)
        if newest is None or self._wall() - newest > age:
            raise self._unmet("it was not asked lately")

    def _unmet(self, because: str) -> BadDocument:
        return BadDocument(
            "model.fallback_to_external_signals",
            f"is false, and the model cannot be used: {because}",
            "rebalancer model card says more; true trades on the other signals",
        )

    def _signal_of(self, vote: StoredVote, ahead: timedelta) -> Signal:
        """ahead: how far the broker's clock is ahead of ours. Raises BadDocument for a vote that was altered or damaged
        since it was stored."""
        prefix = vote.signal_id.rpartition("-")[0]
        is_whole = vote.signal_id == computed_id(prefix, vote.symbol, vote.issued_at, vote.score, vote.confidence)
        if not is_whole or prefix.partition("/")[0] != vote.source:
            problem = f"the vote of {vote.source} on {vote.symbol} was altered since it was stored"
            raise BadDocument(str(self._path), problem, "move the file away: the sources are asked again")
        issued_at = utc_of(vote.issued_at) + ahead
        return Signal(vote.signal_id, vote.symbol, vote.score, vote.confidence, vote.source, issued_at)
