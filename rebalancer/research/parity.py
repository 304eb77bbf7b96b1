"""Parity: is every stored plan what planning gives today, and how far was the day from the fills of the model.

1. Every stored cycle is planned again from its snapshot and rules; the plan must be equal, byte for byte (`replayed`).
2. Its orders are filled by the model, from the same positions. The profit that live and model do not share is

       prices    shares that both filled, at another price
       fills     shares that only one of them filled, by what they earned until the next cycle
       cash      fees, interest and other money, less the fees of the model

   in USD and in basis points of the equity before the day; a positive figure is better than the model.

Each cycle begins from the live positions, so that nothing is added up that follows from an earlier difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, NamedTuple

from rebalancer.accounting.trade_history import ledger_of
from rebalancer.core.codec import read_plan, read_rules, stored_snapshot
from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Snapshot
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import Journal
from rebalancer.journal.records import DRY_RUN, CycleRecord, OrderRecord
from rebalancer.performance.records import AccountHistory
from rebalancer.report.archive import replayed
from rebalancer.research.market import CostModel
from rebalancer.research.model_fills import ModelFill, decision_prices, model_fills

PARITY_SCHEMA: Final = "rebalancer.parity/1"
CYCLES_MOST: Final = 10_000_000
BP: Final = Decimal(10_000)
SHOWN: Final = 20  # cycles with a difference
CASH: Final = ("fee", "coin_fee", "interest", "other")


class StoredCycle(NamedTuple):
    """One planned cycle of the journal. wrong: where its plan is not what planning gives today."""

    record: CycleRecord
    snapshot: Snapshot
    rules: Rules
    model: Mapping[str, ModelFill]
    orders: tuple[OrderRecord, ...]
    wrong: tuple[str, ...]

    @property
    def day(self) -> date:
        """Its trading day."""
        return day_in_new_york(self.snapshot.as_of)


class Divergence(NamedTuple):
    """Live less model, USD."""

    fills: Decimal = ZERO
    prices: Decimal = ZERO
    cash: Decimal = ZERO


class ParityDay(NamedTuple):
    """One day. equity: before its first cycle, USD."""

    day: date
    cycles: int
    plans_equal: int
    equity: Decimal
    divergence: Divergence

    def points(self, usd: Decimal) -> float:
        """As basis points of the equity before the day."""
        return float(usd / self.equity * BP) if self.equity > ZERO else 0.0

    @property
    def divergence_bp(self) -> dict[str, float]:
        """Live less model in basis points, by part."""
        return {part: round(self.points(usd), 4) for part, usd in self.divergence._asdict().items()}

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "day": self.day.isoformat(),
            "cycles": self.cycles,
            "plans_equal": self.plans_equal,
            "divergence_bp": self.divergence_bp,
            "divergence_usd": {part: f"{usd:.2f}" for part, usd in self.divergence._asdict().items()},
        }


class Parity(NamedTuple):
    """All days. unequal: the cycles whose plan came out otherwise, with what differs."""

    days: tuple[ParityDay, ...]
    unequal: tuple[tuple[str, str], ...]

    @property
    def cycles(self) -> int:
        """Planned cycles."""
        return sum(day.cycles for day in self.days)

    @property
    def plans_equal(self) -> int:
        """Cycles whose plan came out equal."""
        return sum(day.plans_equal for day in self.days)

    @property
    def divergence_bp(self) -> dict[str, float]:
        """The sums over the days."""
        return {part: round(sum(day.divergence_bp[part] for day in self.days), 4) for part in Divergence._fields}

    def document(self) -> dict[str, Any]:
        """The `rebalancer.parity/1` document: basis points as numbers, USD as text."""
        return {
            "schema": PARITY_SCHEMA,
            "cycles": self.cycles,
            "plans_equal": self.plans_equal,
            "divergence_bp": self.divergence_bp,
            "days": [day.document() for day in self.days],
            "unequal": [{"cycle_id": cycle, "problem": problem} for cycle, problem in self.unequal[:SHOWN]],
        }


def stored_cycles(journal: Journal, account_id: str, since: date | None, costs: CostModel) -> tuple[StoredCycle, ...]:
    """The planned cycles of an account that traded, oldest first, from a day on. Raises BadDocument for none."""
    found = []
    for record in reversed(journal.cycles(account_id, CYCLES_MOST)):
        if record.plan_sha256 is None or record.mode == DRY_RUN:
            continue
        if since is not None and day_in_new_york(record.started_at) < since:
            continue
        if journal.plan_text(record.cycle_id, record.account_id) is not None:  # else an archive has it
            found.append(_stored(journal, record, costs))
    if not found:
        raise BadDocument("the journal", "holds no planned cycle of these days", "choose an earlier day: --since")
    return tuple(found)


def _stored(journal: Journal, record: CycleRecord, costs: CostModel) -> StoredCycle:
    texts = [read(record.cycle_id, record.account_id) for read in
             (journal.snapshot_text, journal.rules_text, journal.plan_text)]  # fmt: skip
    seen, said, planned = (text or "" for text in texts)
    snapshot, rules = stored_snapshot(seen), read_rules(said)
    orders = journal.orders_of(record.cycle_id, record.account_id)
    again = replayed(journal, record.cycle_id)
    model = model_fills(snapshot, read_plan(planned), rules, costs)
    return StoredCycle(record, snapshot, rules, model, orders, again.wrong)


def parity_of(journal: Journal, account_id: str, cycles: Sequence[StoredCycle]) -> Parity:
    """Compare all cycles with their plans planned again and filled by the model."""
    history = ledger_of(journal, account_id)
    days = []
    for day, group in groupby(cycles, key=lambda cycle: cycle.day):
        mine = list(group)
        later = [*mine[1:], mine[-1]]
        parts = [divergence(cycle, after) for cycle, after in zip(mine, later, strict=True)]
        fees = sum((fill.fee for cycle in mine for fill in cycle.model.values()), ZERO)
        total = Divergence(
            fills=sum((part.fills for part in parts), ZERO),
            prices=sum((part.prices for part in parts), ZERO),
            cash=_cash(history, day) + fees,
        )
        equal = sum(not cycle.wrong for cycle in mine)
        days.append(ParityDay(day, len(mine), equal, mine[0].snapshot.account.equity, total))
    unequal = tuple((cycle.record.cycle_id, cycle.wrong[0]) for cycle in cycles if cycle.wrong)
    return Parity(tuple(days), unequal)


def divergence(cycle: StoredCycle, after: StoredCycle) -> Divergence:
    """What the fills of a cycle earned until the next one, live less model. An order that no plan has, such as a stop,
    counts as a fill that the model does not have."""
    ends = {**decision_prices(cycle.snapshot, cycle.rules), **decision_prices(after.snapshot, after.rules)}
    fills = prices = ZERO
    live = {order.client_order_id: order for order in cycle.orders}
    for name in sorted({*live, *cycle.model}):
        order, model = live.get(name), cycle.model.get(name)
        filled, paid = _filled(order)
        symbol = model.symbol if model is not None else "" if order is None else order.symbol
        end = ends.get(symbol, paid)
        if model is None:
            fills += filled * (end - paid)
            continue
        prices += filled * (model.price - paid)
        fills += (filled - model.qty) * (end - model.price)
    return Divergence(fills, prices)


def _filled(order: OrderRecord | None) -> tuple[Decimal, Decimal]:
    """Signed shares and their average price."""
    if order is None or order.filled_avg_price is None:
        return ZERO, ZERO
    return order.filled_qty if order.side == "buy" else -order.filled_qty, order.filled_avg_price


def _cash(history: AccountHistory, day: date) -> Decimal:
    """Money of a day that came without a trade, deposits and dividends left out."""
    return sum((e.amount for e in history.cash if e.kind in CASH and day_in_new_york(e.at) == day), ZERO)


def parity_sentence(parity: Parity) -> str:
    """The result in one line."""
    parts = parity.divergence_bp
    said = ", ".join(f"{part} {parts[part]:+.1f} bp" for part in Divergence._fields)
    return f"{parity.plans_equal} of {parity.cycles} plans equal; live less model: {said}"
