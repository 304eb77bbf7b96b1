"""Scores and actions with their confidence: rows of `signals/README.md`, each with its problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from rebalancer.core.values import decimal_near
from rebalancer.signals.formats.signal_file import FileRow, SignalFile
from rebalancer.signals.signal_row import SOURCE, BadCell, signal_of_row

Row = tuple[int, Mapping[str, object]]


def score_rows(
    rows: Iterable[Row], place: str, source: str, written_at: datetime, ahead: timedelta, name: str = "scores"
) -> SignalFile:
    """Read every row. Two rows of one source about one symbol at one time are refused, also when they say the same.
    place: the file, for messages; ahead: as for `signal_of_row`."""
    found: list[FileRow] = []
    places: dict[tuple[str, str, datetime], int] = {}
    names: dict[str, int] = {}
    for line, cells in rows:
        try:
            if "source" not in cells and SOURCE.fullmatch(source) is None:
                hint = "rename the file to letters, digits, dots, dashes and underscores, or add a source column"
                raise BadCell("source", f"the file name {source[:40]!r} cannot be a source", hint)
            signal = signal_of_row(cells, source, written_at, ahead)
            subject = (signal.source, signal.symbol, signal.issued_at)
            first = found[places[subject]] if subject in places else None
            same = first is not None and first.signal is not None and first.signal._replace(id=signal.id) == signal
            if first is not None and first.signal is not None and (not same or first.signal.id == signal.id):
                says = "the same signal" if same else "a different signal"
                problem = f"{signal.symbol} has {says} from {signal.source} at the same time in {place}:{first.line}"
                raise BadCell("symbol", problem, "keep one of both, or give them different times or sources")
            if signal.id in names:
                problem = f"{signal.id!r} stands for another signal in {place}:{found[names[signal.id]].line}"
                raise BadCell("id", problem, "an id belongs to one signal")
        except BadCell as error:
            shown = str(cells.get("symbol") or "")[:40]
            found.append(FileRow(line, shown, "score", None, source, str(error), error.hint))
            continue
        places[subject] = names[signal.id] = len(found)
        value = decimal_near(signal.score)
        found.append(FileRow(line, signal.symbol, "score", value, signal.source, signal=signal))
    return SignalFile(name, tuple(found))
