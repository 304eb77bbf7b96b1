"""The tables of a live view: positions, orders, signals, limits and alarms, from the record of the last planned cycle
and the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from rebalancer.alerts.codes import ALERT_CODES, LIMIT
from rebalancer.core.decisions import LimitUse, Verdict
from rebalancer.core.facts import Position, Signal
from rebalancer.core.limits import LimitKind
from rebalancer.core.outcomes import Outcome
from rebalancer.core.units import in_units
from rebalancer.core.values import ZERO
from rebalancer.journal.records import Event, OrderRecord
from rebalancer.report.allocation import bars, by_symbol, known_prices
from rebalancer.report.figures.figure import Figure, Form
from rebalancer.report.limits import limit_row, shown_limits
from rebalancer.report.live.records import LiveAlarm, LiveLimit, LiveOrder, LivePosition, LiveSignal
from rebalancer.report.numbers import masked, percent
from rebalancer.report.records import LimitStatus, RunRecord
from rebalancer.report.redact import QUOTED_LENGTH_MIN
from rebalancer.report.visible import visible
from rebalancer.report.words import ORDER_OUTCOMES, order_word, outcome_word

REASON_MAX: Final = 280  # characters of one reason


def held_now(record: RunRecord, quantities: Mapping[str, Decimal]) -> RunRecord:
    """The record with these signed shares as what the account holds, at the prices of the decision."""
    held = tuple(Position(symbol, qty, qty, ZERO) for symbol, qty in sorted(quantities.items()) if qty)
    return record._replace(account_after=record.snapshot.account, positions_after=held)


def position_rows(record: RunRecord) -> tuple[LivePosition, ...]:
    """One row for each symbol that is held or has a target, the largest first. The record must say what is held now."""
    scope, prices = record.plan.cycle_id, known_prices(record)
    held = {position.symbol: position.qty for position in record.positions_after}
    rows = sorted(
        (row for row in by_symbol(record) if row.after or row.target or row.after is None),
        key=lambda row: (-abs(row.after or 0.0), -abs(row.target or 0.0), row.name),
    )
    places = bars(rows)
    found = []
    for row in rows:
        qty, price = held.get(row.name, ZERO), prices.get(row.name)

        def figure(name: str, value: Decimal | float | None, form: Form, symbol: str = row.name) -> Figure:
            return Figure(f"{name}[{symbol}]@{scope}", value, form)

        found.append(
            LivePosition(
                symbol=row.name,
                qty=figure("qty", qty, "shares"),
                price=figure("price", price, "price"),
                value=figure("value", None if price is None else qty * price, "usd"),
                weight=figure("weight", row.after, "percent"),
                target=figure("target", row.target, "percent"),
                drift=figure("drift", row.drift, "points_signed"),
                band=figure("band", row.band, "points"),
                is_outside=row.drift is not None and row.band is not None and abs(row.drift) > row.band,
                bar=places[row.name],
            )
        )
    return tuple(found)


def order_rows(orders: Iterable[OrderRecord], reasons: Mapping[str, str], account_id: str) -> tuple[LiveOrder, ...]:
    """The orders, newest first. reasons: those of the plans, by the ids of the orders."""
    found = []
    for order in sorted(orders, key=lambda order: (order.intended_at, order.client_order_id), reverse=True):
        scope = order.client_order_id
        because = [without_account(text, account_id) for text in (reasons.get(scope, ""), order.message)]
        found.append(
            LiveOrder(
                client_order_id=scope,
                cycle_id=order.cycle_id,
                symbol=order.symbol,
                side=order.side,
                word=order_word(order.state, order.filled_qty),
                filled=Figure(f"filled@{scope}", order.filled_qty, "shares"),
                planned=Figure(f"planned@{scope}", order.qty, "shares"),
                fill_price=Figure(f"fill_price@{scope}", order.filled_avg_price, "price"),
                at=order.at,
                sent_at=order.intended_at,
                because="; ".join(part for part in because if part),
            )
        )
    return tuple(found)


def signal_rows(record: RunRecord) -> tuple[LiveSignal, ...]:
    """Every signal that the last planned cycle read with its outcome so far: those that led to an order first, then
    those that could not, then those that asked for nothing."""
    verdicts = {verdict.signal_id: verdict for verdict in record.verdicts}
    signals = [_signal(signal, verdicts.get(signal.id)) for signal in record.snapshot.signals]
    return tuple(sorted(signals, key=lambda s: (_rank(s.outcome), s.symbol, s.source, s.signal_id)))


def _rank(outcome: Outcome | None) -> int:
    if outcome is None or outcome in ORDER_OUTCOMES:
        return 0
    return 2 if outcome.startswith("HELD") else 1


def limit_rows(uses: Sequence[LimitUse], scope: str, at: datetime | None) -> tuple[LiveLimit, ...]:
    """Every limit of a plan: those that stop trading first, then the most used; groups of which little is used last."""
    shown = shown_limits(uses)
    first = [row.name for row in shown.first]
    named = {use.name: use for use in uses}
    quiet = [row.name for row in shown.quiet]
    idle = sorted(named.keys() - {*first, *quiet})
    return tuple(_limit(named[name], scope, at, is_quiet=name not in first) for name in (*first, *quiet, *idle))


def counted_limit(use: LimitStatus, scope: str, at: datetime) -> LiveLimit:
    """A limit on the number of orders, counted now and not taken from the plan."""
    return _limit(LimitUse(use.name, use.limit, use.used, use.used, False, LimitKind.ORDERS), scope, at, is_quiet=False)


def alarm_rows(
    alerts: Sequence[Event],
    sent: Mapping[int, tuple[str, ...]],
    failed: Mapping[int, tuple[str, ...]],
    account_id: str,
) -> tuple[LiveAlarm, ...]:
    """The alerts, newest first."""
    found = []
    for event in sorted(alerts, key=lambda event: -event.seq):
        code = str(event.body.get("code", ""))
        reached, lost = sent.get(event.seq, ()), failed.get(event.seq, ())
        parts = [f"sent by {', '.join(reached)}"] if reached else []
        parts += [f"failed by {', '.join(c for c in lost if c not in reached)}"] if set(lost) - set(reached) else []
        level = event.body.get("level")
        found.append(
            LiveAlarm(
                seq=event.seq,
                at=event.at,
                level=level if level in ("info", "warning", "action") else "warning",
                code=code,
                text=without_account(str(event.body.get("text", "")), account_id),
                delivery="; ".join(parts) or "not sent",
                runbook=ALERT_CODES.get(code, LIMIT),
            )
        )
    return tuple(found)


def without_account(text: str, account_id: str) -> str:
    """A text from outside as it may be shown: without the account's number, and cut."""
    clean = text.replace(account_id, masked(account_id)) if len(account_id) >= QUOTED_LENGTH_MIN else text
    return visible(clean, REASON_MAX)


def _signal(signal: Signal, verdict: Verdict | None) -> LiveSignal:
    view = "hold" if signal.hold else f"target {percent(signal.target)}" if signal.target is not None else ""
    return LiveSignal(
        signal_id=signal.id,
        symbol=signal.symbol,
        source=signal.source,
        score=Figure(f"score@{signal.id}", None if view else signal.score, "ratio_signed"),
        confidence=Figure(f"confidence@{signal.id}", None if view else signal.confidence, "ratio"),
        view=view,
        issued_at=signal.issued_at,
        outcome=None if verdict is None else verdict.outcome,
        word=None if verdict is None else outcome_word(verdict.outcome),
        because="" if verdict is None else visible(in_units(str(verdict.because), verdict.symbol), REASON_MAX),
    )


def _limit(use: LimitUse, scope: str, at: datetime | None, *, is_quiet: bool) -> LiveLimit:
    row = limit_row(use)
    form: Form = "count" if use.measures.counts else "percent"

    def figure(part: str, value: float | None, form: Form) -> Figure:
        return Figure(f"limit.{part}[{use.name}]@{scope}", value, form)

    return LiveLimit(
        name=use.name,
        unit=row.unit,
        used=figure("used", use.after, form),
        limit=figure("most", use.limit, form),
        left=figure("left", use.limit - use.after, form),
        share=figure("share", use.share, "percent_whole"),
        word=row.word,
        width=row.width,
        is_quiet=is_quiet,
        at=at,
    )
