"""Adopt our own orders that the broker has and the journal lacks, because an older copy was restored or it is new.

1. Reading the orders finds them: nothing is sent, and their ids are recorded (`note_unknown`).
2. A person accepts exactly those ids (`acceptance.accept_books`); another one that appears later stops trading again.
   If a person declares the journal new before any such id was recorded, it accepts what the broker lists at its first
   start.
3. The next start writes them to the journal as orders of a separate cycle, follows them to their final states, and
   closes that cycle with the broker's positions. From then on they are ordinary orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from rebalancer.accounting.opening_balance import note_opening_balance
from rebalancer.brokers.protocol import LOOK_BACK, BrokerOrder, ReadBroker
from rebalancer.core.codec import canonical, sha256
from rebalancer.core.errors import AnotherProgram
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import ZERO
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.journal import Journal
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import CycleEnd, CycleStart, Intent
from rebalancer.planning.build_order import ID_PREFIX

KIND: Final = "unknown_orders"  # body: {"orders": [client order ids]}
ACCEPTED: Final = "books_accepted"  # an event kind; for account `NOBODY`, a person declared the journal new
NOBODY: Final = ""  # the account id of a new journal, which does not know its account yet
FIRST: Final = "first"
RESTORED: Final = "restored"
FIRST_LOOK_BACK: Final = timedelta(days=7)  # how far a journal without any cycle looks for orders of an earlier one
INSTANT: Final = timedelta(microseconds=1)
PREFIX: Final = "adopted"  # prefix of the ids of adoption cycles
REASON: Final = "adopted"
SHOWN: Final = 5
SECOND: Final = timedelta(seconds=1)


class UnknownOrders(AnotherProgram):
    """The broker has orders with our id prefix that are not in this journal."""

    def __init__(self, client_order_ids: Sequence[str]) -> None:
        self.orders = tuple(client_order_ids)
        first, count = self.orders[0], len(self.orders)
        self.words = f"the broker has order {first}, which carries our prefix but is not in this journal"
        named = ", ".join(self.orders[:SHOWN]) + (", ..." if count > SHOWN else "")
        every = f"\n  {count} orders are missing here: {named}" if count > 1 else ""
        super().__init__(
            f"{self.words}{every}\n"
            "  hint: this journal is an old copy, or another copy of this program trades this account. Stop the other "
            "one; bring the newest journal back (rebalancer db restore FILE --reason 'why'); only when this journal is "
            "to go on with these orders as its own: rebalancer resume --reason 'why'"
        )


def note_unknown(journal: Journal, account_id: str, at: datetime, error: UnknownOrders) -> None:
    """Record the orders that stopped trading, for a person to accept; the same set is not recorded twice in a row."""
    if account_id and _noted(journal, account_id) != error.orders:
        journal.record_event(account_id, None, at, KIND, None, {"orders": list(error.orders)})


def waiting_for_a_person(journal: JournalReads, account_id: str) -> tuple[str, ...]:
    """The orders that stopped the last run and that nobody has accepted yet."""
    named = _noted(journal, account_id)
    known = {*journal.orders(named), *accepted_orders(journal, account_id)}
    return tuple(name for name in named if name not in known)


def _noted(journal: JournalReads, account_id: str) -> tuple[str, ...]:
    """The orders last recorded by `note_unknown`; none if a cycle has ended since, because they no longer block."""
    last, ended = (journal.recall(account_id, kind, last=1) for kind in (KIND, "cycle_ended"))
    if not last or (ended and ended[-1].seq > last[-1].seq):
        return ()
    return tuple(str(name) for name in last[-1].body["orders"])


def named_to_a_new_journal(journal: Journal) -> tuple[str, ...]:
    """The orders that stopped the first run of a journal that has no cycle yet."""
    notes = journal.events(kind=KIND)
    return waiting_for_a_person(journal, notes[-1].account_id) if notes else ()


def accepted_orders(journal: JournalReads, account_id: str) -> frozenset[str]:
    """Every order that a person has ever accepted as ours."""
    found = (*journal.recall(NOBODY, ACCEPTED), *journal.recall(account_id, ACCEPTED))
    return frozenset(str(name) for event in found for name in event.body.get("orders", ()))


def takes_all(journal: JournalReads) -> bool:
    """Whether a person declared this journal new before any order of an earlier one was recorded."""
    return any("orders" not in event.body for event in journal.recall(NOBODY, ACCEPTED, keys=[FIRST]))


def lacks_orders(journal: JournalReads, account_id: str) -> bool:
    """Whether the journal lacks, or may lack, an order that a person has accepted."""
    if takes_all(journal) and journal.last_end(account_id) is None:
        return True
    accepted = accepted_orders(journal, account_id)
    return len(journal.orders(accepted)) < len(accepted)


def missing_orders(journal: Journal, broker: ReadBroker, account_id: str) -> tuple[BrokerOrder, ...]:
    """The accepted orders that the journal still lacks, as the broker has them, oldest first. A journal declared new
    before any order was recorded first records what the broker lists: orders that appear later are not accepted."""
    listed: dict[str, BrokerOrder] | None = None
    if takes_all(journal) and journal.last_end(account_id) is None:
        listed = listed_orders(journal, broker, account_id)
        names = sorted(name for name in listed if name.startswith(ID_PREFIX))
        if not set(names) <= accepted_orders(journal, account_id):
            said = {"because": "this journal begins anew", "orders": names}
            journal.record_event(account_id, None, broker.now(), ACCEPTED, RESTORED, said)
    accepted = accepted_orders(journal, account_id)
    wanted = accepted - set(journal.orders(accepted))
    if not wanted:
        return ()
    listed = listed_orders(journal, broker, account_id) if listed is None else listed
    found = [listed.get(name) or broker.find_order(name) for name in sorted(wanted)]
    return tuple(sorted((o for o in found if o is not None), key=lambda o: (o.submitted_at, o.client_order_id)))


def listed_orders(journal: Journal, broker: ReadBroker, account_id: str) -> dict[str, BrokerOrder]:
    """The broker's orders since the last cycle, by our id; without a cycle, those of the last days and all that are
    still open."""
    last = journal.last_end(account_id)
    after = last.orders_after if last is not None else None
    if after is None:
        working = broker.orders(None)
        after = min([broker.now() - FIRST_LOOK_BACK, *(o.submitted_at - INSTANT for o in working)])
    return {o.client_order_id: o for o in broker.orders(after)}


def begin_adoption(journal: Journal, start: CycleStart, orders: Sequence[BrokerOrder]) -> str:
    """Record the orders in a separate cycle, and return its id, which replaces the cycle id of `start`.

    They count towards the day on which they were submitted.
    """
    moment = start.at
    while journal.cycle(name := f"{PREFIX}-{moment:%Y-%m-%dT%H:%M:%SZ}", start.account_id) is not None:
        moment += SECOND
    journal.begin_cycle(start._replace(cycle_id=name))
    journal.record_intents(start.account_id, [_intent(order, name) for order in orders])
    for order in orders:
        said = f"adopted, since this journal lacked it: the broker says {order.status}"
        journal.record_order(
            start.account_id, order.client_order_id, start.at, order.state, order.filled_qty, order.filled_avg_price,
            order.id, REASON, said,
        )  # fmt: skip
    return name


def end_adoption(journal: Journal, broker: ReadBroker, account_id: str, cycle_id: str) -> None:
    """Close that cycle with the account as the broker reports it: its positions become the expected ones."""
    last = journal.last_end(account_id)
    listed = listed_orders(journal, broker, account_id).values()
    positions, account = broker.positions(), broker.account()
    now = broker.now()
    mine = journal.orders_of(cycle_id, account_id)
    fills = dict(last.fills_seen) if last is not None else {}
    fills |= {o.id: o.filled_qty for o in listed}
    fills |= {o.broker_id: o.filled_qty for o in mine if o.broker_id is not None}
    working = [o.submitted_at - INSTANT for o in listed if not o.state.is_final]
    taken = "the broker's positions taken as they are"
    said = f"{len(mine)} orders that this journal lacked were written into it, and {taken}"
    journal.record_event(account_id, cycle_id, now, *alert_row(REASON, "warning", REASON, said))
    after, held = min([now - LOOK_BACK, *working]), {p.symbol: p.qty for p in positions if p.qty != ZERO}
    note_opening_balance(journal, account_id, cycle_id, now, held, fills, after)
    journal.close_cycle(
        CycleEnd(
            account_id=account_id,
            cycle_id=cycle_id,
            at=now,
            outcome=CycleOutcome.COMPLETED,
            because=f"{len(mine)} orders adopted that this journal lacked",
            expected_positions=held,
            unexplained={},
            orders_after=after,
            fills_seen=fills,
            equity=account.equity,
            positions_trusted=True,
        ),
        (),
        carried=[o.client_order_id for o in mine if not o.state.is_final],
    )


def _intent(order: BrokerOrder, cycle_id: str) -> Intent:
    """The intent reconstructed from the broker's order. What only we knew of it, such as its phase, is lost."""
    qty = order.qty if order.qty is not None else order.filled_qty
    body = canonical(
        {
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "side": order.side,
            "qty": qty,
            "type": order.type,
            "limit_price": order.limit_price,
            "adopted": True,
        }
    )
    return Intent(
        order.client_order_id, cycle_id, "reduce" if order.side == "sell" else "increase", order.symbol, order.side,
        qty, sha256(body), body, order.submitted_at,
    )  # fmt: skip
