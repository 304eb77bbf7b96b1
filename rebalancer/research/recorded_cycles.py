"""A backtest of the cycles that a journal has recorded, beside what was really planned in them.

Signals, prices, volatilities and groups are those of the stored snapshots; every stored plan is a bar. Orders fill in
full at the average price that the broker reported, or else at the price of the decision; equity is what the broker
reported; what a stop, a target or a kill closed between two cycles is closed. Everything else is simulated: positions,
cash, budgets, limits, and every decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from rebalancer.core.codec import read_plan, read_rules, stored_snapshot
from rebalancer.core.decisions import Plan
from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Instrument, Signal, Snapshot
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import Journal
from rebalancer.journal.exit_records import RecordedExit, recorded_exits
from rebalancer.planning.numbers import MICROS
from rebalancer.planning.validate_signals import usable_prices, validate_signals
from rebalancer.research import tape as tape_rows
from rebalancer.research.alignment import Aligned
from rebalancer.research.audit import decided_live, decided_simulated
from rebalancer.research.bar_times import nanoseconds
from rebalancer.research.instruction_files import InstructionHistory
from rebalancer.research.market import (
    NO_COSTS,
    AccountTerms,
    Instructions,
    Integers,
    Market,
    RecordedExits,
    ReferenceColumns,
    SimulationSetup,
    StartOfRun,
)
from rebalancer.research.price_files import PriceHistory, last_of_day
from rebalancer.research.recorded_prices import CYCLES_MOST, PLACE
from rebalancer.research.simulate import SimulatedRun

KINDS: Final = {"stop": tape_rows.STOP, "target": tape_rows.TARGET, "flatten": tape_rows.FLATTEN}
EXIT_LASTS: Final = timedelta(microseconds=tape_rows.EXIT_LASTS // 1000)
NOTES: Final = (
    "fills, exits, equity and fees are those of the journal",
    "an order that was not sent live fills at the price of its decision",
)


class RecordedCycle(NamedTuple):
    """One planned cycle: what it saw, what it planned, and the average prices of its fills by symbol."""

    snapshot: Snapshot
    plan: Plan
    filled: Mapping[str, Decimal]


class LiveRecord(NamedTuple):
    """The cycles of one account under one set of rules, and the exits that closed positions outside of them, oldest
    first."""

    cycles: tuple[RecordedCycle, ...]
    rules: Rules
    exits: tuple[RecordedExit, ...] = ()


class LiveAgreement(NamedTuple):
    """At how many of the recorded cycles the backtest planned the same, and the bars at which it did not."""

    cycles: int
    equal: int
    unequal: tuple[int, ...]


def live_record(journal: Journal, first: date | None = None, last: date | None = None) -> LiveRecord:
    """The planned cycles of the latest account, on these days of New York. Raises BadDocument where there are none, the
    rules changed among them."""
    records = [c for c in reversed(journal.cycles(None, CYCLES_MOST)) if c.plan_sha256 and c.mode != "dry_run"]
    if records:
        records = [record for record in records if record.account_id == records[-1].account_id]
    found: list[RecordedCycle] = []
    known: dict[str, str] = {}
    for record in records:
        text, planned = (
            read(record.cycle_id, record.account_id) for read in (journal.snapshot_text, journal.plan_text)
        )
        assert text is not None
        assert planned is not None
        snapshot = stored_snapshot(text)
        day = day_in_new_york(snapshot.as_of)
        if (first is not None and day < first) or (last is not None and day > last):
            continue
        known.setdefault(record.rules_sha256, record.cycle_id)
        fills = {
            order.symbol: order.filled_avg_price
            for order in journal.orders_of(record.cycle_id, record.account_id)
            if order.filled_avg_price is not None
        }
        found.append(RecordedCycle(snapshot, read_plan(planned), fills))
    if not found:
        raise BadDocument(PLACE, "holds no planned cycle of these days", "rebalancer session records a day")
    if len(known) > 1:
        changed = list(known.values())[1]
        raise BadDocument(PLACE, f"the rules changed at {changed}", "choose days of one set of rules: --from, --to")
    rules = journal.rules_text(found[0].snapshot.cycle_id, records[-1].account_id)
    assert rules is not None
    exits = recorded_exits(journal, records[-1].account_id, found[0].snapshot.as_of - EXIT_LASTS)
    return LiveRecord(tuple(found), read_rules(rules), exits)


def setup_of_record(record: LiveRecord) -> tuple[SimulationSetup, PriceHistory, InstructionHistory]:
    """The setup whose bars are the recorded cycles. Raises BadDocument where two sources speak about one name."""
    cycles, rules = record.cycles, record.rules
    seen = [cycle.snapshot for cycle in cycles]
    usable = [usable_prices(snapshot, rules.quotes) for snapshot in seen]
    spoken = [
        _one_each(validate_signals(snapshot, prices, rules).signals, snapshot)
        for snapshot, prices in zip(seen, usable, strict=True)
    ]
    names = {symbol for signals in spoken for symbol in signals} | {p.symbol for one in seen for p in one.positions}
    symbols = tuple(sorted(names))
    if not symbols:
        raise BadDocument(PLACE, "no signal of these cycles could be acted upon", "choose other days: --from, --to")
    days = np.array([day_in_new_york(snapshot.as_of).toordinal() for snapshot in seen], np.int64)
    close = np.array([[_float(prices.usable.get(s)) for s in symbols] for prices in usable])
    times = np.array([nanoseconds(snapshot.as_of) for snapshot in seen], np.int64)
    market = Market(symbols, times, close, None, None, days, last_of_day(days))
    filled = np.array([[_float(cycle.filled.get(s)) for s in symbols] for cycle in cycles])
    account = seen[0].account
    said = _instructions(spoken, symbols)
    setup = SimulationSetup(
        market=market,
        instructions=said,
        rules=rules,
        costs=NO_COSTS,
        equity=float(account.equity),
        fill="same_close",
        cycles=np.ones(len(seen), dtype=bool),
        reference=_reference(seen, symbols, days),
        terms=AccountTerms(account.multiplier, seen[0].venue),
        start=StartOfRun(
            account.cash, {p.symbol: p.qty for p in seen[0].positions}, account.last_equity, account.peak_equity or ZERO
        ),
        filled_at=np.where(np.isnan(filled), close, filled),
        worth=np.array([int(snapshot.account.equity * MICROS) for snapshot in seen], np.int64),
        exits=_exits(record.exits, symbols, times, days),
        learned=tuple(seen[first].trading_costs for first in np.unique(days, return_index=True)[1].tolist()),
    )
    missing = int(np.isnan(close).sum())
    prices = PriceHistory(market, False, PLACE, {"missing_prices": missing})
    aligned = Aligned(said, np.ones(len(seen), dtype=bool), 0)
    return setup, prices, InstructionHistory(aligned, f"recorded {said.kind}", PLACE, {}, NOTES)


def agreement(run: SimulatedRun, record: LiveRecord) -> LiveAgreement:
    """Compare the orders and outcomes of every bar with those of the stored plan. Signals that live planning rejected
    are not in the backtest, and are not compared."""
    unequal = []
    for bar, cycle in enumerate(record.cycles):
        live, ours = decided_live(cycle.plan), decided_simulated(run, bar)
        live = {symbol: what for symbol, what in live.items() if not what.startswith("REJECTED_") or symbol in ours}
        if live != ours:
            unequal.append(bar)
    return LiveAgreement(len(record.cycles), len(record.cycles) - len(unequal), tuple(unequal))


def _one_each(signals: Mapping[str, Sequence[Signal]], snapshot: Snapshot) -> dict[str, Signal]:
    for symbol, rows in signals.items():
        if len(rows) > 1:
            sources = ", ".join(sorted(signal.source for signal in rows))
            problem = f"{snapshot.cycle_id}: {len(rows)} sources speak about {symbol}: {sources}"
            raise BadDocument(PLACE, problem, "a backtest of the journal takes one source a name")
    return {symbol: rows[0] for symbol, rows in signals.items()}


def _instructions(spoken: Sequence[Mapping[str, Signal]], symbols: Sequence[str]) -> Instructions:
    kinds = {signal.target is not None for signals in spoken for signal in signals.values()}
    if len(kinds) > 1:
        raise BadDocument(PLACE, "holds target weights and scores", "choose days of one kind: --from, --to")
    value, confidence = (np.full((len(spoken), len(symbols)), np.nan) for _ in range(2))
    said = np.zeros((len(spoken), len(symbols)), np.int64)
    for bar, signals in enumerate(spoken):
        for i, symbol in enumerate(symbols):
            if (signal := signals.get(symbol)) is not None:
                value[bar, i] = signal.score if signal.target is None else float(signal.target)
                confidence[bar, i], said[bar, i] = signal.confidence, nanoseconds(signal.issued_at)
    if True in kinds:
        return Instructions("targets", value, said=said)
    return Instructions("scores", value, confidence, said)


def _exits(exits: Sequence[RecordedExit], symbols: Sequence[str], times: Integers, days: Integers) -> RecordedExits:
    """The exits up to the last cycle, each at the first cycle that saw it. One from before the first cycle closes
    nothing, and is remembered; one of an earlier day is in no budget of its bar's day."""
    found = [(one, int(np.searchsorted(times, nanoseconds(one.at)))) for one in exits if one.symbol in symbols]
    found = [(one, bar) for one, bar in found if bar < len(times)]
    counted = [bar > 0 and one.is_order and day_in_new_york(one.at).toordinal() == int(days[bar]) for one, bar in found]
    kinds = [KINDS.get(one.kind, tape_rows.FLATTEN) for one, _ in found]
    return RecordedExits(
        bar=np.array([bar for _, bar in found], np.int64),
        name=np.array([symbols.index(one.symbol) for one, _ in found], np.int64),
        shares=np.array([float(one.qty) if bar else 0.0 for one, bar in found], np.float64),
        price=np.array([_float(one.price) for one, _ in found], np.float64),
        kind=np.array(kinds, np.int64) + tape_rows.COUNTED * np.array(counted, np.int64),
        at=np.array([nanoseconds(one.at) for one, _ in found], np.int64),
    )


def _reference(seen: Sequence[Snapshot], symbols: Sequence[str], days: Integers) -> ReferenceColumns:
    """Volatilities and groups as the snapshots of each day first tell them."""
    distinct, row = np.unique(days, return_inverse=True)
    known: list[dict[str, Instrument]] = [{} for _ in distinct]
    for snapshot, day in zip(seen, row.tolist(), strict=True):
        for instrument in snapshot.instruments:
            known[day].setdefault(instrument.symbol, instrument)
    volatility = np.array([[_float(_of(day, s, "volatility")) for s in symbols] for day in known])
    cluster = np.full(volatility.shape, -1, np.int32)
    for d, day in enumerate(known):
        first: dict[str, int] = {}
        for i, symbol in enumerate(symbols):
            if (group := _of(day, symbol, "correlation_group")) is not None:
                cluster[d, i] = first.setdefault(str(group), i)
    latest = {symbol: instrument for day in known for symbol, instrument in day.items()}
    sectors = tuple(latest[s].sector if s in latest else None for s in symbols)
    judged = tuple(seen[int(np.argmax(row == d))].regime for d in range(len(distinct)))
    regime = judged if any(one is not None for one in judged) else ()
    return ReferenceColumns(row.astype(np.int64), volatility, cluster, sectors, (None,) * len(symbols), regime)


def _of(day: Mapping[str, Instrument], symbol: str, field: str) -> object:
    return getattr(day[symbol], field) if symbol in day else None


def _float(value: object) -> float:
    return float("nan") if value is None else float(value)  # type: ignore[arg-type]  # a number
