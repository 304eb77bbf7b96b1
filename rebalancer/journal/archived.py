"""Which documents an archive may have instead of the journal. Imports no SQLAlchemy, because `status` uses it too.

The events alone say it. With each `documents_archived` event those documents may be missing that only plans up to its
row had named by then; its digest of their names must agree. All rules stay: they are few, the evidence of a day states
them, and they say which configurations were tried. Those of the newest plan of every account stay, and those of the
plan with which its history begins, at first and after every `books_accepted`: figures of all time start from there.
A later plan that names a document which is not there stores it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from rebalancer.core.errors import JournalBroken
from rebalancer.journal.conditions import Ask, where
from rebalancer.journal.documents import named_documents
from rebalancer.journal.records import DRY_RUN

KIND: Final = "documents_archived"  # an event kind; its key is the archive's last row
KINDS: Final = ("cycle_started", "cycle_planned", "books_accepted", KIND)


def digest_of_names(names: Iterable[str]) -> str:
    """The SHA-256 of names, sorted, a line each."""
    return hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()


class ArchiveRule:
    """Fed with the events of a journal in their order, it knows which documents may be missing."""

    def __init__(self) -> None:
        self.missing_allowed = set[str]()
        self._last_named = dict[str, int]()
        self._newest = dict[str, tuple[str, ...]]()  # of every account
        self._openings = set[str]()
        self._rules = set[str]()
        self._opened = set[str]()  # accounts whose history has begun since it was last accepted
        self._dry = set[tuple[str, str | None]]()

    def feed(self, seq: int, account_id: str, cycle_id: str | None, kind: str, key: str | None, body: str) -> None:
        """One event as stored; those that are not among `KINDS` are passed over. Raises JournalBroken for an archive
        event that does not name what it takes away."""
        match kind:
            case "cycle_started" if key == DRY_RUN:
                self._dry.add((account_id, cycle_id))
            case "books_accepted":
                self._opened.discard(account_id)
            case "cycle_planned":
                planned = json.loads(body)
                self._planned(seq, account_id, named_documents(planned))
                self._rules.add(planned["rules_sha256"])
                if account_id not in self._opened and (account_id, cycle_id) not in self._dry:
                    self._opened.add(account_id)
                    self._openings.update(self._newest[account_id])
            case _ if kind == KIND:
                self._archived(seq, json.loads(body))

    def removable(self, row: int) -> set[str]:
        """What an archive event now, of an archive up to a row, takes away."""
        kept = {name for names in self._newest.values() for name in names} | self._openings | self._rules
        found = {name for name, seq in self._last_named.items() if seq <= row}
        return found - kept - self.missing_allowed

    def _planned(self, seq: int, account_id: str, names: tuple[str, ...]) -> None:
        self._newest[account_id] = names
        for name in names:
            self._last_named[name] = seq
            self.missing_allowed.discard(name)  # it was stored with this plan, if it was not there

    def _archived(self, seq: int, body: Mapping[str, Any]) -> None:
        names = self.removable(int(body["row"]))
        if (len(names), digest_of_names(names)) != (body["documents"], body["names_sha256"]):
            raise JournalBroken(f"journal row {seq} does not name the documents that it took away")
        self.missing_allowed |= names


class Archived(NamedTuple):
    """What the newest archive event says: up to which row documents may be missing, the number of that event, and the
    archive's file; 0, 0 and "" without one."""

    row: int
    noted_at: int
    file: str

    @classmethod
    def of(cls, ask: Ask) -> Archived:
        """Of a journal as it is now."""
        found = ask("SELECT seq, body FROM events WHERE kind = :kind ORDER BY seq DESC LIMIT 1", {"kind": KIND})
        if not found:
            return cls(0, 0, "")
        body = json.loads(found[0][1])
        return cls(int(body["row"]), int(found[0][0]), str(body["file"]))

    def removable(self, ask: Ask, row: int) -> set[str]:
        """What an archive up to a row may take away now, of which the documents are still there."""
        rule, kinds = ArchiveRule(), where(kind=KINDS)
        columns = "seq, account_id, cycle_id, kind, key, body"
        for found in ask(f"SELECT {columns} FROM events WHERE {kinds.text} ORDER BY seq", kinds.values):  # noqa: S608
            rule.feed(*found)
        return rule.removable(row)
