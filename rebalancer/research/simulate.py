"""Run the rules over history: the numeric core at every bar, with fills, costs and a ledger (`research.engine`).

What is simulated, and what is not:

- every rule of planning: sizing, caps, bands, lots, phases, budgets, order limits, loss limits, the overnight ramp;
- a decision sees the close of its bar and no more;
- without corporate actions prices are taken as adjusted; with them (`research.corporate_actions`) as raw;
- a name without a price keeps its last one and cannot be traded; one that stays without is closed as a delisting;
- limit orders fill at the price of the fill where that is within their limit, and else not at all;
- stops and targets of single positions are not simulated; `selection.at_most`, `selection.withdraw` and a quorum of
  sources are refused.

After each run the live planner plans some bars again (`research.audit`).
"""

from __future__ import annotations

import sys
from decimal import Decimal
from time import perf_counter
from types import ModuleType
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.documents import BadDocument
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.planning.core import codes
from rebalancer.planning.decided import BARRED, DENIED, HELD
from rebalancer.planning.numbers import MICROS, numbers_of
from rebalancer.planning.to_columns import OutOfRange
from rebalancer.research import engine
from rebalancer.research import tape as tape_rows
from rebalancer.research.columns_of import EngineInput, engine_input, with_fees
from rebalancer.research.compiled import NotCompiled, compiled_engine
from rebalancer.research.market import (
    AuditCount,
    EventColumns,
    FillColumns,
    Progress,
    SimulatedAccount,
    SimulationCosts,
    SimulationResult,
    SimulationSetup,
)

EQUITY_MOST: Final = 10**16  # micro-dollars
FIRST_STEP: Final = 16  # bars
STEP_SECONDS: Final = 0.1
LATCHED: Final = "a loss limit was reached earlier on this day"


class SimulatedRun(NamedTuple):
    """A run with everything that explains it. `history`: as the engine returns it, arrays; quantities are in base units
    of `given.decimals` a share."""

    setup: SimulationSetup
    given: EngineInput
    history: tape_rows.History
    engine: Literal["compiled", "interpreted"]
    seconds: float
    audit: AuditCount = AuditCount()

    @property
    def result(self) -> SimulationResult:
        """The figures."""
        bar, equity = np.asarray(self.history.fill_bar), np.asarray(self.history.equity) / MICROS
        fills = self.fills()
        traded = np.bincount(bar, np.abs(fills.shares) * fills.price, len(equity))
        with np.errstate(divide="ignore", invalid="ignore"):
            turnover = float(np.nansum(np.where(equity > 0, traded / equity, 0.0)))
        return SimulationResult(
            equity=equity,
            fills=len(bar),
            turnover=turnover,
            outcomes=outcomes_of(self.given.tape.code, self.given.tape.denied),
            costs=SimulationCosts(*(float(cost) / MICROS for cost in self.history.costs)),
            orders=len(self.history.order_bar),
            audit=self.audit,
            engine=self.engine,
            seconds=self.seconds,
            dividends=self._dividends(),
            acted=self._acted(),
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
        """Every fill, in order."""
        history, tape = self.history, self.given.tape
        bar, name = np.asarray(history.fill_bar), np.asarray(history.fill_name)
        return FillColumns(
            bar=bar,
            name=name,
            shares=np.asarray(history.fill_quantity) / 10.0 ** self.given.decimals[name],
            price=tape.fill[bar, name] / 10.0 ** self.given.price_decimals[name],
            cost=np.asarray(history.fill_cost) / MICROS,
        )

    def account(self, bar: int) -> SimulatedAccount:
        """The account when the cycle of a bar decided."""
        history, symbols = self.history, self.setup.market.symbols
        first = int(np.searchsorted(self.given.tape.day, self.given.tape.day[bar], "left"))
        last = bar - 1 if self.setup.fill == "same_close" else bar
        early = np.asarray(history.fill_bar) <= last
        units = np.zeros(len(symbols), np.int64)
        for i, quantity in start_units(self.setup, self.given).items():
            units[i] = quantity
        np.add.at(units, np.asarray(history.fill_name)[early], np.asarray(history.fill_quantity)[early])
        acted = np.asarray(history.event_bar) <= bar
        name = self.setup.actions.name[np.asarray(history.event_action)[acted]]
        np.add.at(units, name, np.asarray(history.event_quantity)[acted])
        at = np.asarray(history.order_bar)
        sent = np.bincount(np.asarray(history.order_name)[(at >= first) & (at < bar)], minlength=len(symbols))
        start = begun = micros_of(self.setup.equity)
        if self.setup.start is not None:
            begun, start = (int(part * MICROS) for part in self.setup.start[2:])
        before = int(history.equity[first - 1]) if first else begun
        equity = np.asarray(history.equity_decided)
        return SimulatedAccount(
            cash=Decimal(int(history.cash_decided[bar])) / MICROS,
            shares={
                symbols[i]: Decimal(int(units[i])).scaleb(-int(self.given.decimals[i])) for i in np.flatnonzero(units)
            },
            last_equity=Decimal(before) / MICROS,
            peak_equity=Decimal(max(start, int(equity[: bar + 1].max()))) / MICROS,
            orders_sent=int(sent.sum()),
            orders_sent_by_symbol={symbols[i]: int(sent[i]) for i in np.flatnonzero(sent)},
            latched={"daily_loss": LATCHED} if np.asarray(history.halted)[first:bar].any() else {},
            equity=Decimal(int(equity[bar])) / MICROS,
        )


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
    tape, conditions = core.Tape(*given.tape), core.Conditions(*given.conditions)
    fixed = core.Fixed(*(column if is_compiled else column.tolist() for column in given.fixed))
    numbers = core.Numbers(*numbers_of(setup.rules, setup.terms.venue))
    state, done, bars = core.begin(tape, fixed, conditions, micros_of(setup.equity)), 0, len(setup.market.times)
    _begin_with_positions(setup, given, state)
    step = bars_at_once or FIRST_STEP
    while done < bars:
        priced, until = with_fees(given.conditions, setup, done)
        last, before = min(done + step, bars, until), perf_counter()
        state = core.advance(tape, fixed, numbers, core.Conditions(*priced), state, done, last)
        done = last
        if progress is not None:
            progress("simulating", done, bars)
        if bars_at_once is None:
            took = perf_counter() - before
            step = max(step * 2 if took < STEP_SECONDS / 2 else step // 2 if took > STEP_SECONDS * 2 else step, 1)
    history = history_of(state)
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


def history_of(state: tape_rows.State) -> tape_rows.History:
    """What happened, as arrays without unused space."""
    orders, fills, events = state.orders, state.fills, state.events
    sent, filled = int(state.counts[tape_rows.ORDERS]), int(state.counts[tape_rows.FILLS])
    acted = int(state.counts[tape_rows.EVENTS])
    found = tape_rows.History(
        state.equity, state.cash, state.equity_decided, state.cash_decided,
        orders.bar[:sent], orders.name[:sent], orders.more[:sent], orders.quantity[:sent],
        fills.bar[:filled], fills.name[:filled], fills.quantity[:filled], fills.more[:filled],
        state.counts, state.costs, state.halted,
        events.bar[:acted], events.name[:acted], events.quantity[:acted], events.more[:acted],
    )  # fmt: skip
    return tape_rows.History._make(np.asarray(column, np.int64) for column in found)


def _first_price(close: NDArray[np.float64]) -> float:
    known = close[~np.isnan(close)]
    return float(known[0]) if known.size else 0.0


def micros_of(usd: float) -> int:
    """US dollars in micro-dollars, rounded to the nearest."""
    return round(Decimal(repr(float(usd))) * MICROS)


def refuse_what_is_not_simulated(rules: Rules) -> None:
    """Raise BadDocument for a rule that a simulation does not apply."""
    if rules.selection.at_most or rules.selection.withdraw:
        raise _not_simulated("selection.at_most and selection.withdraw", "they belong to one run: leave them out")
    if rules.signals.consensus.quorum > 1:
        raise _not_simulated("signals.consensus.quorum above 1", "a file of scores is one source: set it to 1")
    flat, shorts = rules.risk_management.flat_by_minutes_before_close, rules.position_sizing.allow_short
    if rules.execution.order_type == "limit" and flat is not None and shorts:
        what = "flat_by_minutes_before_close with limit orders and short positions"
        raise _not_simulated(what, "set order_type to market, or allow_short to false")


def _not_simulated(what: str, instead: str) -> BadDocument:
    return BadDocument("backtest", f"{what} cannot be simulated yet", instead)


def _engine(interpreted: bool) -> ModuleType:
    if not interpreted:
        try:
            return compiled_engine(sys.stderr.write)
        except NotCompiled:
            pass
    return engine


def outcomes_of(code: NDArray[np.int16], denied: NDArray[np.int16]) -> dict[str, int]:
    """How often each outcome occurs, over all names of all plans."""
    pairs, counts = np.unique(code.astype(np.int64) * 1000 + denied, return_counts=True)
    found: dict[str, int] = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        outcome = outcome_of(pair // 1000, pair % 1000)
        if outcome is not None:
            found[str(outcome)] = found.get(str(outcome), 0) + count
    return dict(sorted(found.items()))


def outcome_of(code: int, denied: int) -> Outcome | None:
    """The outcome of a name in one plan; None where it was not in it. A loss limit counts as DENIED_DAILY_LOSS."""
    if code == tape_rows.ABSENT:
        return None
    if code == tape_rows.UNTRADED:
        return Outcome.REJECTED_NO_PRICE
    if code == tape_rows.PLANNED:
        return Outcome.PLANNED
    if denied == codes.HALTED + tape_rows.FLAT or code == tape_rows.BARRED + codes.LEAVING + tape_rows.FLAT:
        return Outcome.DENIED_FLAT_BY
    if denied:
        return Outcome.DENIED_DAILY_LOSS if denied == codes.HALTED else DENIED[denied]
    if code >= tape_rows.BARRED:
        bar = code - tape_rows.BARRED
        return Outcome.DENIED_DAILY_LOSS if bar == codes.LEAVING else BARRED[bar]
    return HELD[code]
