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
    """Insert the signal, and return what became of it. Raises SignalsUnavailable when it cannot be stored."""
    place, hub = context.place, context.hub
    begun = (await hub.look()).seq
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE_SECONDS
    receipt, is_asked = await asyncio.to_thread(_insert, context, row, source, key)
    if receipt.problem:
        return refused(Outcome.REJECTED_INVALID, receipt.problem, receipt.signal_id)
    if not is_asked:
        return _later(receipt, "no session is running; the next cycle reads the signal")
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


def _insert(context: WebContext, row: Mapping[str, object], source: str, key: str | None) -> tuple[Receipt, bool]:
    """Insert the signal, and ask for a run if a session is there to hear it."""
    now = SystemClock().wall()
    inserted = context.inbox.get()
    (receipt,) = inserted.receive([row], source=source, at=now, key=key)
    if receipt.problem or context.place.session() is None:
        return receipt, False
    inserted.ask_for_run(receipt.symbol, receipt.signal_id, now)
    return receipt, True


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
                return self._sent(str(body["broker_id"]), self._orders[event.key or ""])
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

    def _sent(self, order_id: str, order: _OrderSeen) -> WebAnswer:
        return WebAnswer(
            200,
            {
                "success": True,
                "order_id": order_id,
                "client_order_id": order.client_order_id,
                "signal_id": self._receipt.signal_id,
                "qty": text_of(decimal_of(order.qty)),
            },
        )
