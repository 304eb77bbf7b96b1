"""What a drill has shown: the exchange's own list of orders compared with the journal, slot by slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.core.errors import JournalBroken

if TYPE_CHECKING:
    from rebalancer.journal.place import PostgresPlace
    from rebalancer.journal.read_only import ReadOnlyJournal

MISSED: Final = frozenset({"MISSED", "SKIPPED_TOO_LATE", "SKIPPED_OVERLAPPING"})


class DrilledSlot(NamedTuple):
    """One slot of the drill: what happened to the hosts in it."""

    id: str
    events: tuple[str, ...]


class DrillFindings(NamedTuple):
    """What journal and exchange say afterwards. Lists of names; `wrong` is a sentence for each that must be empty."""

    slots: tuple[Mapping[str, Any], ...]
    held: tuple[Mapping[str, Any], ...]
    rows: int
    orders: int
    sent_twice: list[str]
    intents_with_two_orders: list[str]
    not_in_journal: list[str]
    slots_with_two_owners: list[str]
    slots_of_another_holder: list[str]
    slots_without_record: list[str]
    slots_missed: list[str]
    wrong: list[str]


def leases_of(journal: ReadOnlyJournal) -> tuple[Mapping[str, Any], ...]:
    """Every taking of the lease: row, token, host and moment."""
    from rebalancer.journal.lease import KIND

    return tuple(
        {"row": e.seq, "token": int(e.key or 0), "host": str(e.body["host"]), "at": e.at.isoformat()}
        for e in journal.events(kind=KIND)
    )


def findings(place: PostgresPlace, orders: Sequence[Mapping[str, Any]], rows: Sequence[DrilledSlot]) -> DrillFindings:
    """Compare the exchange's own list of orders with the journal, slot by slot."""
    from rebalancer.journal import Journal
    from rebalancer.journal.lease import KIND
    from rebalancer.journal.read_only import ReadOnlyJournal

    wrong, verified = [], 0
    try:
        with Journal.open(place, create=False) as journal:
            verified = journal.verify()
    except JournalBroken as error:
        wrong.append(f"the journal is damaged: {error}")
    with closing(ReadOnlyJournal(place)) as reader:
        events, leases = reader.events(), leases_of(reader)
        outcomes = {row.id: outcome_of(reader, row.id) for row in rows}
    intents = {e.key: (e.cycle_id, e.body["phase"], e.body["symbol"]) for e in events if e.kind == "order_intended"}
    sent = Counter(str(order["client_order_id"]) for order in orders)
    purposes = Counter(intents[name] for name in sent if name in intents)
    owners: dict[str, list[str]] = {row.id: [] for row in rows}
    strangers, holding = [], ""
    for event in events:
        if event.kind == KIND:
            holding = str(event.body["host"])
        elif event.kind == "cycle_started" and event.cycle_id is not None:
            owner = str(event.body["holder"]).rpartition(":")[0]
            owners.setdefault(event.cycle_id, []).append(owner)
            if owner != holding:
                strangers.append(event.cycle_id)
    listed: list[dict[str, Any]] = []
    traded = Counter(cycle for cycle, _, _ in (intents[name] for name in sent if name in intents))
    for row in rows:
        outcome = outcomes[row.id]
        listed.append(
            {"slot": row.id, "owners": owners[row.id], "outcome": outcome, "orders": traded[row.id],
             "events": list(row.events)}
        )  # fmt: skip
    lists: dict[str, list[str]] = {
        "sent_twice": [name for name, count in sent.items() if count > 1],
        "intents_with_two_orders": [" ".join(map(str, purpose)) for purpose, count in purposes.items() if count > 1],
        "not_in_journal": [name for name in sent if name not in intents],
        "slots_with_two_owners": [name for name, found in owners.items() if len(found) > 1],
        "slots_of_another_holder": strangers,
        "slots_without_record": [one["slot"] for one in listed if one["outcome"] is None],
    }
    words = {
        "sent_twice": "order stands twice at the exchange",
        "intents_with_two_orders": "intent has two orders",
        "not_in_journal": "order is not in the journal",
        "slots_with_two_owners": "slot has two owners",
        "slots_of_another_holder": "slot was begun by a host without the lease",
        "slots_without_record": "slot has neither an owner nor a recorded miss",
    }
    wrong += [f"{words[name]}: {one}" for name, found in lists.items() for one in found]
    missed = [one["slot"] for one in listed if one["outcome"] in MISSED]
    return DrillFindings(
        tuple(listed), leases, verified, len(orders), slots_missed=missed, wrong=wrong, **lists
    )  # fmt: skip


def outcome_of(journal: ReadOnlyJournal, slot: str) -> str | None:
    newest = journal.latest_events(1)
    found = journal.slots(newest[0].account_id, [slot]).get(slot) if newest else None
    return None if found is None or found[1] is None else str(found[1])


def in_words(found: DrillFindings) -> str:
    lines = [
        "",
        f"slots     {len(found.slots)}: two owners {len(found.slots_with_two_owners)}, "
        f"begun without the lease {len(found.slots_of_another_holder)},",
        f"          without a record {len(found.slots_without_record)}, recorded as missed {len(found.slots_missed)}",
        f"orders    {found.orders} at the exchange: twice {len(found.sent_twice)}, "
        f"not in the journal {len(found.not_in_journal)},",
        f"          two for one intent {len(found.intents_with_two_orders)}",
        f"lease     taken {len(found.held)} times",
        f"journal   {found.rows} rows, {'chain intact' if found.rows else 'damaged'}",
        *(f"wrong: {one}" for one in found.wrong),
        "" if found.wrong else "nothing is wrong",
    ]
    return "\n".join(lines).rstrip() + "\n"
