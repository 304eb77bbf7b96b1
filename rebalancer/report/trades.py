"""What was traded and why, and what was not traded and why not: one row per order, one row per idle signal."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Target, Verdict
from rebalancer.core.outcomes import Outcome
from rebalancer.core.units import in_units
from rebalancer.core.values import ZERO
from rebalancer.report.records import OrderLine, RunRecord
from rebalancer.report.words import ORDER_OUTCOMES, Word, order_word, outcome_word


class TradeRow(NamedTuple):
    """One order with the reason that the plan gave. `note` says how it ended when that needs an explanation."""

    line: OrderLine
    word: Word
    because: str
    note: str

    @property
    def value(self) -> Decimal:
        """USD traded; before any fill, the value of the funded order at the arrival price."""
        return self.line.fill_value if self.line.filled_qty else self.line.funded_qty * self.line.arrival_price


class NotTraded(NamedTuple):
    """One signal, or one held position without a signal, that led to no order."""

    symbol: str
    outcome: Outcome
    word: Word
    because: str
    source: str
    target: Target | None


def trades(record: RunRecord) -> tuple[TradeRow, ...]:
    """Every order of the cycle, reductions first, in the order in which they were sent."""
    reasons = {(order.phase, order.symbol): in_units(str(order.because), order.symbol) for order in record.plan.orders}
    lines = sorted(record.orders, key=lambda line: line.phase == "increase")
    return tuple(
        TradeRow(
            line,
            order_word(line.state, line.filled_qty),
            reasons.get((line.phase, line.symbol), ""),
            _note(line),
        )
        for line in lines
    )


def not_traded(record: RunRecord) -> tuple[NotTraded, ...]:
    """Every signal and every position without a signal that led to no order: problems first, then by symbol."""
    ordered = {line.symbol for line in record.orders}
    planned = {verdict.signal_id for verdict in record.plan.verdicts if verdict.outcome is Outcome.PLANNED}
    targets = {target.symbol: target for target in record.plan.targets}
    sources = {signal.id: signal.source for signal in record.snapshot.signals}
    found = [
        _idle(verdict, sources.get(verdict.signal_id, "no signal"), targets.get(verdict.symbol))
        for verdict in (*record.verdicts, *record.plan.unsignalled)
        if not (verdict.symbol in ordered and (verdict.signal_id in planned or verdict.outcome in ORDER_OUTCOMES))
    ]
    return tuple(sorted(found, key=lambda row: (_family_rank(row.outcome), row.symbol)))


def _idle(verdict: Verdict, source: str, target: Target | None) -> NotTraded:
    because = in_units(str(verdict.because), verdict.symbol)
    return NotTraded(verdict.symbol, verdict.outcome, outcome_word(verdict.outcome), because, source, target)


def _family_rank(outcome: Outcome) -> int:
    families = ("FROZEN", "DENIED", "NOT", "REJECTED", "HELD")
    head = outcome.split("_", 1)[0]
    return families.index(head) if head in families else 2


def _note(line: OrderLine) -> str:
    parts: list[str] = []
    if line.funded_qty < line.planned_qty:
        parts.append("cut to the buying power" if line.funded_qty > ZERO else "no buying power left")
    words = ": ".join(part for part in (line.reason.replace("_", " "), line.message) if part)
    return "; ".join([*parts, words] if words else parts)
