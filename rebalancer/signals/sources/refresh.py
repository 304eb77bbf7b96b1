"""One round of one source: ask those whose answer is no longer fresh, keep what it says, and learn from a refusal."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.signal_rules import SourceRules
from rebalancer.core.values import symbol_of
from rebalancer.ops.clock import Clock
from rebalancer.ops.logs.redact import redact
from rebalancer.signals.sources.catalog import factory_of, is_local, mark_of
from rebalancer.signals.sources.contract import (
    BudgetSpent,
    KeyRefused,
    QuotaUsed,
    SourceContext,
    SourceFactory,
    SourceGone,
    SourceNotReady,
    SourceProblem,
    VendorRefused,
    Vote,
    Votes,
    VoteSource,
)
from rebalancer.signals.sources.day_budget import DayBudget, next_midnight, whom_to_ask
from rebalancer.signals.sources.store import SourceOff, VoteStore
from rebalancer.signals.sources.vendor_http import one_line

LOG: Final = logging.getLogger(__name__)
BATCH: Final = 50
CADENCE_LEAST: Final = 5.0  # seconds
CADENCE_MOST: Final = 60.0  # so that a new position or a new key is noticed
FAILED_SECONDS: Final = 30.0  # after the first failure; doubled for each further one
FAILED_MOST: Final = 3600.0
REFUSED_SECONDS: Final = 3600.0
NOT_READY_SECONDS: Final = 60.0
CITATIONS_MAX: Final = 10
TEXT_MAX: Final = 500
NO_ANSWER: Final = "no answer for it"
REVISION: Final = re.compile(r"[A-Za-z0-9.]{0,40}")


class SymbolsWanted(NamedTuple):
    """The symbols to ask about, and those of them that are held."""

    symbols: Collection[str]
    held: Collection[str]


class RoundResult(NamedTuple):
    """What one round did. `off`: why nothing may be asked; `spent`: why no more may be asked today; `pause`: seconds
    until the next round."""

    asked: int
    answered: int
    off: SourceOff | None
    spent: str
    pause: float


class SourceRefresher:
    """One source with its store, its budget and its keys. Used by one thread at a time."""

    def __init__(
        self,
        name: str,
        rules: SourceRules,
        store: VoteStore,
        clock: Clock,
        keys: Callable[[], Mapping[str, str]],
        alive: Callable[[], bool] = lambda: True,
        factory: SourceFactory | None = None,
    ) -> None:
        """keys: read anew for every round. alive: False once the process is about to end. factory: instead of the one
        of this name."""
        self.name, self.rules, self._store, self._clock = name, rules, store, clock
        self._keys, self._alive, self._factory = keys, alive, factory
        self.budget = DayBudget(name, rules, store, clock.wall, clock.monotonic, clock.wait)

    def round(self, wanted: SymbolsWanted) -> RoundResult:
        """Ask once, in batches. What a batch answers is kept at once. Never raises for what the source does."""
        now, keys = self._clock.wall(), self._keys()
        mark, off = mark_of(self.name, self.rules, keys), self._store.off(self.name)
        if off is not None and off.key_mark == mark and (off.until is None or now < off.until):
            left = math.inf if off.until is None else (off.until - now).total_seconds()
            return RoundResult(0, 0, off, "", max(min(left, CADENCE_MOST), CADENCE_LEAST))
        failures = 0 if off is None or off.key_mark != mark else off.failures
        ttl = timedelta(seconds=self.rules.ttl_seconds)
        asked = answered = 0
        try:
            source = self._made(keys) if is_local(self.name) else None
            if source is not None and hasattr(source, "revision"):
                self._store.withdraw(self.name, str(source.revision(now)))
            asked_at = {symbol: at for symbol, (at, _) in self._store.asked(self.name).items()}
            due = whom_to_ask(wanted.symbols, wanted.held, asked_at, now, ttl)
            if due:
                source = source or self._made(keys)
                size = max(int(getattr(source, "batch_size", BATCH)), 1)
                for start in range(0, len(due), size):
                    if not self._alive():
                        break
                    batch = due[start : start + size]
                    votes = self.budget.fetch(source, batch, self._clock.wall())
                    answered += self._keep(batch, votes)
                    asked += len(batch)
        except BudgetSpent as spent:
            self._store.set_off(self.name, None)
            return RoundResult(asked, answered, None, str(spent), CADENCE_MOST)
        except Exception as error:  # noqa: BLE001 - a source may fail in any way; trading goes on
            if not self._alive():  # because the process ends
                return RoundResult(asked, answered, off, "", CADENCE_LEAST)
            failed = self._failure(error, mark, failures)
            if failed.kind == "missing":
                self._store.withdraw(self.name)
            LOG.warning("%s: %s", self.name, failed.because)
            self._store.set_off(self.name, failed)
            return RoundResult(asked, answered, failed, "", CADENCE_LEAST)
        if off is not None:
            self._store.set_off(self.name, None)
        return RoundResult(asked, answered, None, "", self._pause(wanted, ttl))

    def _made(self, keys: Mapping[str, str]) -> VoteSource:
        context = SourceContext(self.name, self.rules, keys, self._clock, self._kept, self._alive)
        return (self._factory or factory_of(self.name))(context)

    def _pause(self, wanted: SymbolsWanted, ttl: timedelta) -> float:
        asked, now = self._store.asked(self.name), self._clock.wall()
        ages = [(now - asked[symbol][0]) / timedelta(seconds=1) for symbol in wanted.symbols if symbol in asked]
        left = ttl.total_seconds() - max(ages, default=0.0)
        return max(min(left, CADENCE_MOST), CADENCE_LEAST)

    def _keep(self, batch: Sequence[str], found: Votes) -> int:
        """Keep what a batch answered: clipped, and only what was asked. Returns how many votes it gave."""
        votes = {cleaned.symbol: cleaned for vote in found.answered if (cleaned := clean(vote, batch)) is not None}
        silent = {s: one_line(str(found.silent.get(s, NO_ANSWER))) for s in batch if s not in votes}
        at = self._clock.wall()
        self._store.put(self.name, tuple(votes.values()), silent, at - max(found.age, timedelta(0)), at)
        return len(votes)

    def _kept(self, body: str) -> None:
        self._store.keep_answer(self.name, body, self._clock.wall())

    def _failure(self, error: Exception, mark: str, failures: int) -> SourceOff:
        """How long a source stays off after a failure."""
        now = self._clock.wall()
        said = redact(str(error)) if isinstance(error, SourceProblem | BadDocument) else redact(
            f"{self.name}: {type(error).__name__}: {error}"
        )  # fmt: skip
        hint = getattr(error, "hint", "")
        match error:
            case KeyRefused():
                return SourceOff("key", said, hint, None, mark, failures + 1)
            case SourceGone():
                return SourceOff("gone", said, hint, None, mark, failures + 1)
            case QuotaUsed():
                reset = next_midnight(now) if error.seconds is None else now + timedelta(seconds=error.seconds)
                return SourceOff("quota", said, hint, reset, mark, failures + 1)
            case SourceNotReady():
                return SourceOff("missing", said, hint, now + timedelta(seconds=NOT_READY_SECONDS), mark, failures + 1)
            case VendorRefused():
                return SourceOff("refused", said, hint, now + timedelta(seconds=REFUSED_SECONDS), mark, failures + 1)
        seconds = max(min(FAILED_SECONDS * 2.0 ** min(failures, 20), FAILED_MOST), getattr(error, "seconds", 0.0))
        return SourceOff("failed", said, hint, now + timedelta(seconds=min(seconds, 86_400)), mark, failures + 1)


def clean(vote: Vote, asked: Collection[str]) -> Vote | None:
    """A vote within its limits; None for one on a symbol that was not asked, or that is no number."""
    try:
        score, confidence = float(vote.score), float(vote.confidence)
        symbol = symbol_of(vote.symbol)
    except (TypeError, ValueError, AttributeError):
        return None
    if symbol not in asked or not (math.isfinite(score) and math.isfinite(confidence)):
        return None
    because = one_line(str(vote.because), TEXT_MAX)
    citations = tuple(one_line(str(one), TEXT_MAX) for one in tuple(vote.citations)[:CITATIONS_MAX])
    revision = str(vote.revision)
    if not REVISION.fullmatch(revision):
        return None
    sure = max(0.0, min(1.0, confidence)) + 0.0
    return Vote(symbol, max(-1.0, min(1.0, score)) + 0.0, sure, because, citations, revision)
