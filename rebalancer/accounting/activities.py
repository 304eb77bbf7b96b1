"""Account activities: read from the broker, classified, and kept in the journal, each once.

The journal has one `activity` event per activity, keyed by the broker's id, with its body as read, and one
`activities_read` event per reading. Activities that existed before this journal's first reading are kept as well, but
they explain no difference and change no reference value: their effects are already in the initial account.

What an activity does is known from its type alone. A type that is not in these lists is a word whose meaning nobody has
told this program: it explains nothing and is counted as nothing, its symbol is frozen, and a person is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.brokers.protocol import Activity, BrokerFill, ReadBroker
from rebalancer.core.facts import Explanation
from rebalancer.core.new_york import NEW_YORK, day_in_new_york, from_new_york
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import decimal_of, time_text
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.journal import Journal
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import DRY_RUN

LOOK_BACK_FIRST: Final = timedelta(days=10)
LOOK_BACK: Final = timedelta(days=3)  # an activity may be listed days after its date
FLOWS: Final = frozenset({"CSD", "CSW", "TRANS", "JNL", "JNLC", "ACATC", "MEM"})
IN_KIND: Final = frozenset({"ACATS", "JNLS", "FOPT", "OCT"})  # transfers of shares or coins without payment
COIN_FEE: Final = "CFEE"  # taken at the fill, listed at the end of the UTC day
FEES: Final = frozenset({"FEE", COIN_FEE, "DIVFEE", "PTC"})
MOVES: Final = IN_KIND | {  # share quantity changes
    "SPLIT", "SPIN", "MA", "NC", "REORG", "REO", "SC", "SSO", "SSP", "PTR", "VOF",
}  # fmt: skip
INTEREST: Final = frozenset({"INT", "INTNRA", "INTTW", "FI"})
DIVIDENDS: Final = frozenset(
    {"DIV", "DIVCGL", "DIVCGS", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX", "DIVWH", "CGD", "ROC"}
)
_OTHERS: Final = frozenset(  # their amount is cash, and without one their quantity is shares
    {
        "CIL", "MISC", "WH", "WRM", "EXTRD", "FXTRD", "INTPNL", "SWP", "OPASN", "OPCA", "OPCSH", "OPEXC", "OPEXP",
        "OPTRD",
    }
)  # fmt: skip
KNOWN: Final = FLOWS | FEES | MOVES | INTEREST | DIVIDENDS | _OTHERS
UNKNOWN_ACTIVITY: Final = "unknown_activity"  # the journal's event, by the activity's id: its type and symbol
UNKNOWN_WORD: Final = "unknown_word"  # the alert
_FROZEN_AT_MOST: Final = timedelta(days=3)
_STAMP_DIGITS: Final = 17  # an id begins with New York time to the millisecond: 20261120101500123::...


class ActivitiesRead(NamedTuple):
    """One reading of the broker's list. `new` are the ids that the journal does not have yet; `is_first` marks the
    journal's first reading."""

    at: datetime
    fills: tuple[BrokerFill, ...]
    others: tuple[Activity, ...]
    new: frozenset[str]
    is_first: bool

    @property
    def every(self) -> tuple[BrokerFill | Activity, ...]:
        """All activities, fills and others."""
        return (*self.fills, *self.others)


def last_read(journal: JournalReads, account_id: str) -> datetime | None:
    """When the activities were last read."""
    found = journal.recall(account_id, "activities_read", last=1)
    return found[0].at if found else None


def read_activities(
    broker: ReadBroker, journal: JournalReads, account_id: str, now: datetime, since: datetime | None = None
) -> ActivitiesRead:
    """Read the latest activities, from `since` on if that is earlier. Writes nothing. Raises BrokerUnavailable."""
    before = last_read(journal, account_id)
    start = now - LOOK_BACK_FIRST if before is None else before - LOOK_BACK
    fills, others = broker.activities(start if since is None else min(start, since))
    ids = {fill.id for fill in fills} | {one.id for one in others}
    known = {event.key for event in journal.recall(account_id, "activity", keys=ids)}
    return ActivitiesRead(now, fills, others, frozenset(ids - known), before is None)


def used_activities(journal: JournalReads, account_id: str, read: ActivitiesRead) -> frozenset[str]:
    """The ids that can no longer explain a difference, because they already did or precede the first reading.
    Explanations made by a dry run or by a cycle that crashed do not count."""
    explained = journal.recall(account_id, "explained", since=read.at - LOOK_BACK_FIRST)
    used = {e.key or "" for e in explained if _is_in_the_books(journal, account_id, e.cycle_id)}
    readings = journal.recall(account_id, "activities_read")
    began = readings[0].at if readings else read.at
    used |= {fill.id for fill in read.fills if fill.at <= began}
    return frozenset(used | {one.id for one in read.others if moment_of(one) <= began})


def _is_in_the_books(journal: JournalReads, account_id: str, cycle_id: str | None) -> bool:
    cycle = journal.cycle(cycle_id or "", account_id)
    return cycle is not None and cycle.mode != DRY_RUN and cycle.outcome not in (None, CycleOutcome.ABANDONED)


def note_activities(
    journal: Journal,
    account_id: str,
    cycle_id: str | None,
    read: ActivitiesRead,
    explanations: Iterable[Explanation],
    prices: Mapping[str, Decimal],
) -> None:
    """Record new activities, the money flows they caused, and which activities explained a position difference."""
    rows: list[tuple[str, str, Mapping[str, object]]] = []
    for one in read.every:
        if one.id not in read.new:
            continue
        rows.append(("activity", one.id, body_of(one)))
        if isinstance(one, Activity) and not is_known(one):
            rows += _unknown_rows(one)
        amount = flow_of(one, prices) if isinstance(one, Activity) and not read.is_first else Decimal(0)
        if amount != 0 and isinstance(one, Activity):
            rows.append(row_of_flow(one, amount))
    listed = {one.id for one in read.every}
    rows += [("explained", e.reference, {"symbol": e.symbol}) for e in explanations if e.reference in listed]
    rows.append(("activities_read", "", {"new": len(read.new), "first": read.is_first}))
    journal.record_events(account_id, cycle_id, read.at, rows)


def is_known(activity: Activity) -> bool:
    """Whether its type is a word that this program knows."""
    return activity.type in KNOWN


def unknown_activities(journal: JournalReads, account_id: str, now: datetime) -> dict[str, str]:
    """The symbols that activities of unknown types have frozen, with the words.

    A symbol stays frozen until the books of a later day than that of the first reading are closed, at most three days,
    or until a person accepts the broker's positions. Then positions and cash show what the activity has done.
    """
    closed, accepted = (journal.recall(account_id, kind, last=1) for kind in ("day_closed", "books_accepted"))
    last_closed, after = (closed[0].key or "") if closed else "", accepted[0].seq if accepted else 0
    return {
        str(event.body["symbol"]): unknown_words(str(event.body["type"]), event.key or "")
        for event in journal.recall(account_id, UNKNOWN_ACTIVITY, since=now - _FROZEN_AT_MOST)
        if event.seq > after
        and event.body["symbol"] is not None
        and last_closed <= day_in_new_york(event.at).isoformat()
    }


def unknown_words(kind: str, identity: str) -> str:
    """How an activity of an unknown type is told."""
    return f'activity {identity} is of type "{kind}"'


def _unknown_rows(one: Activity) -> list[tuple[str, str, Mapping[str, object]]]:
    about = one.symbol or "the account"
    said = f"{unknown_words(one.type, one.id)}, which this program does not know: it is counted as nothing"
    frozen = f"; {about} is not traded until the books of the next day are closed" if one.symbol else ""
    return [
        (UNKNOWN_ACTIVITY, one.id, {"type": one.type, "symbol": one.symbol}),
        alert_row(f"{about} {one.id}", "action", UNKNOWN_WORD, f"{about}: {said}{frozen}", symbol=one.symbol or ""),
    ]


def flow_of(activity: Activity, prices: Mapping[str, Decimal]) -> Decimal:
    """USD that came in (+) or went out (-) without being profit or loss. In-kind shares count at their price or, where
    that is unknown, at the activity's amount, which is never cash and takes the sign of the shares."""
    if activity.type in FLOWS:
        return activity.amount
    if activity.type not in IN_KIND or activity.qty == 0:
        return Decimal(0)
    price = prices.get(activity.symbol or "", Decimal(0))
    return activity.qty * price if price else abs(activity.amount).copy_sign(activity.qty)


def values_in_kind(journal: Journal, account_id: str) -> dict[str, Decimal]:
    """The value of in-kind shares when they were recorded: signed USD, by activity."""
    rows = journal.recall(account_id, "flow")
    return {row.key or "": decimal_of(row.body["amount"]) for row in rows if row.body["type"] in IN_KIND}


def row_of_flow(activity: Activity, amount: Decimal) -> tuple[str, str, Mapping[str, object]]:
    """The journal's `flow` event of one activity: kind, key and body."""
    moment = time_text(moment_of(activity))
    return ("flow", activity.id, {"type": activity.type, "amount": amount, "moment": moment})


def moves_shares(activity: Activity) -> bool:
    """Whether its quantity changes the position, as far as is known. Cash dividends and fees only state the shares they
    relate to; a coin fee is taken at the fill and reported later."""
    if not is_known(activity) or activity.qty == 0 or activity.symbol is None or activity.type in FEES | INTEREST:
        return False
    return activity.type in MOVES or activity.amount == 0


def moment_of(activity: Activity) -> datetime:
    """When it happened: the time in its id if there is one, else midnight in New York at the start of its day."""
    digits = activity.id[:_STAMP_DIGITS]
    if len(digits) == _STAMP_DIGITS and digits.isdigit() and digits[8:] != "000000000":
        try:
            local = datetime.strptime(digits + "000", "%Y%m%d%H%M%S%f")  # noqa: DTZ007 - the zone follows
        except ValueError:
            pass
        else:
            return local.replace(tzinfo=NEW_YORK).astimezone(UTC)
    return from_new_york(activity.on, time(0))


def body_of(one: BrokerFill | Activity) -> dict[str, object]:
    """An activity as the body of its journal event."""
    if isinstance(one, BrokerFill):
        return {
            "type": "FILL", "order_id": one.order_id, "symbol": one.symbol, "qty": one.qty, "price": one.price,
            "at": time_text(one.at),
        }  # fmt: skip
    return {
        "type": one.type, "symbol": one.symbol, "qty": one.qty, "amount": one.amount, "on": one.on.isoformat(),
        "at": time_text(moment_of(one)),
    }  # fmt: skip
