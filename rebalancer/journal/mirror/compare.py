"""Compare a mirror with its journal, row by row: events, documents and claims.

The file is read in pages, each in a transaction of its own, since rows of these tables never change; the mirror is read
in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rebalancer.core.errors import JournalBroken, MirrorRefused
from rebalancer.journal.archived import Archived
from rebalancer.journal.chain import GENESIS
from rebalancer.journal.mirror.mark import head_in_database
from rebalancer.journal.mirror.primary import Primary
from rebalancer.journal.mirror.secondary import Secondary
from rebalancer.journal.mirror.slices import Slice, check_slice, read_slice


def compare(primary: Primary, secondary: Secondary, tick: Callable[[int], object] = lambda _: None) -> int:
    """The number of the mirror's newest row, when every row up to it is equal on both sides and both chains hold.

    tick: called with the row reached after each page. Raises MirrorRefused for a mirror that is longer than the
    journal, JournalBroken naming the first row that differs.
    """
    place = str(secondary.place)
    with secondary.reading() as there:
        head = head_in_database(there)
        seq, row_hash = 0, GENESIS
        named, claimed = set[str](), 0
        while seq < head.seq:
            with primary.reading() as found:
                if found is None or found[1].seq < head.seq:
                    raise MirrorRefused(
                        f"{place}: has row {head.seq}, and {primary.path} ends before it\n"
                        "  hint: the journal was set back, or it is another one"
                    )
                here = read_slice(found[0], seq, head.seq)
                archived = Archived.of(found[0]).row
            check_slice(here, seq, row_hash, archived)
            last = here.events[-1]
            copied = read_slice(there, seq, last.seq, bytes_max=None)
            _refuse_difference(here, copied, place, archived)
            named |= {one.sha256 for one in copied.documents}
            claimed += len(here.claims)
            seq, row_hash = last.seq, last.hash
            tick(seq)
        if (seq, row_hash) != head:
            raise JournalBroken(f"{place}: its head is not its newest row\n  hint: drop the schema, it is copied anew")
        for table, count in (("documents", len(named)), ("claims", claimed), ("events", seq)):
            stored = there(f"SELECT count(*) FROM {table}", {})[0][0]  # noqa: S608  constants only
            if stored != count:
                raise JournalBroken(
                    f"{place}: has {stored} {table}, and the journal {count} up to row {seq}\n"
                    "  hint: drop the schema, and it is copied anew"
                )
    return seq


def _refuse_difference(here: Slice, copied: Slice, place: str, archived: int) -> None:
    """Raise JournalBroken naming the first row that is not the same on both sides. A mirror keeps the documents that
    an archive has instead of the journal."""
    if here.events[0].seq <= archived:
        known = {one.sha256 for one in here.documents}
        copied = copied._replace(documents=tuple(one for one in copied.documents if one.sha256 in known))
    tables: tuple[tuple[str, Mapping[object, object], Mapping[object, object]], ...] = (
        ("row", {one.seq: one for one in here.events}, {one.seq: one for one in copied.events}),
        ("document", {one.sha256: one for one in here.documents}, {one.sha256: one for one in copied.documents}),
        ("claim", {one[:2]: one for one in here.claims}, {one[:2]: one for one in copied.claims}),
    )
    for what, ours, theirs in tables:
        for name in {**ours, **theirs}:
            if ours.get(name) != theirs.get(name):
                raise JournalBroken(
                    f"{place}: the {what} {name} differs from the journal's\n"
                    "  hint: the copy was altered; drop the schema, and it is copied anew"
                )
