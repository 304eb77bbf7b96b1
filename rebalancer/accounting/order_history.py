"""Order histories with the decision behind each order: the planned price, the quote, and the signal source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, NamedTuple

from rebalancer.accounting.trade_causes import OF_EXITS, cause_of_planned
from rebalancer.core.values import decimal_of
from rebalancer.journal.chain import ORDER_KINDS
from rebalancer.journal.exit_order_records import KIND as PROTECTION
from rebalancer.journal.exit_order_records import exit_pair_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.orders import fold
from rebalancer.journal.records import EXIT_BEGUN, Event, OrderRecord
from rebalancer.performance.records import UNKNOWN, Fill, OrderHistory, TradeCause

PROTECTED: Final = "protection"  # the source of an exit that no signal asked for
OUTSIDE: Final = "outside"  # the source of orders that are not ours


def orders_of(journal: Journal, account_id: str) -> tuple[OrderRecord, ...]:
    """The latest record of every order of an account, in the order of their intents."""
    events: list[Event] = [event for kind in ORDER_KINDS for event in journal.recall(account_id, kind)]
    folded = fold(sorted(events, key=lambda event: event.seq))
    return tuple(order for order, _ in folded.values())


def is_resting_exit(history: OrderHistory) -> bool:
    """Whether this is an exit that rested at the broker: an order of ours that belongs to no cycle."""
    return history.source == PROTECTED and not history.cycle_id


def order_histories_of(
    journal: Journal, account_id: str, orders: Sequence[OrderRecord], fills: Sequence[Fill]
) -> dict[str, OrderHistory]:
    """One history per order that the broker has, by the broker's id. Orders that others placed are included, as far as
    their fills allow."""
    filled: dict[str, list[Fill]] = {}
    for fill in fills:
        filled.setdefault(fill.order_id, []).append(fill)
    last_fill = {order_id: max(fill.at for fill in own) for order_id, own in filled.items()}
    cycles: dict[str, _Cycle] = {}
    found: dict[str, OrderHistory] = {}
    for order in orders:
        if order.broker_id is not None:
            cycle = cycles.setdefault(order.cycle_id, _Cycle(journal, account_id, order.cycle_id))
            found[order.broker_id] = _history_of(order, cycle, last_fill.get(order.broker_id))
    resting = _resting(journal, account_id)
    for order_id in sorted(filled):
        if order_id not in found:
            found[order_id] = _of_fills(order_id, filled[order_id], resting.get(order_id))
    return found


class _Cycle:
    """One cycle's documents as plain JSON: strict parsing is only needed to plan from them again."""

    def __init__(self, journal: Journal, account_id: str, cycle_id: str) -> None:
        self._journal, self._account_id, self._cycle_id = journal, account_id, cycle_id

    @cached_property
    def snapshot(self) -> Mapping[str, Any]:
        return _document(self._journal.snapshot_text(self._cycle_id, self._account_id))

    @cached_property
    def plan(self) -> Mapping[str, Any]:
        return _document(self._journal.plan_text(self._cycle_id, self._account_id))

    @cached_property
    def planned(self) -> Mapping[str, Mapping[str, Any]]:
        return {order["client_order_id"]: order for order in self.plan.get("orders", ())}

    @cached_property
    def rules(self) -> Mapping[str, Any]:
        return _document(self._journal.rules_text(self._cycle_id, self._account_id))

    @cached_property
    def exits(self) -> Mapping[str, str]:
        """The kind of exit by symbol, of a cycle that closed positions at once."""
        begun = self._journal.events(self._cycle_id, kind=EXIT_BEGUN, account_id=self._account_id)
        return {event.key or "": str(event.body["kind"]) for event in begun}

    def cause(self, order: OrderRecord) -> TradeCause:
        """The category of one of its orders; "" for an exit of which older journals have no kind."""
        if order.client_order_id in self.planned:
            return cause_of_planned(self.plan, self.rules, order.symbol, order.phase)
        return OF_EXITS.get(self.exits.get(order.symbol, ""), "")

    @cached_property
    def quotes(self) -> Mapping[str, Mapping[str, Any]]:
        return {quote["symbol"]: quote for quote in self.snapshot.get("quotes", ())}

    @cached_property
    def because(self) -> str:
        cycle = self._journal.cycle(self._cycle_id, self._account_id)
        return "" if cycle is None else cycle.because

    def source(self, symbol: str) -> str:
        """The names of all sources of signals for a symbol that were not rejected, joined."""
        if not self.planned:
            return PROTECTED
        return " + ".join(sorted(self.sources.get(symbol, ()))) or UNKNOWN

    @cached_property
    def sources(self) -> Mapping[str, set[str]]:
        verdicts = self._journal.verdicts(self._cycle_id, self._account_id)
        rejected = {v.signal_id for v in verdicts if v.outcome.startswith("REJECTED")}
        found: dict[str, set[str]] = {}
        for signal in self.snapshot.get("signals", ()):
            if signal["id"] not in rejected:
                found.setdefault(signal["symbol"], set()).add(str(signal["source"]))
        return found


def _history_of(order: OrderRecord, cycle: _Cycle, filled_at: datetime | None) -> OrderHistory:
    planned, quote = cycle.planned.get(order.client_order_id, {}), cycle.quotes.get(order.symbol, {})
    wanted = _number(planned.get("qty"))  # a cut before sending is not an unfilled order
    return OrderHistory(
        order_id=order.broker_id or "",
        client_order_id=order.client_order_id,
        cycle_id=order.cycle_id,
        symbol=order.symbol,
        side=order.side,
        qty=order.qty if wanted is None else min(order.qty, wanted),
        filled_qty=order.filled_qty,
        filled_avg_price=order.filled_avg_price,
        decision_price=_number(planned.get("price")),
        bid=_number(quote.get("bid")),
        ask=_number(quote.get("ask")),
        sent_at=order.intended_at,
        filled_at=filled_at if filled_at is not None else order.at if order.filled_qty else None,
        source=cycle.source(order.symbol),
        reason=str(planned.get("because") or cycle.because),
        cause=cycle.cause(order),
    )


def _of_fills(order_id: str, fills: Sequence[Fill], protects: RestingExit | None) -> OrderHistory:
    qty = sum((abs(f.qty) for f in fills), Decimal(0))
    value = sum((abs(f.qty) * f.price for f in fills), Decimal(0))
    return OrderHistory(
        order_id=order_id,
        client_order_id="" if protects is None else protects.client_order_id,
        cycle_id="",
        symbol=fills[0].symbol,
        side="buy" if fills[0].qty > 0 else "sell",
        qty=qty if protects is None else max(protects.qty, qty),
        filled_qty=qty,
        filled_avg_price=value / qty if qty else None,
        decision_price=None,
        bid=None,
        ask=None,
        sent_at=min(f.at for f in fills),
        filled_at=max(f.at for f in fills),
        source=OUTSIDE if protects is None else PROTECTED,
        reason=OUTSIDE if protects is None else protects.words,
        cause="hand" if protects is None else protects.cause,
    )


class RestingExit(NamedTuple):
    """One of the two orders of a pair of exits resting at the broker. `qty` is unsigned."""

    client_order_id: str
    qty: Decimal
    words: str
    cause: TradeCause


def _resting(journal: Journal, account_id: str) -> dict[str, RestingExit]:
    """Our exit orders resting at the broker, by the broker's id."""
    found: dict[str, RestingExit] = {}
    for event in journal.recall(account_id, PROTECTION):
        kept = exit_pair_of(event)
        said = f"exit kept at the broker: stop {kept.stop}, target {kept.target}"
        for number, order_id in enumerate(kept.ids):  # the first of a pair is the target
            cause: TradeCause = "stop" if number else "take-profit"
            found[order_id] = RestingExit(kept.client_order_id, abs(kept.qty), said, cause)
    return found


def _document(text: str | None) -> Mapping[str, Any]:
    found = {} if text is None else json.loads(text)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> Decimal | None:
    return decimal_of(value) if isinstance(value, str) else None
