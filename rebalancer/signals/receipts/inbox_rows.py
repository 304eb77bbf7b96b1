"""One row of the inbox: read from what a sender wrote, or refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument, canonical_json, plain, sha256
from rebalancer.core.facts import Signal
from rebalancer.journal.chain import stamp
from rebalancer.ops.csv_table import check_names
from rebalancer.signals.formats.targets import WEIGHT_MAX
from rebalancer.signals.reading import target_id
from rebalancer.signals.receipts.identity import content_of, kind_of, receipt_id
from rebalancer.signals.signal_row import COLUMNS, BadCell, number_of_cell, signal_of_row

REFUSED: Final = "refused"  # the kind of a row that is no signal
SUPERSEDED: Final = "superseded"  # the kind of a target weight that came after a newer book of its source
SKEW: Final = timedelta(seconds=5)  # how far a time may be ahead of ours
_RAW_LENGTH_MAX: Final = 2000


class InboxRow(NamedTuple):
    """One row of the inbox as stored; times are texts that sort like times."""

    n: int
    receipt: str
    signal_id: str
    symbol: str
    source: str
    kind: str
    received_at: str
    issued_at: str
    at_arrival: int
    content: str
    content_sha256: str
    problem: str


def computed_row_id(source: str, key: str, number: int) -> str:
    """The id of a row without one in a delivery that has a key; number: its place, from 0."""
    return f"{source}-{sha256(f'{key}{chr(10)}{number}')[:16]}"


def read_row(
    row: Mapping[str, object], source: str, at: datetime, name: str | None, whole: str
) -> tuple[InboxRow, Signal | None]:
    """A row of the inbox, not yet numbered, and its signal; None when it is refused. name: the id
    of a row without one; None computes it from the content. whole: the hash of all target
    weights that came with it."""
    cells: Mapping[str, object] = row
    try:
        check_names([str(name) for name in cells], "row", (*COLUMNS, "target"))
        if name is not None and cells.get("id") is None:
            cells = {**cells, "id": name}
        is_target = cells.get("target") is not None
        signal = _target(cells, source, at, whole) if is_target else signal_of_row(cells, source, at)
        if signal.issued_at > at + SKEW:
            raise BadCell("issued_at", "is in the future", "write when the signal was issued")
    except BadCell as error:
        return refused_row(row, source, at, f"{error}" + (f" ({error.hint})" if error.hint else "")), None
    except BadDocument as error:
        place = error.where.removeprefix("row: ").strip("'")
        problem = f"{place}: {error.problem}" + (f" ({error.hint})" if error.hint else "")
        return refused_row(row, source, at, problem), None
    document = plain(signal)
    content = content_of(document)
    content_sha256 = sha256(content)
    stored = InboxRow(
        0, receipt_id(signal.id, signal.symbol, content_sha256), signal.id, signal.symbol, signal.source,
        kind_of(document), stamp(at), stamp(signal.issued_at), int(cells.get("issued_at") is None), content,
        content_sha256, "",
    )  # fmt: skip
    return stored, signal


def _target(cells: Mapping[str, object], source: str, at: datetime, whole: str) -> Signal:
    """A target weight. Its id is given, or computed from all target weights that came with it."""
    said = next((name for name in ("score", "action", "confidence") if cells.get(name) is not None), None)
    if said is not None:
        raise BadCell(said, "stands together with a target", "a target weight has neither score nor confidence")
    other = {name: value for name, value in cells.items() if name != "target"}
    around = signal_of_row({**other, "action": "FLAT"}, source, at)
    number = number_of_cell("target", cells["target"])
    if abs(number) > WEIGHT_MAX:
        raise BadCell(
            "target", f"{str(cells['target'])[:40]} is above {WEIGHT_MAX}: percent?", "write a fraction: 0.25"
        )
    name = around.id if cells.get("id") is not None else target_id(around.source, around.symbol, number, whole)
    return Signal.of_target(
        name, around.symbol, number, around.source, around.issued_at, around.stop_price, around.target_price
    )


def refused_row(row: Mapping[str, object], source: str, at: datetime, problem: str) -> InboxRow:
    raw = json.dumps(dict(row), sort_keys=True, default=str)[:_RAW_LENGTH_MAX]
    symbol, name = row.get("symbol"), row.get("id")
    signal_id = _storable(name)[:128] if isinstance(name, str) else ""
    shown = _storable(symbol)[:40] if isinstance(symbol, str) else ""
    content_sha256 = sha256(canonical_json([source, raw]))
    return InboxRow(
        0, receipt_id(signal_id, shown, content_sha256), signal_id, shown, source, REFUSED, stamp(at), stamp(at), 1,
        raw, content_sha256, _storable(problem),
    )  # fmt: skip


def repeated_row(row: InboxRow) -> InboxRow:
    """A row whose id was used before for another signal, as a refused one."""
    problem = f"id: {row.signal_id!r} stands for another signal (an id belongs to one signal; give it a new one)"
    return _turned_away(row, REFUSED, problem)


def superseded_row(row: InboxRow, problem: str) -> InboxRow:
    """A target weight that came after a newer book of its source."""
    return _turned_away(row, SUPERSEDED, problem)


def _turned_away(row: InboxRow, kind: str, problem: str) -> InboxRow:
    raw = canonical_json({"signal": json.loads(row.content), "issued_at": "" if row.at_arrival else row.issued_at})
    content_sha256 = sha256(raw)
    return row._replace(
        receipt=receipt_id(row.signal_id, row.symbol, content_sha256), kind=kind, content=raw,
        content_sha256=content_sha256, problem=problem,
    )  # fmt: skip


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
