"""Decode cycles and verdicts from their events. Imports no SQLAlchemy, because `status_query` uses it too."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rebalancer.core.decisions import Constrained, Verdict
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import stated
from rebalancer.core.values import decimal_of, utc_of
from rebalancer.journal.records import CycleEnd, CycleRecord, Event


def cycle_end_of(event: Event) -> CycleEnd:
    """The cycle end recorded in a `cycle_ended` event."""
    body = event.body
    return CycleEnd(
        account_id=event.account_id,
        cycle_id=event.cycle_id or "",
        at=event.at,
        outcome=CycleOutcome(body["outcome"]),
        because=body["because"],
        expected_positions=_quantities(body["expected_positions"]),
        unexplained=_quantities(body["unexplained"]),
        orders_after=None if body["orders_after"] is None else utc_of(body["orders_after"]),
        fills_seen=_quantities(body["fills_seen"]),
        equity=equity_of(event),
        positions_trusted=body["positions_trusted"],
        constrained=constrained_of(event),
        opening_equity=None if (opening := body.get("opening_equity")) is None else decimal_of(opening),
    )


def constrained_of(event: Event) -> Constrained | None:
    """The trades denied by a limit, as recorded in a `cycle_ended` event."""
    denied = event.body.get("constrained")
    return denied and Constrained(denied["trades"], Outcome(denied["largest"]), decimal_of(denied["drift"]))


def equity_of(event: Event) -> Decimal | None:
    """The equity recorded in a `cycle_ended` event, USD."""
    return None if event.body["equity"] is None else decimal_of(event.body["equity"])


def peak_of(event: Event) -> Decimal | None:
    """The highest equity of the account up to and including this `cycle_ended` event, USD."""
    return None if event.body["peak_equity"] is None else decimal_of(event.body["peak_equity"])


def cycle_record_of(start: Event, plan: Event | None, end: Event | None, orders: int) -> CycleRecord:
    """One cycle, built from its `cycle_started`, `cycle_planned` and `cycle_ended` events."""
    return CycleRecord(
        account_id=start.account_id,
        cycle_id=start.cycle_id or "",
        mode=start.key or "",
        started_at=start.at,
        ended_at=end.at if end else None,
        outcome=CycleOutcome(end.body["outcome"]) if end else None,
        because=end.body["because"] if end else "",
        snapshot_sha256=plan.body["snapshot_sha256"] if plan else None,
        rules_sha256=start.body["rules_sha256"],
        plan_sha256=plan.body["plan_sha256"] if plan else None,
        orders=orders,
        equity=equity_of(end) if end else None,
        constrained=constrained_of(end) if end else None,
    )


def verdicts_of(event: Event) -> tuple[Verdict, ...]:
    """The verdicts recorded in a `cycle_verdicts` event."""
    return tuple(
        Verdict(item["signal_id"], item["symbol"], Outcome(item["outcome"]), stated(item["because"]))
        for item in event.body["verdicts"]
    )


def _quantities(texts: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: decimal_of(text) for name, text in texts.items()}
