"""The order manager: sends one phase of orders and waits until each has ended or is recorded as unknown.

1. every intent is committed to the journal before the first byte leaves
2. the orders pass the pre-trade check and are posted, the first alone, then the rest concurrently, paced and bounded by
   the broker adapter
3. all orders are polled in a single call, repeatedly, until all have ended or the phase is over; the first of these
   calls leaves shortly after the last posts, while their answers are under way, and the account is read beside it
4. what is still working is cancelled, and polled until the cancel is confirmed
5. an order whose post had no clear answer is looked up by our own id; unless the broker knows it, it stays UNKNOWN

When the journal cannot be written, nothing more is posted; orders that may still work are cancelled and the error is
raised, so that the next run's recovery learns from the broker how each order ended (see `cancel_on_failure`).

Nothing is ever posted twice: an UNKNOWN order is left to the next cycle, and no phase waits long for one. It cannot be
cancelled, because the broker has shown nothing to cancel, and within a cycle "not found" never becomes "not placed",
however long the phase. Waiting therefore protects nothing. The protection is that its symbol is frozen, that its worst
case counts against the caps, and that the proceeds it might bring are not spent.

The first order of a phase carries an id without a symbol (see `planning.build_order`). Another copy of this program
that runs the same cycle sends its own first order under the same id, whatever that order is, and the broker accepts
only one of the two. The copy whose order was not accepted sends nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple, Protocol

from rebalancer.brokers.protocol import LOOK_BACK, BrokerOrder, SendResult, TradingBroker
from rebalancer.core.decisions import Order
from rebalancer.core.documents import canonical, sha256
from rebalancer.core.errors import AnotherProgram
from rebalancer.core.facts import Account, Position, Snapshot
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.execution.await_final import await_final
from rebalancer.execution.cancel_on_failure import PostedOrders, SpreadOut, cancelling_on_failure
from rebalancer.execution.early_reading import EarlyReading, read_beside, read_early
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.order_alerts import report_another_program, report_pretrade_refusals
from rebalancer.execution.order_log import note_answer, note_ends, note_intended
from rebalancer.execution.order_tracking import KEY_REFUSED, NO_INFORMATION, TrackedOrders
from rebalancer.execution.pretrade import PreTradeCheck, readings_of
from rebalancer.execution.traded import traded
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import Intent
from rebalancer.ops.clock import Clock
from rebalancer.planning.verdicts import OrderEnd

NOT_TAKEN: Final = ("not_sent", "refused")  # an answer after which the broker certainly has no order under that id
UNKNOWN_SECONDS: Final = 3.0  # an accepted order shows within a second; one still in transit may take minutes


class ReductionsLeft(NamedTuple):
    """The actual result of phase one: the account as read again, and the signed shares traded per symbol."""

    account: Account
    traded: Mapping[str, Decimal]


class OrderManager(Protocol):
    """Where orders are sent. The order manager of a dry run sends nothing."""

    def seen(self, snapshot: Snapshot) -> None:
        """Hand over what this cycle has read, so that checking its orders needs no further call. Called before its
        first order."""
        ...

    def trade(self, cycle_id: str, orders: Sequence[Order], *, is_last: bool = False) -> Mapping[str, OrderEnd]:
        """Run one phase until all its orders have ended or its time is up. Returns one end per order, by client order
        id. is_last: no phase follows, so the positions are of interest too."""
        ...

    def left(self, account: Account, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> ReductionsLeft:
        """The account after the phase. Raises BrokerUnavailable when it cannot be read."""
        ...

    def afterwards(
        self, snapshot: Snapshot, orders: Sequence[Order], ends: Mapping[str, OrderEnd]
    ) -> tuple[Account, tuple[Position, ...]] | None:
        """The account and the positions after all orders of the cycle, if they have been read already; else None."""
        ...

    def waited(self) -> float:
        """Seconds spent waiting for orders to end since the last call of this method."""
        ...

    def cancel_posted(self) -> None:
        """Request a cancel of every posted order that may still work, when the cycle cannot go on. Takes bounded time
        and never raises."""
        ...


class LiveOrderManager:
    """Sends to the broker, paper or live."""

    def __init__(
        self,
        account_id: str,
        broker: TradingBroker,
        journal: Journal,
        kill: KillSwitch,
        clock: Clock,
        together: SpreadOut,
        rules: Rules,
        gate: PreTradeCheck | None = None,
        is_urgent: Callable[[], bool] = lambda: False,
    ) -> None:
        """gate: None for the regular pre-trade check; a flatten passes its own. is_urgent: polled while orders are
        awaited; when True, working orders are cancelled at once and the cancels confirmed."""
        self._account_id, self._broker, self._journal = account_id, broker, journal
        self._clock, self._together, self._rules = clock, together, rules
        self._gate = gate or PreTradeCheck(account_id, broker, journal, kill, rules)
        self._is_urgent = is_urgent
        self._posted = PostedOrders(broker, clock, together, rules.execution.cancel_timeout_seconds)
        self._key_refused, self._doubled_in = "", ""
        self._waited_seconds = 0.0
        self._early = EarlyReading()

    def seen(self, snapshot: Snapshot) -> None:
        self._gate.take(readings_of(snapshot))
        self._posted.forget()
        self._waited_seconds = 0.0

    def trade(self, cycle_id: str, orders: Sequence[Order], *, is_last: bool = False) -> Mapping[str, OrderEnd]:
        if not orders:
            return {}
        self._early = EarlyReading()
        why = self._why_stopped(cycle_id)
        if why:
            return {o.client_order_id: _unsent(o, why) for o in orders}
        self._gate.prepare(cycle_id, orders)
        began = self._broker.now() - LOOK_BACK
        self._journal.record_intents(
            self._account_id, [_intent(order, cycle_id, self._broker.now()) for order in orders]
        )
        note_intended(cycle_id, orders)
        watch = TrackedOrders(self._account_id, self._journal, self._broker, orders)
        with cancelling_on_failure(self):
            try:
                self._see_through(cycle_id, watch, orders, began, is_last=is_last)
            finally:
                ends = watch.ends()
                self._posted.forget([name for name, end in ends.items() if end.state.is_final])
        note_ends(cycle_id, orders, ends)
        return ends

    def _see_through(
        self, cycle_id: str, watch: TrackedOrders, orders: Sequence[Order], began: datetime, *, is_last: bool
    ) -> None:
        """Post a phase whose intents are committed, and wait until it is over."""
        self._post(cycle_id, watch, orders, began, is_last=is_last)
        posted_at = self._clock.monotonic()
        watch.seen(self._early.orders or ())
        first = partial(self._look_beside, began, is_last=is_last)
        self._await(watch, began, self._rules.execution.phase_timeout_seconds, UNKNOWN_SECONDS, self._is_urgent, first)
        if watch.known:
            watch.look_up_unknown()
            for broker_id in watch.known:
                self._cancel(broker_id)
            self._await(watch, began, self._rules.execution.cancel_timeout_seconds, 0.0)
        self._waited_seconds += self._clock.monotonic() - posted_at
        if watch.stranger:
            raise AnotherProgram(watch.stranger)

    def cancel_posted(self) -> None:
        self._posted.cancel_posted()

    def _post(
        self, cycle_id: str, watch: TrackedOrders, orders: Sequence[Order], began: datetime, *, is_last: bool
    ) -> None:
        """Post orders one by one until the broker has accepted one, then all others concurrently."""
        sent: list[tuple[Order, SendResult]] = []
        waiting = list(orders)
        while len(waiting) > 1 and not self._why_stopped(cycle_id) and (not sent or sent[-1][1].kind in NOT_TAKEN):
            self._take(cycle_id, watch, sent, waiting[:1], [self._submit(waiting[0])])
            del waiting[0]
        if not self._why_stopped(cycle_id):
            posts = [partial(self._submit, order) for order in waiting]
            results, self._early = read_early(
                posts, self._broker, self._clock, self._together, began, positions=is_last
            )
            self._take(cycle_id, watch, sent, waiting, results)
            waiting = []
        for order in waiting:
            watch.not_sent(order, self._why_stopped(cycle_id))
        report_pretrade_refusals(self._journal, self._account_id, cycle_id, self._broker.now(), sent)

    def _submit(self, order: Order) -> SendResult:
        return self._posted.send(self._gate.submit, order)

    def _take(
        self,
        cycle_id: str,
        watch: TrackedOrders,
        sent: list[tuple[Order, SendResult]],
        orders: Sequence[Order],
        results: Sequence[SendResult],
    ) -> None:
        """Record the answers to some posts, and note anything that forbids further ones."""
        answers = list(zip(orders, results, strict=True))
        sent += answers
        watch.posted(answers)
        for order, result in answers:
            note_answer(cycle_id, order, result)
            if result.kind == "refused" and result.reason in KEY_REFUSED:
                self._key_refused = result.message or result.reason
        if (watch.doubled or watch.stranger) and self._doubled_in != cycle_id:
            self._doubled_in = cycle_id
            if not watch.stranger:  # AnotherProgram is raised at the end of the phase
                said = (
                    f"order {watch.doubled} was at the broker before our post of it; nothing more is sent in this "
                    "cycle. If no other copy runs, the line delivered the request twice"
                )
                report_another_program(self._journal, self._account_id, cycle_id, self._broker.now(), said)

    def _why_stopped(self, cycle_id: str) -> Reasons:
        """Why nothing more is posted; nothing when nothing forbids it."""
        if self._key_refused:
            return because(ReasonCode.KEY_REFUSED, text=self._key_refused)
        if self._doubled_in == cycle_id:
            return because(ReasonCode.ANOTHER_PROGRAM)
        return NOTHING

    def left(self, account: Account, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> ReductionsLeft:
        early = self._recent().account_with(account.cash, orders, ends, self._broker.venue)
        now = early or self._broker.account()
        return ReductionsLeft(now._replace(peak_equity=max(account.peak_equity, now.equity)), traded(orders, ends))

    def afterwards(
        self, snapshot: Snapshot, orders: Sequence[Order], ends: Mapping[str, OrderEnd]
    ) -> tuple[Account, tuple[Position, ...]] | None:
        expected = {p.symbol: p.qty for p in snapshot.positions}
        for symbol, qty in traded(orders, ends).items():
            expected[symbol] = expected.get(symbol, ZERO) + qty
        early = self._recent()
        account = early.account_with(snapshot.account.cash, orders, ends, self._broker.venue)
        if account is not None and early.positions is not None and early.are_held(expected):
            return account, early.positions
        return None

    def waited(self) -> float:
        seconds, self._waited_seconds = self._waited_seconds, 0.0
        return seconds

    def _recent(self) -> EarlyReading:
        """What was read early; nothing once that is too long ago."""
        return self._early if self._early.is_recent(self._clock.monotonic()) else EarlyReading()

    def _look_beside(self, began: datetime, *, is_last: bool) -> Sequence[BrokerOrder]:
        """All orders, and the account at the same time: it may hold all that they trade already."""
        at = self._clock.monotonic()
        self._early = read_beside(self._broker, self._together, began, positions=is_last)._replace(at=at)
        return self._early.orders or ()

    def _await(
        self,
        watch: TrackedOrders,
        began: datetime,
        seconds: float,
        patience: float,
        is_urgent: Callable[[], bool] = lambda: False,
        first: Callable[[], Sequence[BrokerOrder]] | None = None,
    ) -> None:
        """Poll all orders in one call, repeatedly, until all have ended or the time is up.

        patience: seconds to wait for orders that the broker has not shown. When nothing else is working and these
        seconds are over, they are looked up by id; an order that is found is awaited like the others, one that is not
        found stays UNKNOWN. first: the first call, if it is another one.
        """
        start = self._clock.monotonic()
        calls = [first] if first is not None else []

        def look() -> Collection[str]:
            try:
                watch.seen(calls.pop()() if calls else self._broker.orders(began))
            finally:  # orders that no list shows are looked up even when no list is answered
                if not watch.known and self._clock.monotonic() - start >= patience:
                    watch.look_up_unknown()
            return watch.working

        def deadline() -> float:
            return start + (seconds if watch.known else min(patience, seconds))

        if watch.working:
            with suppress(*NO_INFORMATION):  # without an answer the known state stays as it is
                await_final(look, self._clock, deadline, is_urgent=lambda: bool(watch.known) and is_urgent())

    def _cancel(self, broker_id: str) -> None:
        try:
            self._broker.cancel(broker_id)
        except NO_INFORMATION:
            return  # the order itself shows whether it was cancelled, not this answer


def _unsent(order: Order, why: Reasons) -> OrderEnd:
    return OrderEnd(order.client_order_id, OrderState.NOT_SENT, ZERO, None, why)


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
