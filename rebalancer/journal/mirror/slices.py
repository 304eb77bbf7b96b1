"""A slice of a journal: consecutive events with everything that was written in their transactions. Imports no
SQLAlchemy; reads both kinds of database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from rebalancer.core.errors import JournalBroken
from rebalancer.journal.chain import ChainRow, linked
from rebalancer.journal.conditions import Ask, where
from rebalancer.journal.documents import named_documents, text_of_row

ROWS_MAX: Final = 500
BYTES_MAX: Final = 4_000_000  # of documents, as they are stored; a slice has at least one event
_EVENTS: Final = ", ".join(ChainRow._fields)
_CLAIMS: Final = "account_id, cycle_id, at, mode, holder"
_ASKED_AT_ONCE: Final = 200


class DocumentRow(NamedTuple):
    """One row of `documents`."""

    sha256: str
    body: bytes
    body_sha256: str


class ClaimRow(NamedTuple):
    """One row of `claims`."""

    account_id: str
    cycle_id: str
    at: str
    mode: str
    holder: str


class Slice(NamedTuple):
    """Events in their order, the documents that they name and the claims that they made, by key."""

    events: tuple[ChainRow, ...]
    documents: tuple[DocumentRow, ...]
    claims: tuple[ClaimRow, ...]


def read_slice(
    ask: Ask, after: int, last: int | None = None, *, rows_max: int = ROWS_MAX, bytes_max: int | None = BYTES_MAX
) -> Slice:
    """The events after a row, at most up to row `last`, with their documents and claims."""
    within = ["seq > :after"] + ["seq <= :last"] * (last is not None)
    condition = where(*within, after=after, last=last)
    found = ask(f"SELECT {_EVENTS} FROM events WHERE {condition.text} ORDER BY seq LIMIT {rows_max:d}",  # noqa: S608
                condition.values)  # fmt: skip
    events = [ChainRow._make(row) for row in found]
    names = [_documents_of(event) for event in events]
    if bytes_max is not None:
        count = _fitting(names, _sizes(ask, _unique(names)), bytes_max)
        events, names = events[:count], names[:count]
    documents = tuple(
        DocumentRow(row[0], bytes(row[1]), row[2])
        for row in _by_name(ask, "SELECT sha256, body, body_sha256 FROM documents", _unique(names))
    )
    return Slice(tuple(events), documents, tuple(_claims(ask, events)))


def check_slice(found: Slice, seq: int, row_hash: str, archived: int = 0) -> None:
    """Raise JournalBroken unless the slice follows row `seq` with this hash, is intact, and is complete.

    archived: up to which row an archive may have the documents instead (`journal.archived`)."""
    for event in found.events:
        linked(event, seq, row_hash)
        seq, row_hash = event.seq, event.hash
    stored = {row.sha256 for row in found.documents}
    claimed = {(row.account_id, row.cycle_id) for row in found.claims}
    for row in found.documents:
        text_of_row(*row)
    for event in found.events:
        missing = [name for name in _documents_of(event) if name not in stored]
        if missing and event.seq > archived:
            raise JournalBroken(f"journal row {event.seq} names the document {missing[0]}, which is missing")
        if event.kind in ("cycle_started", "slot") and (event.account_id, event.cycle_id) not in claimed:
            raise JournalBroken(f"journal row {event.seq} starts the cycle {event.cycle_id}, whose claim is missing")


def _documents_of(event: ChainRow) -> tuple[str, ...]:
    return named_documents(json.loads(event.body)) if event.kind == "cycle_planned" else ()


def _unique(names: Sequence[Sequence[str]]) -> list[str]:
    return sorted({name for some in names for name in some})


def _sizes(ask: Ask, names: Sequence[str]) -> dict[str, int]:
    return dict(_by_name(ask, "SELECT sha256, length(body) FROM documents", names))


def _fitting(names: Sequence[Sequence[str]], sizes: dict[str, int], bytes_max: int) -> int:
    """How many events fit, at least one."""
    seen, used = set[str](), 0
    for count, some in enumerate(names):
        used += sum(sizes.get(name, 0) for name in set(some) - seen)
        seen.update(some)
        if used > bytes_max and count:
            return count
    return len(names)


def _by_name(ask: Ask, select: str, names: Sequence[str]) -> Iterator[Any]:
    for begin in range(0, len(names), _ASKED_AT_ONCE):
        these = where(sha256=names[begin : begin + _ASKED_AT_ONCE])
        yield from sorted(ask(f"{select} WHERE {these.text}", these.values), key=lambda row: str(row[0]))


def _claims(ask: Ask, events: Sequence[ChainRow]) -> Iterator[ClaimRow]:
    """The claims of the cycles and slots that these events began, in the order of the events."""
    begun = [event for event in events if event.kind in ("cycle_started", "slot")]
    for begin in range(0, len(begun), _ASKED_AT_ONCE):
        some = begun[begin : begin + _ASKED_AT_ONCE]
        these = where(cycle_id={event.cycle_id or "" for event in some})
        rows = ask(f"SELECT {_CLAIMS} FROM claims WHERE {these.text}", these.values)  # noqa: S608  constants only
        found = {(row[0], row[1]): ClaimRow._make(row) for row in rows}
        yield from (one for event in some if (one := found.get((event.account_id, event.cycle_id or ""))) is not None)
