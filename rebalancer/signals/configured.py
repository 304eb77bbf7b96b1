"""Combine the signal sources that the rules enable."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from rebalancer.core.facts import Signal
from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.market_data.reference import Reference
from rebalancer.ops.clock import Clock
from rebalancer.signals import CombinedSignals, FileSignals, InboxSignals, JournalSignals, sample_signals
from rebalancer.signals.reading import WeightUnit
from rebalancer.signals.receipts import inbox
from rebalancer.signals.sources import SignalSource
from rebalancer.signals.target_books import TargetBooks

_log = logging.getLogger(__name__)
DEFAULT_PATH: Final = Rules().signals.path


class ConfiguredSources:
    """Signals from files, from the inbox, from the journal's table; if the rules enable them, also the votes of sources
    that are asked in the background, and the bundled sample. A signal of the inbox or a vote whose id stands for
    another signal elsewhere is left out and logged: who may insert signals must not be able to stop a cycle."""

    def __init__(
        self,
        rules: Rules,
        root: Path,
        journal: Journal,
        reference: Reference,
        universe: tuple[str, ...],
        mode: str,
        clock: Clock,
        state: Path,
        books: TargetBooks,
    ) -> None:
        """root: the folder of relative paths; state: the folder of the inbox."""
        path = root / rules.signals.path
        age = timedelta(minutes=rules.signals.max_age_minutes)
        unit = WeightUnit.of(rules)
        self._files = FileSignals(path, rules.signals.path != DEFAULT_PATH, clock.wall, unit, rules.signals.mappings)
        self._given = CombinedSignals([self._files, JournalSignals(journal, age)])
        self._books = books
        self._inbox = InboxSignals(state / inbox.NAME, clock.wall, age)
        self._votes: SignalSource | None = None
        if rules.signals.enabled_sources:  # nothing of it is loaded otherwise
            from rebalancer.signals.sources.store import NAME as VOTES_NAME
            from rebalancer.signals.sources.votes import SourceVotes

            needed = "model" if rules.model.enabled and not rules.model.fallback_to_external_signals else ""
            self._votes = SourceVotes(state / VOTES_NAME, rules.signals, clock.wall, needed)
        self._reference, self._universe = reference, universe
        sample = rules.signals.sample
        self._sample = sample == "always" or (sample == "auto" and mode == "simulated")
        self._alone = sample == "auto"

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:
        """All signals, sorted by symbol, source and id. held: as for `FileSignals`. Raises BadDocument for a file that
        cannot be read, or whose weights are older than those that it replaces."""
        found = self._given.read(now, held)
        found = (*found, *self._books.kept(found, self._files.files, now, self._files.dates))
        aimed = {signal.symbol for signal in found if signal.target is not None}
        found = (*found, *self._not_clashing(self._inbox.read(now, frozenset(held) - aimed), found))
        if self._votes is not None:
            found = (*found, *self._not_clashing(self._votes.read(now), found))
        if self._sample and not (self._alone and (found or self._inbox.was_used())):
            found = (*found, *sample_signals(self._reference.read(self._universe, now).closes, now))
        return tuple(sorted(found, key=lambda s: (s.symbol, s.source, s.id)))

    def _not_clashing(self, inserted: tuple[Signal, ...], others: tuple[Signal, ...]) -> list[Signal]:
        by_id = {signal.id: signal for signal in others}
        kept = []
        for signal in inserted:
            if signal.id not in by_id:
                kept.append(signal)
            elif by_id[signal.id] != signal:
                _log.warning("the id %r of the inbox stands for another signal in a file: left out", signal.id)
        return kept
