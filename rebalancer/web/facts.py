"""What the journal and the receipts know, as JSON documents. Decimals are strings, times RFC 3339."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.accounting.newest_day import newest_day
from rebalancer.core.documents import plain
from rebalancer.core.values import ZERO, decimal_of, text_of, time_text, utc_of
from rebalancer.journal.records import CycleRecord, Event, OrderRecord
from rebalancer.journal.status_query import JournalStatus, query_status
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.source_status import current_sources
from rebalancer.report.figures.figure import Figures
from rebalancer.report.figures.of_status import figures_of_status
from rebalancer.signals.receipts.following import Follower
from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.signals.receipts.queries import ALL as EVERY_RECEIPT
from rebalancer.signals.receipts.queries import ReceiptFills, ReceiptRow, figures, find, page, totals
from rebalancer.signals.receipts.store import ReceiptStore
from rebalancer.web.place import WebPlace

Document = dict[str, Any]
_WAIT_SECONDS: Final = 2.0
_LOOKED_AT: Final = 1000  # cycles, to find the newest planned one


class LastPlan(NamedTuple):
    """The newest planned cycle: its snapshot and plan as plain JSON."""

    cycle: CycleRecord
    snapshot: Mapping[str, Any]
    plan: Mapping[str, Any]


def journal_status(place: WebPlace) -> JournalStatus | None:
    """The state of the account; None before anything was recorded. Raises JournalBroken."""
    return query_status(place.journal.place, now=SystemClock().wall())


def last_plan(place: WebPlace, cycle_id: str | None = None) -> LastPlan | None:
    """A planned cycle, the newest when no id is given; None when there is none. Raises JournalBroken."""
    if not place.journal.is_created:
        return None
    journal = place.journal
    if cycle_id is None:
        found = next((c for c in journal.cycles(None, _LOOKED_AT) if c.plan_sha256 is not None), None)
    else:
        found = journal.cycle(cycle_id)
    if found is None or found.plan_sha256 is None:
        return None
    texts = (journal.snapshot_text(found.cycle_id), journal.plan_text(found.cycle_id))
    snapshot, plan = (json.loads(text or "{}") for text in texts)
    return LastPlan(found, snapshot, plan)


def kill_reason(place: WebPlace, status: JournalStatus | None) -> str | None:
    """Why nothing may be traded: the file, else the journal; None when the switch is not set."""
    return place.halted() or (None if status is None else status.kill_switch)


def trading_status(place: WebPlace) -> Document:
    """The account as the journal saw it last. A value that nobody has recorded is null, never zero."""
    status, last = journal_status(place), last_plan(place)
    account = {} if last is None else last.snapshot["account"]
    figures, value = _standing(status)
    end = None if status is None else status.last_end
    as_of = max((m for m in (end.at if end else None, value.at if value else None) if m), default=None)
    states = [
        str(word).partition(":")[2] for word in account.get("restrictions", ()) if str(word).startswith("status:")
    ]
    return {
        "portfolio_value": _figure(figures, "equity"),
        "buying_power": account.get("buying_power"),
        "cash": _figure(figures, "cash"),
        "account_status": (states[0] if states else "ACTIVE") if account else None,
        "positions_count": None if end is None else len(end.expected_positions),
        "as_of": None if as_of is None else time_text(as_of),
        "mode": place.mode,
        "kill_switch": kill_reason(place, status),
    }


def _standing(status: JournalStatus | None) -> tuple[Figures, Event | None]:
    """The account's figures as `status` and the pages show them, and the event that stated them."""
    if status is None:
        return Figures(), None
    return figures_of_status(newest_day(status.day), None), status.day.value


def positions(place: WebPlace) -> Document:
    """The positions after the last cycle, with the prices that it saw."""
    status, last = journal_status(place), last_plan(place)
    end = None if status is None else status.last_end
    quotes = {} if last is None else {row["symbol"]: row for row in last.snapshot.get("quotes", ())}
    entries = {} if last is None else {row["symbol"]: row for row in last.snapshot.get("positions", ())}
    rows = []
    for symbol, qty in sorted(({} if end is None else end.expected_positions).items()):
        price = _decimal(quotes.get(symbol, {}).get("last"))
        rows.append(
            {
                "symbol": symbol,
                "qty": text_of(qty),
                "avg_entry_price": entries.get(symbol, {}).get("avg_entry_price"),
                "price": _text(price),
                "market_value": None if price is None else text_of(price * qty),
            }
        )
    return {"as_of": None if end is None else time_text(end.at), "positions": rows}


def orders(place: WebPlace, limit: int) -> Document:
    """The newest orders, newest first."""
    status = journal_status(place)
    if status is None or status.account_id is None:
        return {"orders": []}
    journal = place.journal
    intents = journal.recall(status.account_id, "order_intended", last=limit)
    found = journal.orders([event.key for event in intents if event.key])
    return {"orders": [order_document(found[event.key]) for event in reversed(intents) if event.key in found]}


def order_document(order: OrderRecord) -> Document:
    """One order, without the account and what went over the wire."""
    left_out = ("account_id", "body", "body_sha256")
    return {name: value for name, value in plain(order).items() if name not in left_out}


def cycles(place: WebPlace, limit: int) -> Document:
    """The newest cycles, newest first."""
    if not place.journal.is_created:
        return {"cycles": []}
    return {"cycles": [_cycle(cycle) for cycle in place.journal.cycles(None, limit)]}


def cycle_detail(place: WebPlace, cycle_id: str) -> Document | None:
    """One cycle with its orders and verdicts; None when there is none. Raises ValueError when several accounts have
    it."""
    if not place.journal.is_created:
        return None
    journal = place.journal
    found = journal.cycle(cycle_id)
    if found is None:
        return None
    return {
        **_cycle(found),
        "order_list": [order_document(order) for order in journal.orders_of(cycle_id)],
        "verdicts": [] if found.ended_at is None else [plain(v) for v in journal.verdicts(cycle_id)],
    }


def explanation(place: WebPlace, symbol: str, cycle_id: str | None) -> Document | None:
    """The reasons for one symbol in a planned cycle; None when there is no such cycle."""
    last = last_plan(place, cycle_id)
    if last is None:
        return None
    name = last.cycle.cycle_id
    verdicts = [] if last.cycle.ended_at is None else [plain(v) for v in place.journal.verdicts(name)]
    planned = [*last.plan.get("verdicts", ()), *last.plan.get("unsignalled", ())]
    return {
        "schema": "rebalancer.explain/1",
        "cycle_id": name,
        "symbol": symbol,
        "signals": [row for row in last.snapshot["signals"] if row["symbol"] == symbol],
        "target": next((row for row in last.plan["targets"] if row["symbol"] == symbol), None),
        "orders": [order_document(order) for order in place.journal.orders_of(name) if order.symbol == symbol],
        "verdicts": [row for row in (verdicts or planned) if row["symbol"] == symbol],
    }


def _cycle(cycle: CycleRecord) -> Document:
    return {name: value for name, value in plain(cycle).items() if name != "account_id"}


# signals


def opened_receipts(place: WebPlace) -> ReceiptStore:
    """The receipts, with everything that the inbox has received. The caller closes it. Raises SignalsUnavailable."""
    receipts = ReceiptStore.open(place.receipts, _WAIT_SECONDS)
    try:
        if place.inbox.exists():
            with SignalInbox.open(place.inbox) as inserted:
                Follower(receipts, None, inserted, datetime.min.replace(tzinfo=UTC)).follow()
    except BaseException:
        receipts.close()
        raise
    return receipts


def latest_signals(place: WebPlace, limit: int) -> Document:
    """The newest signals, newest first."""
    with opened_receipts(place) as receipts:
        found = page(receipts, EVERY_RECEIPT, limit)
    assert found is not None  # it was not asked to continue after a receipt
    return {"signals": [receipt_document(row) for row in found.rows], "total": found.total}


def signal_figures(place: WebPlace) -> Document:
    """How many signals came, and what became of them."""
    with opened_receipts(place) as receipts:
        sources = figures(receipts)
    whole = totals(sources)
    return {
        "received": whole.received,
        "admitted": whole.admitted,
        "executed": whole.executed,
        "execution_rate": _text(whole.execution_rate),
        "by_source": {
            one.source: {
                "received": one.received,
                "admitted": one.admitted,
                "executed": one.executed,
                "execution_rate": _text(one.execution_rate),
            }
            for one in sources
        },
        "by_outcome": dict(whole.outcomes),
    }


def source_health(place: WebPlace) -> Document:
    """The enabled sources that are asked in the background, by name; `status` is None for one not asked yet."""
    enabled = place.rules.signals.enabled_sources
    reported = {row.name: row for row in current_sources(place.state)}
    return {
        "sources": [
            {
                "name": name,
                "weight": place.rules.signals.weight_of(name),
                "is_ok": name in reported and reported[name].is_ok,
                "status": reported[name]._asdict() if name in reported else None,
            }
            for name in sorted(enabled)
        ]
    }


def signal_fate(place: WebPlace, name: str) -> Document | None:
    """What became of one signal, by its own id or its receipt's; None when there is none."""
    with opened_receipts(place) as receipts:
        found = find(receipts, name)
    return None if found is None else _fate(found)


def _fate(found: ReceiptFills) -> Document:
    row = found.receipt
    content = row.content if row.kind == "refused" else json.loads(row.content)
    return {
        **receipt_document(row),
        "content": content,
        "orders": [dict(order) for order in found.orders],
        "fills": [dict(fill) for fill in found.fills],
    }


def receipt_document(row: ReceiptRow) -> Document:
    """One receipt."""
    return {
        "id": row.id,
        "signal_id": row.signal_id,
        "symbol": row.symbol,
        "source": row.source,
        "kind": row.kind,
        "received_at": time_text(utc_of(row.received_at)),
        "issued_at": time_text(utc_of(row.issued_at)),
        "outcome": row.outcome,
        "because": row.because,
        "cycle_id": row.cycle_id,
    }


def _decimal(text: object) -> Decimal | None:
    return None if text is None else decimal_of(str(text))


def _figure(figures: Figures, name: str) -> str | None:
    value = figures[name].value if figures.known(name) else None
    return None if value is None else text_of(decimal_of(str(value)))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else text_of(value + ZERO)
