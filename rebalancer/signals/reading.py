"""Read signals from a file or a folder, completely or not at all.

1. `_files` lists what to read;
2. `read_settled` reads a file that is not being written;
3. `file_rows.read_rows` splits it into rows and `signal_row.signal_of_row` reads each;
4. `_Collected` rejects contradictions and drops duplicates.

One error anywhere rejects everything: part of a set of signals would lead to different trades.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.ops.files import read_settled
from rebalancer.signals.file_rows import ENDINGS, read_rows
from rebalancer.signals.signal_row import SOURCE, BadCell, signal_of_row

SIZE_MAX: Final = 64 * 1024 * 1024
ROWS_MAX: Final = 100_000
_FAINT: Final = 0.01  # the highest confidence that results when a fraction is written as a percentage
_SKEW: Final = timedelta(seconds=5)


class SignalsRead(NamedTuple):
    """The signals, sorted by symbol, source and id, and the warnings."""

    signals: tuple[Signal, ...]
    warnings: tuple[str, ...]


def read_signals(path: Path, now: datetime) -> tuple[Signal, ...]:
    """Read all signals of a file, or of a folder's .csv, .json and .jsonl files. `now`: as for `read_all`."""
    return read_all(path, now).signals


def read_all(path: Path, now: datetime, ahead: timedelta = timedelta(0)) -> SignalsRead:
    """Read signals and collect warnings about them. Raises BadDocument naming file, line and column.

    now: aware; only used to warn about times in the future. A row without issued_at counts as issued when its file was
    written; ahead: how far the clock of `now` is ahead of the machine's, which dates files.
    An empty folder has no signals; a missing path is an error.
    """
    warnings: list[str] = []
    collected = _Collected()
    for file in _files(path, warnings):
        _read_file(file, collected, ahead)
    signals = tuple(sorted(collected.signals, key=_order))
    late = [s for s in signals if s.issued_at > now + _SKEW]
    if late:
        warnings.append(f"{len(late)} signals are issued in the future, the first one {late[0].id} of {late[0].symbol}")
    faint = [s for s in signals if abs(s.score) == 1 and 0 < s.confidence <= _FAINT]
    if faint:
        warnings.append(
            f"{len(faint)} signals have a confidence of at most 1 %, the first one of {faint[0].symbol}; "
            "together with an action it is in percent: write 85, not 0.85"
        )
    return SignalsRead(signals, tuple(warnings))


def _order(signal: Signal) -> tuple[str, str, str]:
    return signal.symbol, signal.source, signal.id


def _files(path: Path, warnings: list[str]) -> list[Path]:
    try:
        if not path.is_dir():
            if path.suffix.lower() not in ENDINGS:
                raise BadDocument(str(path), "is not a signal file", f"use one of {', '.join(ENDINGS)}, or a folder")
            return [path]
        names = sorted(os.listdir(path))
    except OSError as error:
        raise BadDocument(str(path), f"cannot be read: {error.strerror}") from None
    found = []
    for name in names:
        if name.startswith((".", "README")) or name.endswith((".tmp", "~")):
            continue
        if Path(name).suffix.lower() in ENDINGS:
            found.append(path / name)
        else:
            warnings.append(f"{path / name}: ignored, it is none of {', '.join(ENDINGS)}")
    return found


def _read_file(path: Path, collected: _Collected, ahead: timedelta) -> None:
    text, written_at = read_settled(path, SIZE_MAX)
    rows_of_file = read_rows(text, str(path), path.suffix.lower())
    if len(rows_of_file.rows) + len(collected.signals) > ROWS_MAX:
        raise BadDocument(str(path), f"brings the number of rows above {ROWS_MAX}", "split the set or drop old rows")
    source = path.stem
    for index, cells in enumerate(rows_of_file.rows):
        try:
            if "source" not in cells and SOURCE.fullmatch(source) is None:
                hint = "rename the file to letters, digits, dots, dashes and underscores, or add a source column"
                raise BadCell("source", f"the file name {source[:40]!r} cannot be a source", hint)
            signal = signal_of_row(cells, source, written_at, ahead)
            collected.add(signal, _place(path, rows_of_file.line, index))
        except BadCell as error:
            where = f"{path}:{rows_of_file.line(index)}: {error.column}"
            raise BadDocument(where, error.problem, error.hint) from None


def _place(path: Path, line: Callable[[int], int], index: int) -> Callable[[], str]:
    return lambda: f"{path}:{line(index)}"


class _Collected:
    """The signals read so far, without duplicates. Contradictions raise BadCell."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self._by_subject: dict[tuple[str, str, datetime], tuple[Signal, Callable[[], str]]] = {}
        self._by_id: dict[str, tuple[Signal, Callable[[], str]]] = {}

    def add(self, signal: Signal, place: Callable[[], str]) -> None:
        first, there = self._by_subject.setdefault((signal.source, signal.symbol, signal.issued_at), (signal, place))
        if first is not signal and first._replace(id=signal.id) != signal:
            problem = f"{signal.symbol} has a different signal from {signal.source} at the same time in {there()}"
            raise BadCell("symbol", problem, "keep one of both, or give them different times or sources")
        same_id, there = self._by_id.setdefault(signal.id, (signal, place))
        if same_id != signal:
            raise BadCell("id", f"{signal.id!r} stands for another signal in {there()}", "an id belongs to one signal")
        if same_id is signal:
            self.signals.append(signal)
