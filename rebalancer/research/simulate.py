"""Run the rules over history: the numeric core at every bar, with fills, costs and a ledger (`research.engine`).

What is simulated, and what is not:

- every rule of planning: sizing, caps, bands, lots, phases, budgets, order limits, loss limits, the overnight ramp;
- a decision sees the close of its bar and no more;
- without corporate actions prices are taken as adjusted; with them (`research.corporate_actions`) as raw;
- a name without a price keeps its last one and cannot be traded; one that stays without is closed as a delisting;
- limit orders fill at the price of the fill where that is within their limit, and else not at all;
- stops and targets of single positions close them within a bar (`research.position_exits`), and the cool-off follows;
- `selection.at_most`, `selection.withdraw` and a quorum of sources are refused.

After each run the live planner plans some bars again (`research.audit`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from time import perf_counter
from types import ModuleType
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.documents import BadDocument
from rebalancer.planning.numbers import MICROS, numbers_of
from rebalancer.planning.to_columns import OutOfRange
from rebalancer.research import engine
from rebalancer.research import tape as tape_rows
from rebalancer.research.columns_of import EngineInput, engine_input, fill_prices, window, with_fees
from rebalancer.research.compiled import NotCompiled, compiled_engine
from rebalancer.research.exit_history import exit_counts, exits_between, last_exits
from rebalancer.research.grains import grains_of
from rebalancer.research.history import History, KeptExits, KeptRows, Recorder
from rebalancer.research.market import (
    AuditCount,
    EventColumns,
    FillColumns,
    Floats,
    Integers,
    Progress,
    SimulatedAccount,
    SimulationCosts,
    SimulationResult,
    SimulationSetup,
)
from rebalancer.research.outcome_counts import CELLS_AT_ONCE, outcomes_of
from rebalancer.research.refused_rules import refuse_what_is_not_simulated

EQUITY_MOST: Final = 10**16  # micro-dollars
FIRST_STEP: Final = 16  # bars
STEP_SECONDS: Final = 0.1
BARS_A_MARK: Final = 64
LATCHED: Final = "a loss limit was reached earlier on this day"


class SimulatedRun(NamedTuple):
    """A run with everything that explains it. `history`: as the engine returns it, arrays; quantities are in base units
    of `given.decimals` a share."""

    setup: SimulationSetup
    given: EngineInput
    history: History
    engine: Literal["compiled", "interpreted"]
    seconds: float
    audit: AuditCount = AuditCount()

    @property
    def result(self) -> SimulationResult:
        """The figures."""
        history, equity = self.history, self.history.equity / MICROS
        with np.errstate(divide="ignore", invalid="ignore"):
            turnover = float(np.nansum(np.where(equity > 0, history.traded / equity, 0.0)))
        return SimulationResult(
            equity=equity,
            fills=len(history.fills.name) + len(history.exits.bar),
            turnover=turnover,
            outcomes=outcomes_of(self.given.tape.code, self.given.tape.denied),
            costs=SimulationCosts(*(float(cost) / MICROS for cost in history.costs)),
            orders=len(history.orders.name) + len(history.exits.bar),
            audit=self.audit,
            engine=self.engine,
            seconds=self.seconds,
            dividends=self._dividends(),
            acted=self._acted(),
            exits=exit_counts(self.given, self.history),
        )

    def _kinds(self) -> NDArray[np.int64]:
        """Of every event: 0 a dividend, 1 a split, 2 a delisting."""
        actions, row = self.setup.actions, np.asarray(self.history.event_action)
        new, old = actions.new[row], actions.old[row]
        return np.where(new == 0, 2, np.where(new == old, 0, 1)).astype(np.int64)

    def _dividends(self) -> float:
        return float(np.asarray(self.history.event_money)[self._kinds() == 0].sum()) / MICROS

    def _acted(self) -> dict[str, int]:
        found = np.bincount(self._kinds(), minlength=3).tolist()
        dropped = int(self.history.counts[tape_rows.DROPPED])
        return {**dict(zip(("dividends", "splits", "delistings"), found, strict=True)), "orders_dropped": dropped}

    def events(self) -> EventColumns:
        """Every corporate action of a position, in order; before them what the account began with, at first prices."""
        history, begun = self.history, start_units(self.setup, self.given)
        name = np.append(np.array([*begun], np.int64), self.setup.actions.name[np.asarray(history.event_action)])
        units = np.append(np.array([*begun.values()], np.int64), np.asarray(history.event_quantity))
        shares = units / 10.0 ** self.given.decimals[name]
        paid = [-shares[k] * _first_price(self.setup.market.close[:, i]) for k, i in enumerate(begun)]
        return EventColumns(
            bar=np.append(np.zeros(len(begun), np.int64), np.asarray(history.event_bar)),
            name=name,
            shares=shares,
            cash=np.append(np.array(paid), np.asarray(history.event_money) / MICROS),
        )

    def fills(self) -> FillColumns:
        """Every fill by bar, exits after the orders of a plan."""
        kept, given, exits = self.history.fills, self.given, self.history.exits
        bar, name = kept.bars(), kept.name.astype(np.int64)
        gone = 10.0 ** given.decimals[exits.name], 10.0 ** given.price_decimals[exits.name]
        planned = FillColumns(
            bar=bar,
            name=name,
            shares=kept.quantity / 10.0 ** given.decimals[name],
            price=fill_prices(self.setup, given, bar, name),
            cost=kept.more / MICROS,
            kind=np.zeros(len(bar), np.int8),
        )
        if not len(exits.bar):
            return planned
        kind = (exits.kind % tape_rows.COUNTED + 1).astype(np.int8)
        shares, prices = exits.quantity / gone[0], exits.price / gone[1]
        closed = FillColumns(exits.bar, exits.name, shares, prices, exits.more / MICROS, kind)
        order = np.argsort(np.concatenate((bar, exits.bar)), kind="stable")
        pairs = (np.concatenate([getattr(one, name) for one in (planned, closed)]) for name in FillColumns._fields)
        return FillColumns._make(column[order] for column in pairs)

    def account(self, bar: int) -> SimulatedAccount:
        """The account when the cycle of a bar decided."""
        history, symbols = self.history, self.setup.market.symbols
        first = int(np.searchsorted(self.given.tape.day, self.given.tape.day[bar], "left"))
        last = bar - 1 if self.setup.fill == "same_close" else bar
        units = history.held(last, self.setup.actions.name, bar, bar)
        exits = [
            name for name, kind, _ in exits_between(self.given, self.history, first, bar) if kind >= tape_rows.COUNTED
        ]
        sent = np.bincount(
            np.append(history.orders.name[history.orders.rows(first, bar)].astype(np.int64), np.array(exits, np.int64)),
            minlength=len(symbols),
        )
        start = begun = micros_of(self.setup.equity)
        if self.setup.start is not None:
            begun, start = (int(part * MICROS) for part in self.setup.start[2:])
        before = int(history.equity[first - 1]) if first else begun
        equity = history.equity_decided
        return SimulatedAccount(
            cash=Decimal(int(history.cash_decided[bar])) / MICROS,
            shares={
                symbols[i]: Decimal(int(units[i])).scaleb(-int(self.given.decimals[i])) for i in np.flatnonzero(units)
            },
            last_equity=Decimal(before) / MICROS,
            peak_equity=Decimal(max(start, int(equity[: bar + 1].max()))) / MICROS,
            orders_sent=int(sent.sum()),
            orders_sent_by_symbol={symbols[i]: int(sent[i]) for i in np.flatnonzero(sent)},
            latched={"daily_loss": LATCHED} if history.halted[first:bar].any() else {},
            equity=Decimal(int(equity[bar])) / MICROS,
            entry=self.entry_prices(last, bar, units),
            stopped_out=last_exits(self.setup.market.symbols, self.given, self.history, bar),
            stop_exits=last_exits(self.setup.market.symbols, self.given, self.history, bar, stops_alone=True),
        )

    def entry_prices(self, last: int, bar: int, units: Integers) -> dict[str, Decimal]:
        """The average prices of positions, after the fills of the bar `last` and the actions of `bar`. units: the
        positions. Nothing where exits are off: they are not kept then."""
        if self.given.conditions.exits == tape_rows.NO_EXITS:
            return {}
        grains = self.history.entry(last, self.setup.actions.name, bar)
        symbols, decimals = self.setup.market.symbols, self.given.price_decimals
        return {symbols[i]: Decimal(int(grains[i])).scaleb(-int(decimals[i])) for i in np.flatnonzero(units)}


def simulated(
    setup: SimulationSetup,
    progress: Progress | None = None,
    *,
    interpreted: bool = False,
    bars_at_once: int | None = None,
) -> SimulatedRun:
    """The run of a setup, unaudited. progress: told how many bars are done. interpreted: without the compiler, also
    where it is installed. bars_at_once: between two calls of `progress`; None is as many as a tenth of a second takes.
    The result does not depend on it."""
    begun = perf_counter()
    refuse_what_is_not_simulated(setup.rules)
    given, core = engine_input(setup), _engine(interpreted)
    is_compiled = core is not engine
    conditions = core.Conditions(*given.conditions)
    fixed = core.Fixed(*(column if is_compiled else column.tolist() for column in given.fixed))
    numbers = core.Numbers(*numbers_of(setup.rules, setup.terms.venue))
    bars, done = setup.market.close.shape[0], 0
    state = core.begin(core.Tape(*window(setup, given, 0, 1)), fixed, conditions, micros_of(setup.equity))
    _begin_with_positions(setup, given, state)
    watches = given.conditions.exits != tape_rows.NO_EXITS
    orders, fills, traded = Recorder(bars), Recorder(bars, keeps_prices=watches), np.zeros(bars)
    exits: list[KeptExits] = []
    marks: dict[int, tuple[Integers, Integers]] = {}
    most = max(CELLS_AT_ONCE // len(setup.market.symbols), 1)
    step = bars_at_once or FIRST_STEP
    while done < bars:
        priced, until = with_fees(given.conditions, setup, done)
        last, before = min(done + min(step, most), bars, until), perf_counter()
        if not done or done - max(marks) >= BARS_A_MARK:
            marks[done] = np.array(state.held, np.int64), np.array(state.entry, np.int64)
        tape = core.Tape(*window(setup, given, done, last))
        state = core.advance(tape, fixed, numbers, core.Conditions(*priced), state, done, last)
        traded[done:last] = _traded(setup, given, state, done, last)
        orders.add(state.orders, int(state.counts[tape_rows.ORDERS]), done, last)
        fills.add(state.fills, int(state.counts[tape_rows.FILLS]), done, last)
        exits.append(_exits_so_far(state))
        state.counts[tape_rows.ORDERS] = state.counts[tape_rows.FILLS] = state.counts[tape_rows.EXITS] = 0
        done = last
        if progress is not None:
            progress("simulating", done, bars)
        if bars_at_once is None:
            took = perf_counter() - before
            step = max(step * 2 if took < STEP_SECONDS / 2 else step // 2 if took > STEP_SECONDS * 2 else step, 1)
    history = _history(state, orders.kept(), fills.kept(), exits, traded, marks)
    if np.max(history.equity, initial=0) > EQUITY_MOST:
        raise OutOfRange("the equity rose above 10,000,000,000 USD, which cannot be counted")
    return SimulatedRun(setup, given, history, "compiled" if is_compiled else "interpreted", perf_counter() - begun)


def _begin_with_positions(setup: SimulationSetup, given: EngineInput, state: tape_rows.State) -> None:
    """Put what an account begins with into the state before the first bar. Raises BadDocument for a position that
    cannot be held exactly."""
    if setup.start is None:
        return
    account = state.account
    account[tape_rows.CASH] = int(setup.start.cash * MICROS)
    account[tape_rows.WORTH_BEFORE] = int(setup.start.last_equity * MICROS)
    account[tape_rows.PEAK] = int(setup.start.peak_equity * MICROS)
    for i, units in start_units(setup, given).items():
        state.held[i] = units
        state.entry[i] = int(grains_of(np.array(_first_price(setup.market.close[:, i])), given.price_decimals[i]))


def start_units(setup: SimulationSetup, given: EngineInput) -> dict[int, int]:
    """The positions before the first bar: base units by place of the name."""
    found = {}
    for symbol, shares in ({} if setup.start is None else setup.start.shares).items():
        i = setup.market.symbols.index(symbol)
        exact = shares.scaleb(int(given.decimals[i]))
        if exact != int(exact):
            raise BadDocument(
                "backtest", f"{shares} {symbol} have more than six decimals", "begin with other positions"
            )
        found[i] = int(exact)
    return found


def _history(
    state: tape_rows.State,
    orders: KeptRows,
    fills: KeptRows,
    exits: Sequence[KeptExits],
    traded: Floats,
    marks: Mapping[int, tuple[Integers, Integers]],
) -> History:
    """What happened, as arrays in both modes."""
    state.counts[tape_rows.ORDERS], state.counts[tape_rows.FILLS] = len(orders.name), len(fills.name)
    by_bar = (state.equity, state.cash, state.equity_decided, state.cash_decided, state.halted)
    equity, cash, equity_decided, cash_decided, halted = (np.asarray(column, np.int64) for column in by_bar)
    events, acted = state.events, int(state.counts[tape_rows.EVENTS])
    columns = (events.bar, events.name, events.quantity, events.more, events.price)
    acts = [np.asarray(column[:acted], np.int64) for column in columns]
    held, entry = (np.array(column, np.int64) for column in zip(*marks.values(), strict=True))
    gone = KeptExits._make(np.concatenate(column) for column in zip(*exits, strict=True))
    return History(
        equity, cash, equity_decided, cash_decided, halted, orders, fills, np.asarray(state.counts, np.int64),
        np.asarray(state.costs, np.int64), np.asarray(state.carried, np.int64), traded,
        np.array(list(marks), np.int64), held, entry, acts[0], acts[1],
        acts[2], acts[3], acts[4], gone,
    )  # fmt: skip


def _exits_so_far(state: tape_rows.State) -> KeptExits:
    rows, count = state.exits, int(state.counts[tape_rows.EXITS])
    columns = (rows.bar, rows.name, rows.quantity, rows.more, rows.price, rows.kind)
    return KeptExits(*(np.array(column[:count], np.int64) for column in columns))


def _traded(setup: SimulationSetup, given: EngineInput, state: tape_rows.State, first: int, last: int) -> Floats:
    """The value of the fills at each bar, USD."""
    rows, count = state.fills, int(state.counts[tape_rows.FILLS])
    bar, name, quantity = (np.asarray(column[:count], np.int64) for column in (rows.bar, rows.name, rows.quantity))
    worth = np.abs(quantity / 10.0 ** given.decimals[name]) * fill_prices(setup, given, bar, name)
    gone = _exits_so_far(state)
    prices = gone.price / 10.0 ** given.price_decimals[gone.name]
    closed = np.abs(gone.quantity / 10.0 ** given.decimals[gone.name]) * prices
    bars, values = np.append(bar, gone.bar) - first, np.append(worth, closed)
    return np.bincount(bars, values, last - first).astype(np.float64)


def _first_price(close: NDArray[np.float64]) -> float:
    known = close[~np.isnan(close)]
    return float(known[0]) if known.size else 0.0


def micros_of(usd: float) -> int:
    """US dollars in micro-dollars, rounded to the nearest."""
    return round(Decimal(repr(float(usd))) * MICROS)


def _engine(interpreted: bool) -> ModuleType:
    if not interpreted:
        try:
            return compiled_engine(sys.stderr.write)
        except NotCompiled:
            pass
    return engine
