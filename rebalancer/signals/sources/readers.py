"""Signal sources: a file or folder, the journal's table, the bundled sample, and combinations of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import SignalsUnavailable
from rebalancer.core.facts import Signal
from rebalancer.ops.files import is_absent
from rebalancer.signals.formats.mapping import Mappings
from rebalancer.signals.reading import DEFAULT_UNIT, CompleteBook, WeightUnit, read_all
from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.signals.sample import sample_signals

T = TypeVar("T")
_log = logging.getLogger("rebalancer.world.signals.sources")


class FileSignals:
    """Signals of a file or folder. `required`: whether its absence is an error; the default folder may be absent.
    `wall` returns the machine's time, which dates files, if the broker's clock may differ from it. `unit` is what
    target weights are returned in, `mappings` those of `signals.mappings`."""

    def __init__(
        self,
        path: Path,
        required: bool,
        wall: Callable[[], datetime] | None = None,
        unit: WeightUnit = DEFAULT_UNIT,
        mappings: Mappings | None = None,
    ) -> None:
        self._path, self._required, self._wall = path, required, wall
        self._unit, self._mappings = unit, mappings
        self._warned: tuple[str, ...] = ()
        self.files: Mapping[str, str] = {}  # the file of every source of the last reading
        self.dates: Mapping[str, datetime] = {}  # the time that this file gives, where it gives one

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:
        """All signals. held: the symbols with a position; a complete file asks to close those that it does not
        mention. Raises BadDocument. Warnings are logged; a repeated set of warnings only once."""
        self.files, self.dates = {}, {}
        if is_absent(self._path):
            if not self._required:
                return ()
            raise BadDocument(str(self._path), "is not there", "correct signals.path, or put the signals there")
        ahead = timedelta(0) if self._wall is None else now - self._wall()
        found = read_all(self._path, now, ahead, self._unit, self._mappings)
        if found.warnings != self._warned:
            for warning in found.warnings:
                _log.warning("%s", warning)
            self._warned = found.warnings
        self.files, self.dates = found.files, found.dates
        aimed = {signal.symbol for signal in found.signals if signal.target is not None}
        left = frozenset(held) - aimed  # what another file gives a weight is not closed
        return (*found.signals, *(closing for book in found.complete for closing in book.closings(left)))


class SignalStore(Protocol):
    """Anything that stores signals, such as the journal."""

    def signals(self, since: datetime) -> tuple[Signal, ...]: ...


class JournalSignals:
    """Signals from the journal's table; those older than `age` are left out."""

    def __init__(self, journal: SignalStore, age: timedelta = timedelta(days=1)) -> None:
        self._journal, self._age = journal, age

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:  # noqa: ARG002 - scores alone
        """The signals issued in the last `age`."""
        return self._journal.signals(now - self._age)


class InboxSignals:
    """Signals that other processes inserted into the inbox; scores older than `age` are left out, target weights hold
    until their source replaces them. An inbox that is there and cannot be read is an error, like a file: that nothing
    is in it must not be mistaken for "no signals"."""

    def __init__(self, path: Path, wall: Callable[[], datetime], age: timedelta) -> None:
        self._path, self._wall, self._age = path, wall, age

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:
        """The newest score of each source and symbol, and the newest target weights of each source. held: the symbols
        with a position that nothing else gives a target; a complete book asks to close those that it does not mention.
        Raises BadDocument."""
        return self._asked(
            lambda inbox: (*inbox.current(now, self._wall(), self._age), *self._targets(inbox, now, held)), ()
        )

    def _targets(self, inbox: SignalInbox, now: datetime, held: Collection[str]) -> tuple[Signal, ...]:
        ahead, found = now - self._wall(), inbox.books()
        targets = [t._replace(issued_at=t.issued_at + ahead) for book in found for t in book.targets]
        left = frozenset(held) - {target.symbol for target in targets}
        closings = (
            closing
            for book in found
            if book.complete
            for closing in CompleteBook(
                book.source, frozenset(t.symbol for t in book.targets), book.received_at + ahead, book.sha256
            ).closings(left)
        )
        return (*targets, *closings)

    def was_used(self) -> bool:
        """Whether anything is in it, however old. Raises BadDocument."""
        return self._asked(lambda inbox: not inbox.is_empty(), False)

    def _asked(self, ask: Callable[[SignalInbox], T], absent: T) -> T:
        if is_absent(self._path):
            return absent
        try:
            with SignalInbox.open(self._path) as inbox:
                return ask(inbox)
        except SignalsUnavailable as error:
            problem, _, hint = str(error).removeprefix(f"{self._path}: ").partition("\n  hint: ")
            raise BadDocument(str(self._path), problem, hint) from None


class SampleSignals:
    """The bundled sample computed from given closes."""

    def __init__(self, closes: DailyCloses) -> None:
        self._closes = closes

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:  # noqa: ARG002 - scores alone
        """The sample signals at `now`."""
        return sample_signals(self._closes, now)


class CombinedSignals:
    """Several sources combined. A signal that several of them contain counts once."""

    def __init__(self, sources: Sequence[SignalSource]) -> None:
        self._sources = tuple(sources)

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:
        """All signals, sorted by symbol, source and id. Raises BadDocument when two different signals share an id."""
        found: dict[str, Signal] = {}
        for source in self._sources:
            for signal in source.read(now, held):
                if found.setdefault(signal.id, signal) != signal:
                    problem = f"{signal.id!r} stands for two different signals"
                    raise BadDocument(f"signals: {signal.symbol}", problem, "an id belongs to one signal; rename one")
        return tuple(sorted(found.values(), key=lambda s: (s.symbol, s.source, s.id)))


class SignalSource(Protocol):
    """A source of signals. `held` are the symbols with a position. Raises `BadDocument` for input that cannot be
    read."""

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]: ...
