"""Run the rules over history: the numeric core at every bar, with fills, costs and a ledger (`research.engine`).

What is simulated, and what is not:

- every rule of planning: sizing, caps, bands, lots, phases, budgets, order limits, loss limits, the overnight ramp;
- orders are market orders, whatever `execution.order_type` says; a decision sees the close of its bar and no more;
- prices are taken as adjusted; a name without a price keeps its last one and cannot be traded;
- stops and targets of single positions are not, and `flat_by_minutes_before_close` is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from time import perf_counter
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.facts import Instrument
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.venue_rules import ALPACA
from rebalancer.planning.core import codes
from rebalancer.planning.decided import BARRED, DENIED, HELD
from rebalancer.planning.numbers import MICROS, numbers_of
from rebalancer.planning.to_columns import OutOfRange
from rebalancer.research import engine
from rebalancer.research import tape as tape_rows
from rebalancer.research.columns_of import EQUITY_MOST, Fill, columns_of, conditions_of
from rebalancer.research.compiled import NotCompiled, compiled_engine
from rebalancer.research.market import (
    AuditCount,
    CostModel,
    Instructions,
    Market,
    SimulationCosts,
    SimulationResult,
)


class SimulatedRun(NamedTuple):
    """A run with everything that explains it. `code`, `denied`: how each name ended at each bar (`engine`), the first
    `tape_rows.ABSENT` where it was not in the plan. Quantities of `history` are in base units of `decimals` a share."""

    result: SimulationResult
    market: Market
    instructions: Instructions
    rules: Rules
    instruments: tuple[Instrument, ...]
    history: Any
    code: NDArray[np.int16]
    denied: NDArray[np.int16]
    volatility: NDArray[np.float64]
    decimals: NDArray[np.int64]
    price_decimals: NDArray[np.int64]
    decides: NDArray[np.int64]
    fill: Fill

    def positions(self, bar: int) -> dict[str, Decimal]:
        """Signed shares before the orders of a bar are decided: after all fills of earlier bars, and of this one where
        orders fill later than they are decided."""
        fills = self.history
        last = bar if self.fill != "same_close" else bar - 1
        units: dict[int, int] = {}
        for at, name, quantity in zip(fills.fill_bar, fills.fill_name, fills.fill_quantity, strict=True):
            if at <= last:
                units[int(name)] = units.get(int(name), 0) + int(quantity)
        return {
            self.market.symbols[i]: Decimal(q).scaleb(-int(self.decimals[i])) for i, q in sorted(units.items()) if q
        }


def as_simulated(rules: Rules) -> Rules:
    """The rules as a simulation applies them: market orders. Raises ValueError for a rule that it cannot apply."""
    if rules.risk_management.flat_by_minutes_before_close is not None:
        raise ValueError("risk_management.flat_by_minutes_before_close cannot be simulated yet: set it to null")
    if rules.selection.at_most or rules.selection.withdraw:
        raise ValueError("selection.at_most and selection.withdraw belong to one run: leave them out of a backtest")
    document = rules.model_dump()
    document["execution"]["order_type"] = "market"
    return Rules.model_validate(document)


def plain_instrument(symbol: str) -> Instrument:
    """An instrument of which nothing is known but its symbol: a share in whole shares, or a coin."""
    if ALPACA.asset_class(symbol) == "crypto":
        return Instrument(symbol, "crypto", True, True, False, Decimal("0.000001"), Decimal("0.01"))
    return Instrument(symbol, "us_equity", True, True, True, Decimal(1), Decimal("0.01"))


def simulate(
    market: Market,
    instructions: Instructions,
    rules: Rules,
    *,
    costs: CostModel | None = None,
    fill: Fill = "next_open",
    equity: float = 100_000.0,
    instruments: Mapping[str, Instrument] | None = None,
    decides: NDArray[np.bool_] | None = None,
    interpreted: bool = False,
) -> SimulatedRun:
    """Simulate all bars of a market.

    costs: None for the usual ones. fill: where orders fill. equity: USD at the start. instruments: what is known of the
    symbols; a symbol that is missing is a plain one. decides: the bars at which a cycle runs; all of them by default.
    interpreted: do not compile. Raises ValueError for a rule that cannot be simulated and OutOfRange for numbers that
    the core cannot hold.
    """
    begun = perf_counter()
    rules = as_simulated(rules)
    known = instruments or {}
    members = tuple(known.get(s) or plain_instrument(s) for s in market.symbols)
    core = _engine(interpreted)
    tape, fixed, volatility, price_decimals, decimals = columns_of(market, instructions, rules, members, fill, decides)
    conditions = conditions_of(market, instructions, rules, costs or CostModel(), fill)
    numbers = numbers_of(rules, ALPACA)
    cash = round(Decimal(repr(float(equity))) * MICROS)
    found = core.simulate(
        core.Tape(*tape),
        core.Fixed(*(_column(core, column) for column in fixed)),
        core.Numbers(*numbers),
        core.Conditions(*conditions),
        cash,
    )
    if max(found.equity, default=0) > EQUITY_MOST:
        raise OutOfRange("the equity rose above 1,000,000,000,000 USD, which cannot be counted")
    history = tape_rows.History._make(np.asarray(column, np.int64) for column in found)
    result = _result(history, tape, fixed, core is not engine, perf_counter() - begun)
    return SimulatedRun(
        result, market, instructions, rules, members, history, tape.code, tape.denied, volatility, decimals,
        price_decimals, np.asarray(tape.decides), fill,
    )  # fmt: skip


def _engine(interpreted: bool) -> ModuleType:
    if not interpreted:
        try:
            return compiled_engine(sys.stderr.write)
        except NotCompiled:
            pass
    return engine


def _column(core: ModuleType, column: NDArray[Any]) -> Any:
    """A column as the engine takes it: lists where it is interpreted."""
    return column.tolist() if core is engine else column


def _result(history: Any, tape: Any, fixed: Any, is_compiled: bool, seconds: float) -> SimulationResult:
    """The figures of a run."""
    equity = history.equity / MICROS
    prices = tape.fill if len(history.fill_bar) and history.fill_bar is not None else tape.close
    value = np.abs(history.fill_quantity) * prices[history.fill_bar, history.fill_name] / fixed[5][history.fill_name]
    with np.errstate(divide="ignore", invalid="ignore"):
        turnover = float(np.nansum(value / history.equity[history.fill_bar])) if len(value) else 0.0
    costs = SimulationCosts(*(float(cost) / MICROS for cost in history.costs))
    return SimulationResult(
        equity=equity,
        fills=len(history.fill_bar),
        turnover=turnover,
        outcomes=outcomes_of(tape.code, tape.denied),
        costs=costs,
        orders=len(history.order_bar),
        audit=AuditCount(),
        engine="compiled" if is_compiled else "interpreted",
        seconds=seconds,
    )


def outcomes_of(code: NDArray[np.int16], denied: NDArray[np.int16]) -> dict[str, int]:
    """How often each outcome occurs, over all names of all plans."""
    pairs, counts = np.unique(code.astype(np.int64) * 1000 + denied, return_counts=True)
    found: dict[str, int] = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        outcome = outcome_of(pair // 1000, pair % 1000)
        if outcome is not None:
            found[outcome] = found.get(outcome, 0) + count
    return dict(sorted(found.items()))


def outcome_of(code: int, denied: int) -> Outcome | None:
    """The outcome of a name in one plan; None where it was not in it."""
    if code == tape_rows.ABSENT:
        return None
    if code >= tape_rows.PLANNED:
        return Outcome.PLANNED
    if denied:
        return Outcome.DENIED_DAILY_LOSS if denied == codes.HALTED else DENIED[denied]
    if code >= tape_rows.BARRED:
        bar = code - tape_rows.BARRED
        return Outcome.DENIED_DAILY_LOSS if bar == codes.LEAVING else BARRED[bar]
    return HELD[code] if code != codes.TRADE else Outcome.REJECTED_NO_PRICE
