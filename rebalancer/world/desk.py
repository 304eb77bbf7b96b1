"""The trading desk: sends one phase of orders and stays until each has ended, or says that it does not know.

1. every intent is committed to the journal before the first byte leaves
2. the orders pass the gate and are posted, many at once, paced and bounded by the broker adapter
3. one call at a time asks for the state of all of them, until all have ended or the phase is over
4. what is still working is cancelled, and asked for again until the cancel is confirmed
5. an order whose post had no clear answer is looked for by our own id; unless the broker knows it, it stays UNKNOWN

Nothing is ever posted twice: an UNKNOWN order is the next cycle's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from rebalancer.decide.settle import OrderEnd
from rebalancer.decisions import Order
from rebalancer.documents import canonical, sha256
from rebalancer.facts import Account, Snapshot
from rebalancer.outcomes import OrderState
from rebalancer.rules import Rules
from rebalancer.values import ZERO, decimal_of
from rebalancer.world.clock import Clock
from rebalancer.world.gate import Gate, readings_of
from rebalancer.world.journal.journal import Journal
from rebalancer.world.journal.records import Intent, OrderRecord
from rebalancer.world.kill import KillSwitch
from rebalancer.world.ports import (
    Broker,
    BrokerOrder,
    BrokerUnavailable,
    CredentialsRefused,
    JournalBroken,
    ReadBroker,
    SendResult,
    WrongAccount,
)

LOOK_BACK: Final = timedelta(seconds=5)  # the broker's clock is known to a second only
KEY_REFUSED: Final = ("auth", "unauthorized")  # a refusal of the key, not of the order: nothing more is sent with it
WAIT_FIRST_SECONDS: Final = 0.05
WAIT_MOST_SECONDS: Final = 1.0
NOTHING_TOLD: Final = (BrokerUnavailable, CredentialsRefused, WrongAccount)  # a read that says nothing about an order


class Left(NamedTuple):
    """What phase one really left: the account as read again, and the signed shares that it traded per symbol."""

    account: Account
    traded: Mapping[str, Decimal]


class Desk(Protocol):
    """Where orders go. A dry run has a desk that sends nothing."""

    def seen(self, snapshot: Snapshot) -> None:
        """Hand over what this cycle has read, so that checking its orders costs no call. Before its first order."""
        ...

    def trade(self, cycle_id: str, orders: Sequence[Order]) -> Mapping[str, OrderEnd]:
        """Bring one phase to its end. Returns one end per order, by client order id."""
        ...

    def left(self, account: Account, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> Left:
        """What there is after the phase. Raises BrokerUnavailable when the account cannot be read."""
        ...


SpreadOut = Callable[[Callable[[Order], SendResult], Sequence[Order]], list[SendResult]]


class LiveDesk:
    """Sends to the broker, paper or live."""

    def __init__(
        self,
        account_id: str,
        broker: Broker,
        journal: Journal,
        kill: KillSwitch,
        clock: Clock,
        together: SpreadOut,
        rules: Rules,
        gate: Gate | None = None,
    ) -> None:
        """gate: None for the one that every cycle has; a flatten brings its own."""
        self._account_id, self._broker, self._journal = account_id, broker, journal
        self._clock, self._together, self._rules = clock, together, rules
        self._gate = gate or Gate(account_id, broker, journal, kill, rules)
        self._key_refused = ""

    def seen(self, snapshot: Snapshot) -> None:
        self._gate.take(readings_of(snapshot))

    def trade(self, cycle_id: str, orders: Sequence[Order]) -> Mapping[str, OrderEnd]:
        if not orders:
            return {}
        if self._key_refused:
            return {o.client_order_id: _unsent(o, f"the broker refused the key: {self._key_refused}") for o in orders}
        self._gate.prepare(cycle_id, orders)
        began = self._broker.now() - LOOK_BACK
        self._journal.record_intents(
            self._account_id, [_intent(order, cycle_id, self._broker.now()) for order in orders]
        )
        results = self._together(self._gate.submit, orders)
        watch = _Watch(self._account_id, self._journal, self._broker, orders)
        for order, result in zip(orders, results, strict=True):
            watch.posted(order, result)
            if result.kind == "refused" and result.reason in KEY_REFUSED:
                self._key_refused = result.message or result.reason
        self._await(watch, began, self._rules.execution.phase_timeout_seconds)
        if watch.working:
            for broker_id in watch.cancellable():
                self._cancel(broker_id)
            self._await(watch, began, self._rules.execution.cancel_timeout_seconds)
        watch.look_up_unknown()
        return watch.ends()

    def left(self, account: Account, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> Left:
        now = self._broker.account()
        return Left(now._replace(peak_equity=max(account.peak_equity, now.equity)), traded(orders, ends))

    def _await(self, watch: _Watch, began: datetime, seconds: float) -> None:
        """Ask for all orders in one call, again and again, until all have ended or the time is up."""
        deadline = self._clock.monotonic() + seconds
        pause = WAIT_FIRST_SECONDS
        while watch.working:
            try:
                watch.seen(self._broker.orders(began))
            except BrokerUnavailable:
                pause = WAIT_MOST_SECONDS  # no answer is no news: what is known stays as it is
            except NOTHING_TOLD:
                return  # asking again with a refused key helps nobody
            left = deadline - self._clock.monotonic()
            if not watch.working or left <= 0:
                return
            self._clock.wait(min(pause, left))
            pause = min(pause * 2, WAIT_MOST_SECONDS)

    def _cancel(self, broker_id: str) -> None:
        try:
            self._broker.cancel(broker_id)
        except NOTHING_TOLD:
            return  # whether it was cancelled is read from the order itself, never from this answer


class DryDesk:
    """Sends nothing. Phase two is shown as if phase one had filled at decision prices."""

    def __init__(self, broker: ReadBroker) -> None:
        self._broker = broker

    def seen(self, snapshot: Snapshot) -> None:
        del snapshot

    def trade(self, cycle_id: str, orders: Sequence[Order]) -> Mapping[str, OrderEnd]:
        del cycle_id
        return {
            o.client_order_id: OrderEnd(o.client_order_id, OrderState.WITHHELD, ZERO, None, "dry run") for o in orders
        }

    def left(self, account: Account, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> Left:
        del ends
        proceeds = sum((o.qty * o.price for o in orders if o.side == "sell"), ZERO)
        after = account._replace(cash=account.cash + proceeds, buying_power=account.buying_power + proceeds)
        return Left(after, {o.symbol: _signed(o, o.qty) for o in orders})


class _Watch:
    """What is known of each order of one phase; every change is journalled before it is believed."""

    def __init__(self, account_id: str, journal: Journal, broker: ReadBroker, orders: Sequence[Order]) -> None:
        self._account_id, self._journal, self._broker = account_id, journal, broker
        self._orders = {o.client_order_id: o for o in orders}
        self._ends: dict[str, OrderEnd] = {}
        self._broker_ids: dict[str, str] = {}
        self.working: set[str] = set()

    def posted(self, order: Order, result: SendResult) -> None:
        """Take in the answer to one post."""
        known = result.order
        if result.kind == "accepted" and known is not None:
            self._note(order.client_order_id, known, result.reason, result.message)
            return
        state = {"refused": OrderState.REFUSED, "not_sent": OrderState.NOT_SENT}.get(result.kind, OrderState.UNKNOWN)
        said = f"{result.reason}: {result.message}" if result.message else result.reason
        self._book(order.client_order_id, state, ZERO, None, None, result.reason, said)

    def seen(self, orders: Sequence[BrokerOrder]) -> None:
        """Take in one reading of all orders."""
        for order in orders:
            if order.client_order_id in self.working:
                self._note(order.client_order_id, order, "", "")

    def cancellable(self) -> list[str]:
        """The broker's ids of what is still working."""
        return [self._broker_ids[name] for name in sorted(self.working) if name in self._broker_ids]

    def look_up_unknown(self) -> None:
        """Ask for each order whose post had no clear answer, by our own id. Not found is not an answer yet."""
        for name in sorted(n for n in self.working if self._ends[n].state is OrderState.UNKNOWN):
            try:
                found = self._broker.find_order(name)
            except NOTHING_TOLD:
                continue
            if found is not None:
                self._note(name, found, "", "found by id")

    def ends(self) -> Mapping[str, OrderEnd]:
        """How each order stands."""
        return dict(self._ends)

    def _note(self, name: str, order: BrokerOrder, reason: str, message: str) -> None:
        before = self._ends.get(name)
        was_unknown = before is not None and name not in self._broker_ids
        refuse_another(self._orders[name], order, whole=was_unknown)
        self._broker_ids[name] = order.id
        if before is not None and (before.state, before.filled_qty) == (order.state, order.filled_qty):
            return
        if before is not None and order.filled_qty < before.filled_qty:
            return  # an older reading than the last one
        text = message or (f"the broker says {order.status}" if order.state is not OrderState.FILLED else "")
        self._book(name, order.state, order.filled_qty, order.filled_avg_price, order.id, reason, text)

    def _book(
        self,
        name: str,
        state: OrderState,
        filled: Decimal,
        price: Decimal | None,
        broker_id: str | None,
        reason: str,
        message: str,
    ) -> None:
        self._journal.record_order(
            self._account_id, name, self._broker.now(), state, filled, price, broker_id, reason, message
        )
        self._ends[name] = OrderEnd(name, state, filled, price, message)
        (self.working.discard if state.is_final else self.working.add)(name)


def refuse_another(ours: Order | OrderRecord, found: BrokerOrder, *, whole: bool) -> None:
    """Raise JournalBroken when the order that the broker has under our id is not the one that we wrote down.

    whole: compare type and limit too, when it is found by its id for the first time and may be another order.
    """
    if isinstance(ours, Order):
        kind, limit = ours.type, ours.limit_price
    else:
        body = json.loads(ours.body)
        kind, limit = body["type"], None if body["limit_price"] is None else decimal_of(body["limit_price"])
    theirs = (found.symbol, found.side, found.qty, found.type, found.limit_price)
    mine = (ours.symbol, ours.side, ours.qty, kind, limit)
    if theirs[:3] != mine[:3] or (whole and theirs != mine):
        raise JournalBroken(
            f"the broker has {_told(*theirs)} under our order id {ours.client_order_id}, which this journal knows as "
            f"{_told(*mine)}\n  hint: another copy of this program trades this account; stop it"
        )


def _told(symbol: str, side: str, qty: Decimal | None, kind: str, limit: Decimal | None) -> str:
    """An order's body in words."""
    return f"{side} {qty} {symbol} ({kind}{'' if limit is None else f' at {limit}'})"


def traded(orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> Mapping[str, Decimal]:
    """Signed shares per symbol that these orders are known to have traded."""
    found: dict[str, Decimal] = {}
    for order in orders:
        end = ends.get(order.client_order_id)
        if end is not None and end.filled_qty != 0:
            found[order.symbol] = found.get(order.symbol, ZERO) + _signed(order, end.filled_qty)
    return found


def _unsent(order: Order, why: str) -> OrderEnd:
    return OrderEnd(order.client_order_id, OrderState.NOT_SENT, ZERO, None, why)


def _signed(order: Order, qty: Decimal) -> Decimal:
    return qty if order.side == "buy" else -qty


def _intent(order: Order, cycle_id: str, at: datetime) -> Intent:
    body = canonical(
        {
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "side": order.side,
            "qty": order.qty,
            "type": order.type,
            "limit_price": order.limit_price,
            "time_in_force": order.time_in_force,
            "position_intent": order.position_intent,
        }
    )
    return Intent(
        order.client_order_id, cycle_id, order.phase, order.symbol, order.side, order.qty, sha256(body), body, at
    )
