"""The tracked state of each order of one phase; what one call, or one batch of posts, has shown is journalled at once.

An order whose post had no clear answer, or was refused, is looked up by our own id. A refusal applies to that attempt
only: we post each id once, but the network may deliver a request twice, and another copy of this program computes the
same ids. An order found under our id with the same content is ours and is adopted; one with different content belongs
to another program.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

from rebalancer.brokers.protocol import BrokerOrder, ReadBroker, SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.errors import AnotherProgram, BrokerUnavailable, CredentialsRefused, WrongAccount
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because, stated
from rebalancer.core.values import ZERO, decimal_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.orders import Change
from rebalancer.journal.records import OrderRecord
from rebalancer.planning.verdicts import OrderEnd

KEY_REFUSED: Final = ("auth", "unauthorized")  # a refusal of the key, not of the order: nothing more is sent with it
DUPLICATE: Final = "duplicate_id"  # the broker's reason when an order with this id exists already
NO_INFORMATION: Final = (BrokerUnavailable, CredentialsRefused, WrongAccount)  # it says nothing about an order


class TrackedOrders:
    """The orders of one phase. `working` have not ended as far as we know; `known` are those of them that the broker
    has shown. `doubled` names an order that was at the broker before we posted it; `stranger` describes an order with
    other content under one of our ids; both are normally ""."""

    def __init__(self, account_id: str, journal: Journal, broker: ReadBroker, orders: Sequence[Order]) -> None:
        self._account_id, self._journal, self._broker = account_id, journal, broker
        self._orders = {o.client_order_id: o for o in orders}
        self._ends: dict[str, OrderEnd] = {}
        self._broker_ids: dict[str, str] = {}
        self.working: set[str] = set()
        self._unwritten: list[tuple[str, Change]] = []
        self.doubled, self.stranger = "", ""

    @property
    def known(self) -> list[str]:
        """The broker's ids of the orders that are still working."""
        return [self._broker_ids[name] for name in sorted(self.working) if name in self._broker_ids]

    def posted(self, answers: Sequence[tuple[Order, SendResult]]) -> None:
        """Record the answers to some posts; a refusal is followed by one look-up."""
        with self._written():
            for order, result in answers:
                self._posted(order, result)

    def _posted(self, order: Order, result: SendResult) -> None:
        name, placed = order.client_order_id, result.order
        if result.kind == "accepted" and placed is not None:
            self._note(name, placed, result.reason, stated(result.message))
            return
        said = stated(result.reason)
        if result.message:
            said = because(ReasonCode.ANSWERED, code=result.reason, text=result.message)
        if result.reason == DUPLICATE:
            self.doubled = name
        if result.reason == DUPLICATE or (result.kind == "refused" and result.reason not in KEY_REFUSED):
            # Without an answer the refusal stands: an order that turns up later under this id is adopted with an alert.
            found = self._find(name)
            if found is not None:
                self.doubled = name if found.state is not OrderState.REFUSED else self.doubled
                self._adopt(name, found, said)
                return
        state = {"refused": OrderState.REFUSED, "not_sent": OrderState.NOT_SENT}.get(result.kind, OrderState.UNKNOWN)
        self._book(name, state, ZERO, None, None, result.reason, said)

    def not_sent(self, order: Order, why: Reasons) -> None:
        """Record that an order will not be posted."""
        with self._written():
            self._book(order.client_order_id, OrderState.NOT_SENT, ZERO, None, None, "stopped", why)

    def seen(self, orders: Sequence[BrokerOrder]) -> None:
        """Record one reading of all orders."""
        with self._written():
            for order in orders:
                name = order.client_order_id
                if name not in self.working:
                    continue
                if name in self._broker_ids:
                    self._note(name, order, "", NOTHING)
                else:
                    self._adopt(name, order, NOTHING)

    def look_up_unknown(self) -> None:
        """Look up each order whose post had no clear answer, by our own id. "Not found" is not conclusive yet."""
        with self._written():
            for name in sorted(n for n in self.working if n not in self._broker_ids):
                found = self._find(name)
                if found is not None:
                    self._adopt(name, found, because(ReasonCode.FOUND_BY_ID))

    def ends(self) -> Mapping[str, OrderEnd]:
        """The current end state of each order."""
        return dict(self._ends)

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Write all changes of the block to the journal, in one transaction."""
        try:
            yield
        finally:
            changes, self._unwritten = self._unwritten, []
            if changes:
                self._journal.record_orders(self._account_id, changes)

    def _find(self, name: str) -> BrokerOrder | None:
        try:
            return self._broker.find_order(name)
        except NO_INFORMATION:
            return None

    def _adopt(self, name: str, order: BrokerOrder, message: Reasons) -> None:
        """Adopt an order found under our id as ours, unless its content differs."""
        try:
            refuse_another(self._orders[name], order, whole=True)
        except AnotherProgram as error:
            self.stranger = str(error)
            self._book(name, OrderState.UNKNOWN, ZERO, None, None, DUPLICATE, because(ReasonCode.ANOTHER_UNDER_ID))
            self.working.discard(name)  # do not wait for it: the phase ends without it
            return
        self._note(name, order, DUPLICATE if self.doubled == name else "", message)

    def _note(self, name: str, order: BrokerOrder, reason: str, message: Reasons) -> None:
        before = self._ends.get(name)
        refuse_another(self._orders[name], order, whole=False)
        self._broker_ids[name] = order.id
        if before is not None and (before.state, before.filled_qty) == (order.state, order.filled_qty):
            return
        if before is not None and order.filled_qty < before.filled_qty:
            return  # older than the last reading
        if not message and order.state is not OrderState.FILLED:
            message = because(ReasonCode.BROKER_STATE, state=order.status)
        self._book(name, order.state, order.filled_qty, order.filled_avg_price, order.id, reason, message)

    def _book(
        self,
        name: str,
        state: OrderState,
        filled: Decimal,
        price: Decimal | None,
        broker_id: str | None,
        reason: str,
        message: Reasons,
    ) -> None:
        change = Change(self._broker.now(), state, filled, price, broker_id, reason, str(message))
        self._unwritten.append((name, change))
        self._ends[name] = OrderEnd(name, state, filled, price, message)
        (self.working.discard if state.is_final else self.working.add)(name)


def refuse_another(ours: Order | OrderRecord, found: BrokerOrder, *, whole: bool) -> None:
    """Raise AnotherProgram when the broker's order under our id is not the one that we recorded.

    whole: compare type and limit as well, for an order that is found by its id for the first time and may be a
    different one.
    """
    if isinstance(ours, Order):
        kind, limit = ours.type, ours.limit_price
    else:
        body = json.loads(ours.body)
        kind, limit = body["type"], None if body["limit_price"] is None else decimal_of(body["limit_price"])
    theirs = (found.symbol, found.side, found.qty, found.type, found.limit_price)
    mine = (ours.symbol, ours.side, ours.qty, kind, limit)
    if theirs[:3] != mine[:3] or (whole and theirs != mine):
        raise AnotherProgram(
            f"the broker has {_described(*theirs)} under our order id {ours.client_order_id}, which this journal "
            f"knows as {_described(*mine)}\n  hint: another copy of this program trades this account; stop it"
        )


def _described(symbol: str, side: str, qty: Decimal | None, kind: str, limit: Decimal | None) -> str:
    """The content of an order in words."""
    return f"{side} {qty} {symbol} ({kind}{'' if limit is None else f' at {limit}'})"
