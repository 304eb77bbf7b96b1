"""Execute one signal now: insert it, ask the running session for one extra cycle of its symbol, and watch the journal
for what became of it.

This process trades nothing. It answers with the order's id as soon as the broker has given it one, with the verdict
when there is no order, and after `PATIENCE_SECONDS` with the receipt and the way to ask later. Cycles in which the
signal does not stand are not waited for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from rebalancer.core.outcomes import Outcome
from rebalancer.core.values import decimal_of, text_of
from rebalancer.journal.records import Event
from rebalancer.market_data.sectors import read_sectors
from rebalancer.ops.clock import SystemClock
from rebalancer.signals.receipts.inbox import Receipt
from rebalancer.web import facts
from rebalancer.web.answers import WebAnswer
from rebalancer.web.context import WebContext
from rebalancer.web.place import WebPlace

PATIENCE_SECONDS: Final = 27.0
KINDS: Final = (
    "cycle_planned", "order_intended", "order_changed", "order_ended", "cycle_verdicts", "cycle_ended",
)  # fmt: skip
TRADED: Final = (Outcome.FILLED, Outcome.PARTLY_FILLED, Outcome.UNFILLED)
_ROWS: Final = 500


def row_of(body: Mapping[str, object]) -> dict[str, object]:
    """The row of a signal file for a request. Together with an action a confidence up to 1 is a fraction, one above it
    per cent."""
    row = {name: value for name, value in body.items() if value is not None}
    confidence = row.get("confidence")
    if "action" in row and isinstance(confidence, (int, float, str)) and not isinstance(confidence, bool):
        try:
            number = Decimal(str(confidence))
        except InvalidOperation:
            return row
        if 0 <= number <= 1:
            row["confidence"] = text_of(number * 100)
    return row


def is_known(place: WebPlace, symbol: str) -> bool:
    """Whether the last snapshot or the sector file knows a symbol; True before the first cycle."""
    last = facts.last_plan(place)
    if last is None:
        return True
    if any(row["symbol"] == symbol for row in last.snapshot.get("instruments", ())):
        return True
    return symbol in read_sectors(place.root / place.rules.sectors_file)


async def execute_signal(context: WebContext, row: Mapping[str, object], source: str, key: str | None) -> WebAnswer:
    """Insert the signal, and return what became of it; a signal that has an order already has no second one. Raises
    SignalsUnavailable when it cannot be stored."""
    begun = (await context.hub.look()).seq
    clock = SystemClock()
    now, until = clock.wall(), clock.monotonic() + PATIENCE_SECONDS
    receipt = await asyncio.to_thread(_insert, context, row, source, key, now)
    if receipt.problem:
        return refused(Outcome.REJECTED_INVALID, receipt.problem, receipt.signal_id)

    async def do() -> WebAnswer:
        return await _decided(context, receipt, begun, until)

    return await context.answers.once("execute", receipt.id, None, now, do, keep=lambda answer: answer.status == 200)


async def _decided(context: WebContext, receipt: Receipt, begun: int, until: float) -> WebAnswer:
    """Ask for a run if a session is there to hear it, and wait for what becomes of the signal."""
    place, hub, clock = context.place, context.hub, SystemClock()
    if not receipt.is_new and (order := await asyncio.to_thread(_order_of, place, receipt)) is not None:
        return order
    if place.session() is None:
        return _later(receipt, "no session is running; the next cycle reads the signal")
    if clock.monotonic() < until:
        await asyncio.to_thread(context.inbox.get().ask_for_run, receipt.symbol, receipt.signal_id, clock.wall())
    watch = _Watch(place, receipt)
    position = begun
    while (left := until - clock.monotonic()) > 0 and not hub.stopping.is_set():
        events = await asyncio.to_thread(place.journal.events_after, position, KINDS, _ROWS) if hub.head.seq else ()
        for event in events:
            position = event.seq
            answer = await asyncio.to_thread(watch.answer, event)
            if answer is not None:
                return answer
        if not events:
            await hub.changed(min(left, 1.0))
    return _later(receipt, "no cycle has decided on it yet")


def refused(outcome: str, because: str, signal_id: str | None) -> WebAnswer:
    """The answer to a signal that was not traded."""
    return WebAnswer(
        422,
        {
            "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": because,
            "outcome": str(outcome), "because": because, "signal_id": signal_id,
        },
    )  # fmt: skip


def _insert(context: WebContext, row: Mapping[str, object], source: str, key: str | None, now: datetime) -> Receipt:
    within = context.place.repeat_within
    (receipt,) = context.inbox.get().receive([row], source=source, at=now, key=key, repeat_within=within)
    return receipt


def _order_of(place: WebPlace, receipt: Receipt) -> WebAnswer | None:
    """The answer when an earlier cycle has sent an order for this signal; None when none has."""
    fate = facts.signal_fate(place, receipt.id)
    names = [str(order["client_order_id"]) for order in fate["orders"]] if fate is not None else []
    found = place.journal.orders(names) if names else {}
    for name in names:
        order = found.get(name)
        if order is not None and order.broker_id:
            return _sent(receipt, order.broker_id, name, order.qty)
    return None


def _sent(receipt: Receipt, order_id: str, client_order_id: str, qty: Decimal) -> WebAnswer:
    return WebAnswer(
        200,
        {
            "success": True,
            "order_id": order_id,
            "client_order_id": client_order_id,
            "signal_id": receipt.signal_id,
            "qty": text_of(qty),
        },
    )


def _later(receipt: Receipt, because: str) -> WebAnswer:
    place = f"/api/v1/signals/{receipt.id}"
    document = {
        "success": False, "receipt": receipt.id, "signal_id": receipt.signal_id, "because": because, "ask": place
    }  # fmt: skip
    return WebAnswer(202, document)


class _OrderSeen(NamedTuple):
    client_order_id: str
    qty: str


class _Watch:
    """Reads the journal's events for the fate of one signal."""

    def __init__(self, place: WebPlace, receipt: Receipt) -> None:
        self._place, self._receipt = place, receipt
        self._cycles: set[str] = set()
        self._orders: dict[str, _OrderSeen] = {}

    def answer(self, event: Event) -> WebAnswer | None:
        """The answer if this event decides it."""
        receipt, body = self._receipt, event.body
        match event.kind:
            case "cycle_planned" if self._stands_in(event):
                self._cycles.add(event.cycle_id or "")
            case "order_intended" if event.cycle_id in self._cycles and body["symbol"] == receipt.symbol:
                self._orders[event.key or ""] = _OrderSeen(event.key or "", str(body["qty"]))
            case "order_changed" | "order_ended" if event.key in self._orders and body.get("broker_id"):
                order = self._orders[event.key or ""]
                return _sent(receipt, str(body["broker_id"]), order.client_order_id, decimal_of(order.qty))
            case "cycle_verdicts" if event.cycle_id in self._cycles:
                return self._skipped(event) or self._verdict(body)
            case "cycle_ended" if event.cycle_id not in self._cycles and self._is_skipped(event):
                return _later(receipt, f"{body['outcome']}: {body.get('because', '')}")
        return None

    def _stands_in(self, event: Event) -> bool:
        text = self._place.journal.snapshot_text(event.cycle_id or "", event.account_id)
        signals = () if text is None else json.loads(text)["signals"]
        return any(row["id"] == self._receipt.signal_id and row["symbol"] == self._receipt.symbol for row in signals)

    def _skipped(self, event: Event) -> WebAnswer | None:
        """The answer when the cycle could not trade at this hour; the signal waits for the next one."""
        cycle = self._place.journal.cycle(event.cycle_id or "", event.account_id)
        if cycle is None or cycle.outcome is None or not cycle.outcome.startswith("SKIPPED"):
            return None
        return _later(self._receipt, f"{cycle.outcome}: {cycle.because}")

    def _is_skipped(self, event: Event) -> bool:
        """Whether a cycle ended before it planned anything: the market is closed, trading is paused or halted."""
        return str(event.body["outcome"]).startswith(("SKIPPED", "HALTED"))

    def _verdict(self, body: Mapping[str, Any]) -> WebAnswer | None:
        receipt = self._receipt
        for row in body["verdicts"]:
            if row["signal_id"] == receipt.signal_id and row["symbol"] == receipt.symbol:
                if row["outcome"] in TRADED or row["outcome"] == Outcome.UNKNOWN_AT_BROKER:
                    return _later(receipt, f"{row['outcome']}: {row['because']}")
                return refused(row["outcome"], row["because"], receipt.signal_id)
        return None
