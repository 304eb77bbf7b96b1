"""Read signals from a file or a folder, completely or not at all.

1. `_files` lists what to read;
2. `formats.read_file` reads each, whatever its format;
3. `_signals_of` turns its rows into signals, target weights in the unit of the rules;
4. `_Collected` rejects contradictions between files.

One problem anywhere rejects everything, with every reason: part of a set of signals would lead to different trades.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from rebalancer.core.documents import BadDocument, sha256
from rebalancer.core.facts import Signal
from rebalancer.core.units import amount_of
from rebalancer.core.values import ZERO, decimal_near, text_of
from rebalancer.signals.formats.mapping import Mappings
from rebalancer.signals.formats.read_file import ENDINGS, Context, FileContent, read_file
from rebalancer.signals.formats.signal_file import FileRow, WeightsOf
from rebalancer.signals.signal_row import BadCell

if TYPE_CHECKING:
    from rebalancer.core.rules import Rules

SIZE_MAX: Final = 64 * 1024 * 1024
ROWS_MAX: Final = 100_000
IN_FOLDERS: Final = tuple(ending for ending in ENDINGS if ending != ".txt")  # a text in a folder may be anything
REASONS_MAX: Final = 20  # of a refusal that are told; `signals test` tells all
TARGET_PLACES: Final = Decimal("0.000000000001")
_FAINT: Final = 0.01  # the highest confidence that results when a fraction is written as a percentage
_SKEW: Final = timedelta(seconds=5)


class WeightUnit(NamedTuple):
    """What target weights are fractions of by the rules, and how much capital is per equity."""

    weights_of: WeightsOf
    capital_scaling: Decimal

    @classmethod
    def of(cls, rules: Rules) -> WeightUnit:
        """The unit of these rules."""
        return cls(rules.signals.weights_of, decimal_near(rules.position_sizing.capital_scaling))

    def converted(self, weight: Decimal, given: WeightsOf | None) -> Decimal:
        """A weight in this unit; given: the unit that it is in, None for this one. Rounded to twelve decimals."""
        if given is None or given == self.weights_of:
            return weight
        ratio = self.capital_scaling if given == "capital" else 1 / self.capital_scaling
        return (weight * ratio).quantize(TARGET_PLACES)


DEFAULT_UNIT: Final = WeightUnit("equity", Decimal(2))  # as the default rules say


class CompleteBook(NamedTuple):
    """A file that says everything about its account: `symbols` are those that it mentions."""

    source: str
    symbols: frozenset[str]
    issued_at: datetime
    sha256: str

    def closings(self, held: Collection[str]) -> Iterator[Signal]:
        """A target weight of 0 for every held symbol that it does not mention."""
        for symbol in sorted(held):
            if symbol not in self.symbols:
                name = target_id(self.source, symbol, ZERO, self.sha256)
                yield Signal.of_target(name, symbol, ZERO, self.source, self.issued_at)


class SignalsRead(NamedTuple):
    """The signals, sorted by symbol, source and id, the warnings, the files that are complete, the file (its name
    without the ending) of every source, and the time that the file itself gives, where it gives one."""

    signals: tuple[Signal, ...]
    warnings: tuple[str, ...]
    complete: tuple[CompleteBook, ...] = ()
    files: Mapping[str, str] = MappingProxyType({})
    dates: Mapping[str, datetime] = MappingProxyType({})


def read_signals(path: Path, now: datetime) -> tuple[Signal, ...]:
    """Read all signals of a file, or of the files of a folder. `now`: as for `read_all`."""
    return read_all(path, now).signals


def read_all(
    path: Path,
    now: datetime,
    ahead: timedelta = timedelta(0),
    unit: WeightUnit = DEFAULT_UNIT,
    mappings: Mappings | None = None,
) -> SignalsRead:
    """Read signals and collect warnings about them. Raises BadDocument naming file, line and column.

    now: aware; used to warn about times in the future, and less `ahead` to find the newest date of dated weights. A row
    without a time counts as issued when its file was written; ahead: how far the clock of `now` is ahead of the
    machine's, which dates files. unit: what target weights are returned in. An empty folder has no signals; a missing
    path is an error.
    """
    warnings: list[str] = []
    collected, complete, files, dates = _Collected(), list[CompleteBook](), dict[str, str](), dict[str, datetime]()
    context = Context(now - ahead, ahead, mappings or {}, SIZE_MAX)
    for file in _files(path, warnings):
        content = read_file(file, context)
        if len(content.found.rows) + len(collected.signals) > ROWS_MAX:
            problem = f"brings the number of rows above {ROWS_MAX}"
            raise BadDocument(str(file), problem, "split the set or drop old rows")
        refuse(file, content)
        warnings += [f"{file}: {warning}" for warning in content.found.warnings]
        signals = list(_signals_of(content, unit, ahead))
        sources = [file.stem, *(signal.source for signal in signals)]
        files |= dict.fromkeys(sources, file.stem)
        if content.found.as_of is not None:
            dates |= dict.fromkeys(sources, content.found.as_of)
        for i, signal in enumerate(signals):
            collected.add(signal, content, i)
        if content.found.complete:
            symbols = frozenset(row.symbol for row in content.found.rows)
            complete.append(CompleteBook(file.stem, symbols, _issued_at(content, ahead), content.sha256))
    found = tuple(sorted(collected.signals, key=_order))
    return SignalsRead(found, (*warnings, *_doubtful(found, now)), tuple(complete), files, dates)


def refuse(file: Path, content: FileContent) -> None:
    """Raise BadDocument for the first problem of a file, with the others as notes."""
    found = content.found
    places = [(content.where(i), row) for i, row in enumerate(found.rows) if row.problem is not None]
    reasons = [(where, str(row.problem), row.hint) for where, row in places]
    reasons += [(str(file), problem, "") for problem in found.problems]
    if not reasons:
        return
    error = BadDocument(*reasons[0])
    for where, problem, _ in reasons[1:REASONS_MAX]:
        error.add_note(f"{where}: {problem}")
    if len(reasons) > REASONS_MAX:
        error.add_note(f"and {len(reasons) - REASONS_MAX} more: rebalancer signals test {file}")
    raise error


def target_id(source: str, symbol: str, target: Decimal, content: str) -> str:
    """The id of a target weight: the same in a file that has not changed, and new for every row of one that has.
    content: the SHA-256 of the file."""
    return f"{source}-{sha256(chr(10).join((source, symbol, text_of(target), content)))[:16]}"


def _signals_of(content: FileContent, unit: WeightUnit, ahead: timedelta) -> Iterator[Signal]:
    issued_at = _issued_at(content, ahead)
    for row in content.found.rows:
        yield row.signal or _target(row, content, unit, issued_at)


def _target(row: FileRow, content: FileContent, unit: WeightUnit, issued_at: datetime) -> Signal:
    assert row.value is not None  # a row without a value has a problem
    target = unit.converted(row.value, content.found.weights_of)
    name = target_id(row.source, row.symbol, target, content.sha256)
    return Signal.of_target(name, row.symbol, target, row.source, issued_at)


def _issued_at(content: FileContent, ahead: timedelta) -> datetime:
    """When the target weights of a file count as issued, on the broker's clock."""
    return (content.found.as_of or content.written_at) + ahead


def _doubtful(signals: tuple[Signal, ...], now: datetime) -> Iterator[str]:
    late = [s for s in signals if s.issued_at > now + _SKEW]
    if late:
        many = amount_of(len(late), "signal is", "signals are")
        yield f"{many} issued in the future, the first one {late[0].id} of {late[0].symbol}"
    faint = [s for s in signals if abs(s.score) == 1 and 0 < s.confidence <= _FAINT]
    if faint:
        many = amount_of(len(faint), "signal has", "signals have")
        yield (
            f"{many} a confidence of at most 1 %, the first one of {faint[0].symbol}; "
            "together with an action it is in percent: write 85, not 0.85"
        )


def _order(signal: Signal) -> tuple[str, str, str]:
    return signal.symbol, signal.source, signal.id


def _files(path: Path, warnings: list[str]) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        names = sorted(os.listdir(path))
    except OSError as error:
        raise BadDocument(str(path), f"cannot be read: {error.strerror}") from None
    found = []
    for name in names:
        if name.startswith((".", "README", "~$")) or name.endswith((".tmp", "~")):
            continue
        if Path(name).suffix.lower() in IN_FOLDERS:
            found.append(path / name)
        else:
            warnings.append(f"{path / name}: ignored, it is none of {', '.join(IN_FOLDERS)}")
    return found


class _Collected:
    """The signals read so far, without duplicates. Contradictions raise BadDocument."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self._by_subject: dict[tuple[str, str, datetime | None], tuple[Signal, Callable[[], str]]] = {}
        self._by_id: dict[str, tuple[Signal, Callable[[], str]]] = {}

    def add(self, signal: Signal, content: FileContent, row: int) -> None:
        try:
            self._add(signal, lambda: content.where(row))
        except BadCell as error:
            raise BadDocument(f"{content.where(row)}: {error.column}", error.problem, error.hint) from None

    def _add(self, signal: Signal, place: Callable[[], str]) -> None:
        moment = signal.issued_at if signal.target is None else None
        first, there = self._by_subject.setdefault((signal.source, signal.symbol, moment), (signal, place))
        if first is not signal and first._replace(id=signal.id, issued_at=signal.issued_at) != signal:
            said = "a different target weight" if moment is None else "a different signal"
            when = "" if moment is None else " at the same time"
            problem = f"{signal.symbol} has {said} from {signal.source}{when} in {there()}"
            raise BadCell("symbol", problem, "keep one of both, or give them different times or sources")
        same_id, there = self._by_id.setdefault(signal.id, (signal, place))
        if same_id != signal:
            raise BadCell("id", f"{signal.id!r} stands for another signal in {there()}", "an id belongs to one signal")
        if same_id is signal:
            self.signals.append(signal)
