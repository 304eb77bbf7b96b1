"""The engine behind the interface of a backtest: a setup in, a run with its fills and accounts out."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Instrument
from rebalancer.core.values import FRACTIONAL_LOT
from rebalancer.research.market import (
    FillColumns,
    Progress,
    SimulatedAccount,
    SimulationResult,
    SimulationSetup,
    Simulator,
)

ENGINE: Final = "rebalancer.research.simulate"
MICROS: Final = 1_000_000


class CompiledRun(NamedTuple):
    """A run of `research.simulate`. trail: what that returned."""

    trail: Any
    setup: SimulationSetup

    @property
    def result(self) -> SimulationResult:
        """The figures."""
        found: SimulationResult = self.trail.result
        return found

    def fills(self) -> FillColumns:
        """Every fill, at the price of its bar."""
        history, market = self.trail.history, self.setup.market
        bar, name = history.fill_bar, history.fill_name
        opens = market.open if self.setup.fill == "next_open" and market.open is not None else market.close
        return FillColumns(
            bar,
            name,
            history.fill_quantity / 10.0 ** self.trail.decimals[name],
            opens[bar, name],
            history.fill_cost / MICROS,
        )

    def account(self, bar: int) -> SimulatedAccount:
        """The account from which the cycle of a bar was decided."""
        found: SimulatedAccount = self.trail.account(bar)
        return found


def load_engine() -> Simulator:
    """The engine. Loading it compiles the numeric core, where the extra `fast` is installed."""
    module = importlib.import_module(ENGINE)

    def simulate(setup: SimulationSetup, progress: Progress | None) -> CompiledRun:
        try:
            trail = module.simulate(
                setup.market,
                setup.instructions,
                setup.rules,
                costs=setup.costs,
                fill=setup.fill,
                equity=setup.equity,
                instruments=instruments_of(setup),
                decides=setup.cycles,
            )
        except ValueError as error:
            raise BadDocument("backtest", str(error), "change the rules or the prices") from error
        if progress is not None:
            progress(len(setup.market.times), len(setup.market.times))
        return CompiledRun(trail, setup)

    return simulate


def instruments_of(setup: SimulationSetup) -> Mapping[str, Instrument]:
    """What is known of every symbol throughout: its class, lots, sector and given correlation group."""
    found = {}
    for i, symbol in enumerate(setup.market.symbols):
        kind = setup.terms.venue.asset_class(symbol)
        found[symbol] = Instrument(
            symbol,
            kind,
            tradable=True,
            fractionable=True,
            shortable=kind == "us_equity",
            lot=FRACTIONAL_LOT if kind == "crypto" else Decimal(1),
            tick=Decimal("0.01"),
            sector=setup.reference.sector[i],
            correlation_group=setup.reference.given_cluster[i],
        )
    return found


def positions_value(fills: FillColumns, close: np.ndarray[Any, Any]) -> tuple[Any, Any, Any, Any]:
    """Gross and net value by bar, value traded by bar, and profit by name after costs, USD.

    close: last known prices, shape (bars, names). Names are taken one by one, so that no matrix of positions is made.
    """
    bars, names = close.shape
    gross, net, traded, profit = np.zeros(bars), np.zeros(bars), np.zeros(bars), np.zeros(names)
    order = np.argsort(fills.name, kind="stable")
    ends = np.searchsorted(fills.name[order], np.arange(names + 1))
    for i in range(names):
        rows = order[ends[i] : ends[i + 1]]
        if not rows.size:
            continue
        bar, shares, price = fills.bar[rows], fills.shares[rows], fills.price[rows]
        held = np.zeros(bars)
        np.add.at(held, bar, shares)
        prices = close[:, i]
        value = np.cumsum(held) * np.nan_to_num(prices[_last_known(prices)])
        gross += np.abs(value)
        net += value
        np.add.at(traded, bar, np.abs(shares * price))
        profit[i] = value[-1] - (shares * price).sum() - fills.cost[rows].sum()
    return gross, net, traded, profit


def _last_known(prices: np.ndarray[Any, Any]) -> Any:
    known = np.where(np.isnan(prices), -1, np.arange(len(prices)))
    return np.maximum(np.maximum.accumulate(known), 0)
