"""Combine the signal sources that the rules enable."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from rebalancer.core.facts import Signal
from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.market_data.reference import Reference
from rebalancer.ops.clock import Clock
from rebalancer.signals import CombinedSignals, FileSignals, JournalSignals, sample_signals

DEFAULT_PATH: Final = Rules().signals.path


class ConfiguredSources:
    """Signals from files, from the journal's table and, if the rules enable it, from the bundled sample."""

    def __init__(
        self,
        rules: Rules,
        root: Path,
        journal: Journal,
        reference: Reference,
        universe: tuple[str, ...],
        mode: str,
        clock: Clock,
    ) -> None:
        path = root / rules.signals.path
        age = timedelta(minutes=rules.signals.max_age_minutes)
        self._given = CombinedSignals(
            [FileSignals(path, rules.signals.path != DEFAULT_PATH, clock.wall), JournalSignals(journal, age)]
        )
        self._reference, self._universe = reference, universe
        sample = rules.signals.sample
        self._sample = sample == "always" or (sample == "auto" and mode == "simulated")
        self._alone = sample == "auto"

    def read(self, now: datetime) -> tuple[Signal, ...]:
        """All signals, sorted by symbol, source and id. Raises BadDocument for a file that cannot be read."""
        found = self._given.read(now)
        if self._sample and not (self._alone and found):
            found = (*found, *sample_signals(self._reference.read(self._universe, now).closes, now))
        return tuple(sorted(found, key=lambda s: (s.symbol, s.source, s.id)))
