"""Exit pairs as the journal and the broker know them: the pre-trade check's own reading before a new pair is sent.

The journal holds one `protection` record per step of a pair; the newest record of each pair counts. The two orders of a
pair can sell the shares only once, so they count once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.brokers.protocol import BrokerOrder, TradingBroker
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused, WrongAccount
from rebalancer.core.facts import Quote
from rebalancer.core.values import ZERO, Side, decimal_of, utc_of
from rebalancer.execution.pretrade.attempts import Attempt
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import Event

KIND: Final = "protection"
NO_ANSWER: Final = (BrokerUnavailable, CredentialsRefused, WrongAccount)


class PairAttempt(NamedTuple):
    """One pair as the journal knows it. `qty` is unsigned; `seq` is that of its first record here, `steps` the number
    of its records; `left` is False once it is certain that it never left this machine."""

    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    stop: Decimal
    target: Decimal
    at: datetime
    state: str
    ids: tuple[str, ...]
    seq: int
    steps: int
    left: bool
    stop_limit: Decimal | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the broker may or may not have it."""
        return self.state in ("intended", "unknown")


class PairReading(NamedTuple):
    """The account as read for pairs. `why` says why it could not be read, "" when it was; `attempts` are the orders as
    the journal knew them at that time."""

    at: datetime
    why: str = ""
    positions: Mapping[str, Decimal] = {}
    working: tuple[BrokerOrder, ...] = ()
    quotes: Mapping[str, Quote] = {}
    attempts: Mapping[str, Attempt] = {}


def read_pairs(journal: Journal, account_id: str, since: datetime) -> dict[str, PairAttempt]:
    """The newest pair of every symbol, and every pair with a record since a moment, by id."""
    return _folded((*journal.newest_of_each(KIND, account_id), *journal.recall(account_id, KIND, since=since)))


def recent_pairs(journal: Journal, account_id: str, since: datetime) -> tuple[PairAttempt, ...]:
    """Every pair with a record since a moment."""
    return tuple(_folded(journal.recall(account_id, KIND, since=since)).values())


def pairs_since(journal: Journal, account_id: str, symbol: str, seq: int) -> frozenset[str]:
    """The ids of the pairs of a symbol that were intended after a row of the journal and left, or may have."""
    events = journal.recall(account_id, KIND, keys=[symbol], after=seq)
    begun = {str(event.body["id"]) for event in events if event.body["state"] == "intended"}
    return frozenset(one.client_order_id for one in _folded(events).values() if one.left) & begun


def _folded(events: Sequence[Event]) -> dict[str, PairAttempt]:
    by_seq = {event.seq: event for event in events}
    found: dict[str, PairAttempt] = {}
    for seq in sorted(by_seq):
        one = _attempt(by_seq[seq])
        before = found.get(one.client_order_id)
        found[one.client_order_id] = one if before is None else one._replace(seq=before.seq, steps=before.steps + 1)
    return found


def read_account(broker: TradingBroker, symbol: str, attempts: Mapping[str, Attempt]) -> PairReading:
    """Read positions, working orders and the quotes of all positions. A quote that cannot be read is treated as
    unknown; any other failure is described in `why`."""
    at = broker.now()
    try:
        held: dict[str, Decimal] = {}
        for position in broker.positions():
            held[position.symbol] = held.get(position.symbol, ZERO) + position.qty
        working = tuple(order for order in broker.orders(None) if not order.state.is_final)
    except NO_ANSWER as error:
        return PairReading(at, str(error))
    try:
        quotes = broker.quotes(sorted({symbol, *held}))
    except NO_ANSWER:
        quotes = ()
    return PairReading(at, "", held, working, {q.symbol: q for q in quotes}, attempts)


def held_now(reading: PairReading, symbol: str, attempts: Iterable[Attempt]) -> Decimal:
    """Signed shares held: what was read, less what our orders have reduced since. What they have added since does not
    count: only shares that the broker has reported are protected."""
    held = reading.positions.get(symbol, ZERO)
    for one in attempts:
        if one.symbol == symbol:
            before = reading.attempts.get(one.client_order_id)
            moved = one.signed_filled - (before.signed_filled if before is not None else ZERO)
            held += moved if moved * held < 0 else ZERO
    return held


def promised(
    reading: PairReading, symbol: str, side: Side, attempts: Iterable[Attempt], pairs: Sequence[PairAttempt]
) -> Decimal:
    """Unsigned shares that other orders may still take on this side; NaN where an order has no quantity."""
    groups = {order_id: one.client_order_id for one in pairs for order_id in one.ids}
    groups |= {leg: groups.get(order.id, order.id) for order in reading.working for leg in order.legs}
    at_rest: dict[str, Decimal] = {}
    listed = set()
    for order in reading.working:
        listed.add(order.client_order_id)
        if (order.symbol, order.side) == (symbol, side):
            group = groups.get(order.id, order.id)
            left = Decimal("NaN") if order.qty is None else max(order.qty - order.filled_qty, ZERO)
            at_rest[group] = _more(at_rest.get(group, ZERO), left)
    mine = [one for one in attempts if (one.symbol, one.side) == (symbol, side)]
    doubtful = [one for one in pairs if one.in_doubt and (one.symbol, one.side) == (symbol, side)]
    return (
        sum(at_rest.values(), ZERO)
        + sum((one.may_fill for one in mine if one.client_order_id not in listed), ZERO)
        + sum((one.qty for one in doubtful if one.client_order_id not in listed), ZERO)
    )


def _more(one: Decimal, other: Decimal) -> Decimal:
    return one + other if one.is_nan() or other.is_nan() else max(one, other)


def _attempt(event: Event) -> PairAttempt:
    body = event.body
    qty = decimal_of(body["qty"])
    return PairAttempt(
        body["id"],
        event.key or "",
        "sell" if qty > 0 else "buy",
        abs(qty),
        decimal_of(body["stop"]),
        decimal_of(body["target"]),
        utc_of(body["intended_at"]),
        body["state"],
        tuple(body["ids"]),
        event.seq,
        1,
        body.get("sent", True),
        None if body.get("stop_limit") is None else decimal_of(body["stop_limit"]),
    )
