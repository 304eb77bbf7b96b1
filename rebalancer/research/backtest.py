"""One backtest: read, align, simulate, and the document that says what came out.

    read       prices and instructions, with what a policy was applied to
    compile    the engine's copy of the numeric core, when it is compiled
    run        the simulation
    audit      bars planned again by the live planner
    write      files (by the caller)

Decisions are made at the close of a bar. Fills are at the next bar's open, its close, or at the same close.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.market_data.sectors import SectorRow
from rebalancer.planning.to_columns import OutOfRange
from rebalancer.research.corporate_actions import (
    CorporateEvent,
    align_actions,
    gone_names,
    read_actions,
    without_effect,
)
from rebalancer.research.cycles import Rebalance, cycles_of
from rebalancer.research.exposure import stale_marks
from rebalancer.research.instruction_files import InstructionHistory, read_instructions
from rebalancer.research.market import (
    NO_COSTS,
    CostModel,
    EngineRun,
    Fill,
    Floats,
    Progress,
    SimulationResult,
    SimulationSetup,
    Simulator,
)
from rebalancer.research.presets import with_preset
from rebalancer.research.price_files import PriceHistory, between, explained, read_prices
from rebalancer.research.recorded_cycles import LiveAgreement, LiveRecord, agreement, setup_of_record
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import SimulatedRun
from rebalancer.research.trial_figures import TrialFigures

if TYPE_CHECKING:
    from pandas import DataFrame

ENGINE: Final = "rebalancer.research.audit"
COMPILER: Final = "rebalancer.research.compiled"
BACKTEST_SCHEMA: Final = "rebalancer.backtest/1"
EQUITY: Final = 100_000.0
DAYS_A_YEAR: Final = 252
DELISTED_AFTER: Final = 10  # trading days
FILL_KINDS: Final = ("plan", "stop", "target")
Delisted = Literal["last_price", "write_off"]


class BacktestRequest(NamedTuple):
    """What is to be simulated. prices, instructions: files or frames, or prices that were read. rules: in force below
    the preset. first, last: days in New York, both included. equity: USD in cash at the first bar. sectors: by symbol,
    from the sectors file. actions: a file of corporate actions; None where prices are adjusted. delisted: what a name
    is worth that has been without prices for `delisted_after` trading days. record: cycles of a journal, instead of
    prices, instructions and rules."""

    prices: Path | DataFrame | PriceHistory | None
    instructions: Path | DataFrame | None
    rules: Rules
    preset: str | None = None
    first: date | None = None
    last: date | None = None
    costs: CostModel = CostModel()
    fill: Fill = "next_open"
    rebalance: Rebalance = "every_bar"
    equity: float = EQUITY
    actions: Path | None = None
    delisted: Delisted = "last_price"
    delisted_after: int = DELISTED_AFTER
    record: LiveRecord | None = None
    sectors: Mapping[str, SectorRow] = {}


class Backtest(NamedTuple):
    """A finished run. `phases`: seconds by name. `warnings`: what its reader should know, in sentences. `overfitting`:
    its Sharpe ratio among all trials, once it is in the ledger."""

    setup: SimulationSetup
    run: EngineRun
    result: SimulationResult
    prices: PriceHistory
    said: InstructionHistory
    preset: str | None
    phases: Mapping[str, float]
    warnings: tuple[str, ...]
    events: tuple[CorporateEvent, ...] | None = None
    live: LiveAgreement | None = None
    overfitting: TrialFigures | None = None

    @property
    def acted(self) -> dict[str, int]:
        """What corporate actions and missing prices did to positions."""
        acted = self.result.acted
        return {
            "positions_with_dividends": acted.get("dividends", 0),
            "positions_split": acted.get("splits", 0),
            "positions_delisted": acted.get("delistings", 0),
            "orders_dropped_by_actions": acted.get("orders_dropped", 0),
            "actions_without_effect": without_effect(self.setup.market, self.events or ()),
            "stale_marks": stale_marks(self.run.fills(), self.setup.market.close, self.run.events()),
        }

    @property
    def total_return(self) -> float:
        """The change of equity from the start to the last bar, as a fraction."""
        return float(self.result.equity[-1] / self.setup.equity - 1)

    @property
    def drawdown(self) -> Floats:
        """The fraction below the highest equity so far at every bar, zero or less; the start counts as a high."""
        high = np.maximum.accumulate(np.append(self.setup.equity, self.result.equity))[1:]
        return np.asarray(self.result.equity / high - 1)

    @property
    def years(self) -> float:
        """Trading days / 252."""
        return len(np.unique(self.setup.market.day)) / DAYS_A_YEAR

    def document(self) -> dict[str, Any]:
        """The `rebalancer.backtest/1` document; its numbers are JSON numbers."""
        market, result = self.setup.market, self.result
        costs = {name: round(float(value), 6) for name, value in result.costs._asdict().items()}
        return {
            "schema": BACKTEST_SCHEMA,
            "bars": len(market.times),
            "names": len(market.symbols),
            "start_equity": self.setup.equity,
            "final_equity": float(result.equity[-1]),
            "total_return": self.total_return,
            "max_drawdown": float(self.drawdown.min()),
            "turnover": float(result.turnover),
            "turnover_a_year": float(result.turnover / self.years),
            "costs": costs,
            "dividends": round(float(result.dividends), 6),
            "orders": int(result.orders),
            "fills": int(result.fills),
            "exits": dict(result.exits),
            "outcomes": {str(code): int(count) for code, count in sorted(result.outcomes.items())},
            "audit": result.audit._asdict(),
            "engine": result.engine,
            "seconds": float(result.seconds),
            "phases": {name: round(seconds, 4) for name, seconds in self.phases.items()},
            "fill": self.setup.fill,
            "format": self.said.format,
            "preset": self.preset,
            "prices_are": "adjusted" if self.events is None else "raw",
            "policies": {**self.prices.counts, **self.said.counts, **self.acted},
            "warnings": list(self.warnings),
            "overfitting": None if self.overfitting is None else self.overfitting.document(),
        } | ({} if self.live is None else {"live": {"cycles": self.live.cycles, "equal": self.live.equal}})

    def equity_csv(self) -> str:
        """Equity at every bar: `timestamp,equity`; the timestamp of a daily bar is its day."""
        lines = [f"{stamp},{value!r}" for stamp, value in zip(self.stamps(), self.result.equity.tolist(), strict=True)]
        return "\n".join(["timestamp,equity", *lines, ""])

    def fills_csv(self) -> str:
        """Every fill: time, symbol, signed shares, USD a share, USD of costs, and why: plan, stop or target."""
        stamps, symbols, fills = self.stamps(), self.setup.market.symbols, self.run.fills()
        rows = zip(*(column.tolist() for column in fills), strict=True)
        lines = [
            f"{stamps[t]},{symbols[i]},{shares!r},{price!r},{cost!r},{FILL_KINDS[kind]}"
            for t, i, shares, price, cost, kind in rows
        ]
        return "\n".join(["at,symbol,qty,price,costs,why", *lines, ""])

    def stamps(self) -> list[str]:
        """The times of all bars as text: days, or RFC 3339 in UTC."""
        market = self.setup.market
        if self.prices.is_daily:
            return [date.fromordinal(day).isoformat() for day in market.day.tolist()]
        text = np.datetime_as_string(market.times.view("datetime64[ns]"), unit="s")
        return [f"{stamp}Z" for stamp in text.tolist()]


def load_engine() -> Simulator:
    """The engine; it is compiled first, where the extra `fast` is installed."""
    simulate: Simulator = importlib.import_module(ENGINE).simulate
    compiler = importlib.import_module(COMPILER)
    with suppress(compiler.NotCompiled):
        compiler.compiled_engine(sys.stderr.write)
    return simulate


def run_backtest(
    request: BacktestRequest, engine: Simulator | None = None, progress: Progress | None = None
) -> Backtest:
    """Read, simulate and audit. Raises BadDocument for every input that cannot be used."""
    begun = time.perf_counter()
    setup, prices, said, warnings, events = prepared(request)
    read = time.perf_counter()
    engine = engine or load_engine()
    loaded = time.perf_counter()
    try:
        run = engine(setup, progress)
    except OutOfRange as error:
        raise BadDocument("backtest", str(error), "check the prices, or begin with less equity") from error
    done = time.perf_counter()
    result = run.result
    phases = {"read": read - begun, "compile": loaded - read, "run": result.seconds or done - loaded}
    phases["audit"] = max(done - loaded - phases["run"], 0.0)
    live = None
    if request.record is not None and isinstance(run, SimulatedRun):
        live = agreement(run, request.record)
    return Backtest(setup, run, result, prices, said, request.preset, phases, warnings, events, live)


class Prepared(NamedTuple):
    """The setup of a run, its sources, and what its reader should know."""

    setup: SimulationSetup
    prices: PriceHistory
    said: InstructionHistory
    warnings: tuple[str, ...]
    events: tuple[CorporateEvent, ...] | None


def prepared(request: BacktestRequest) -> Prepared:
    """Read what a run needs. Raises BadDocument."""
    if request.record is not None:
        setup, prices, said = setup_of_record(request.record)
        return Prepared(setup, prices, said, said.warnings, None)
    assert request.prices is not None
    assert request.instructions is not None
    if not 0 < request.equity < 1e12:
        raise BadDocument("--equity", f"{request.equity:g} USD is no equity", "give an amount above 0")
    if request.delisted_after < 1:
        raise BadDocument("--delisted-after", f"{request.delisted_after} days are too few", "give 1 or more")
    rules, terms = with_preset(request.rules, request.preset)
    prices = between(read_prices(request.prices), request.first, request.last)
    market = prices.market
    events = None if request.actions is None else tuple(read_actions(request.actions))
    if events is not None:
        prices = explained(prices, {(e.day.toordinal(), e.symbol) for e in events if e.kind == "split"})
    actions = align_actions(
        market, events or (), gone_names(market, request.delisted_after), float(request.delisted == "last_price")
    )
    said = read_instructions(request.instructions, market, rules)
    fill, notes = _fill(request, prices, rules)
    warnings = (*prices.warnings, *said.warnings, *notes)
    setup = SimulationSetup(
        market=market,
        instructions=said.aligned.instructions,
        rules=rules,
        costs=request.costs,
        equity=float(request.equity),
        fill=fill,
        cycles=cycles_of(market, rules, request.rebalance, said.aligned.changed),
        reference=reference_columns(market, request.sectors, rules, actions),
        terms=terms,
        actions=actions,
    )
    return Prepared(setup, prices, said, warnings, events)


def _fill(request: BacktestRequest, prices: PriceHistory, rules: Rules) -> tuple[Fill, tuple[str, ...]]:
    """At which price orders are filled, and what is to be said about it."""
    notes: list[str] = []
    fill = request.fill
    if fill == "next_vwap" and prices.market.vwap is None:
        hint = "give a column vwap, as Alpaca's bars have, or use next_open"
        raise BadDocument("--fill", "next_vwap: the prices have no volume-weighted averages", hint)
    if fill == "next_open" and prices.market.open is None:
        fill = "next_close"
        notes.append("the prices have no opens: orders are filled at the close of the next bar")
    if fill == "same_close":
        notes.append("orders are filled at the close they were decided on, which nobody can trade at")
    if request.costs == NO_COSTS:
        notes.append("no costs: no spread, impact, fees, interest or borrowing")
    elif prices.market.volume is None:
        notes.append("the prices have no volumes: no market impact and no limit of participation")
    if rules.protection.mode != "off" and not prices.market.is_ranged:
        notes.append(
            "the prices have no open, high and low: stops and targets are looked for at the close of each bar, and "
            "trade there"
        )
    if rules.risk_management.flat_by_minutes_before_close is not None and prices.is_daily:
        notes.append("flat_by_minutes_before_close with daily bars, which are at the close: nothing is ever opened")
    return fill, tuple(notes)
