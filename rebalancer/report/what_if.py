"""What other rules would have decided in stored cycles: the difference of two decision tables."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.codec import read_plan, stored_snapshot
from rebalancer.core.decisions import Plan
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, text_of
from rebalancer.journal import Journal
from rebalancer.journal.records import CycleRecord
from rebalancer.planning import plan
from rebalancer.report.archive import stored_text

WHAT_IF_SCHEMA: Final = "rebalancer.what_if/1"


class DecisionRow(NamedTuple):
    """What was decided about one symbol: target weight as a fraction of capital, signed shares of its orders, outcome
    and reason."""

    weight: float = 0.0
    order: Decimal = ZERO
    outcome: str = ""
    because: str = ""


class WhatIfRow(NamedTuple):
    """One symbol about which the other rules decide otherwise."""

    symbol: str
    was: DecisionRow
    then: DecisionRow


class WhatIf(NamedTuple):
    """One cycle: its outcome, what it would have been, and the symbols that differ."""

    cycle_id: str
    was: str
    then: str
    rows: tuple[WhatIfRow, ...]

    @property
    def differs(self) -> bool:
        """Whether anything is decided otherwise."""
        return self.was != self.then or bool(self.rows)

    def document(self) -> dict[str, Any]:
        """As JSON: decimals as text, weights as numbers."""
        return {
            "cycle_id": self.cycle_id,
            "outcome": {"was": self.was, "then": self.then},
            "symbols": [{"symbol": row.symbol, "was": _plain(row.was), "then": _plain(row.then)} for row in self.rows],
        }


def what_if(journal: Journal, cycles: Iterable[CycleRecord], rules: Rules) -> list[WhatIf]:
    """Plan stored cycles again with other rules, from the same snapshots. A cycle begins from the live positions, so
    that what other rules would have held by then is not in it."""
    found = []
    for cycle in cycles:
        seen = stored_text(journal.snapshot_text(cycle.cycle_id, cycle.account_id))
        stored = stored_text(journal.plan_text(cycle.cycle_id, cycle.account_id))
        found.append(difference(read_plan(stored), plan(stored_snapshot(seen), rules)))
    return found


def difference(was: Plan, then: Plan) -> WhatIf:
    """The symbols about which two plans of one cycle decide otherwise."""
    before, after = decisions_of(was), decisions_of(then)
    rows = tuple(
        WhatIfRow(symbol, one, other)
        for symbol in sorted({*before, *after})
        if (one := before.get(symbol, DecisionRow()))[:3] != (other := after.get(symbol, DecisionRow()))[:3]
    )
    return WhatIf(was.cycle_id, str(was.outcome), str(then.outcome), rows)


def decisions_of(found: Plan) -> dict[str, DecisionRow]:
    """The decision table of a plan by symbol."""
    rows: dict[str, DecisionRow] = {}
    for verdict in (*found.verdicts, *found.unsignalled):
        rows[verdict.symbol] = DecisionRow(outcome=str(verdict.outcome), because=str(verdict.because))
    for target in found.targets:
        rows[target.symbol] = rows.get(target.symbol, DecisionRow())._replace(weight=target.weight)
    for order in found.orders:
        row = rows.get(order.symbol, DecisionRow())
        rows[order.symbol] = row._replace(order=row.order + (order.qty if order.side == "buy" else -order.qty))
    return rows


def _plain(row: DecisionRow) -> dict[str, Any]:
    return {"weight": row.weight, "order": text_of(row.order), "outcome": row.outcome, "because": row.because}
