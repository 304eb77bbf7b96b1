"""A pandas frame as a file of signals: checked as any file is, and written in one piece.

Target weights become a document of schema `rebalancer.targets/1`, scores `{"signals": [...]}`.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.core.documents import BadDocument, plain
from rebalancer.core.input_file import read_json_file
from rebalancer.core.values import text_of, time_text, utc_of
from rebalancer.ops.files import put_whole
from rebalancer.signals.formats.documents import TARGETS_SCHEMA
from rebalancer.signals.formats.frames import grid_of_frame
from rebalancer.signals.formats.read_file import Context, read_grid
from rebalancer.signals.formats.signal_file import SignalFile, WeightsOf

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_SCORE_FIELDS = ("id", "symbol", "score", "confidence", "source", "issued_at", "stop_price", "target_price")


def write_frame(
    frame: DataFrame | Series[Any],
    path: Path,
    now: datetime,
    *,
    complete: bool,
    close_all: bool,
    weights_of: WeightsOf | None,
) -> None:
    """Write a frame to a .json file. Raises BadDocument, naming every reason, for a frame that no file could hold or
    whose weights are older than those in the file, and OSError.

    now: aware; later dates in the frame do not count yet. The source of the rows is the name of the file.
    """
    place = f"frame {path.stem}"
    notes = {"complete": str(complete).lower(), "close_all": str(close_all).lower()}
    grid = grid_of_frame(frame, place)._replace(notes=notes | ({"weights_of": weights_of} if weights_of else {}))
    if not grid.rows and not close_all:
        raise BadDocument(
            place, "has no rows", "was it filtered away? Say close_all=True if everything is to be closed"
        )
    found = read_grid(grid, path.stem, Context(now), now)
    reasons = [f"row {row.line}: {row.problem}" for row in found.rows if row.problem is not None]
    reasons += found.problems
    if reasons:
        error = BadDocument(place, reasons[0], next((row.hint for row in found.rows if row.hint), ""))
        for reason in reasons[1:]:
            error.add_note(reason)
        raise error
    _refuse_older(path, found)
    text = json.dumps(_document(found), indent=1, ensure_ascii=False, allow_nan=False)
    put_whole(path, f"{text}\n".encode())


def _refuse_older(path: Path, found: SignalFile) -> None:
    """What is in the file and gives no time, or cannot be read, is replaced."""
    try:
        before = utc_of(read_json_file(path)["as_of"])
    except (ValueError, LookupError, TypeError):
        return
    if found.as_of is not None and found.as_of < before:
        raise BadDocument(
            f"frame {path.stem}",
            f"is as of {time_text(found.as_of)}, older than the weights in {path.name}, which are as of "
            f"{time_text(before)}",
            "to return to them, write them with a newer date",
        )


def _document(found: SignalFile) -> dict[str, Any]:
    signals = [row.signal for row in found.rows if row.signal is not None]
    if signals:
        rows = [{k: v for k, v in plain(signal).items() if k in _SCORE_FIELDS and v is not None} for signal in signals]
        return {"signals": rows}
    return {
        "schema": TARGETS_SCHEMA,
        **({} if found.as_of is None else {"as_of": time_text(found.as_of)}),
        "complete": found.complete,
        **({"close_all": True} if found.close_all else {}),
        **({} if found.weights_of is None else {"weights_of": found.weights_of}),
        "targets": [
            {"symbol": row.symbol, "weight": text_of(row.value), "source": row.source}
            for row in found.rows
            if row.value is not None
        ],
    }
