"""A slow engine for tests: live `plan` on the rebuilt snapshot of every bar, filled without costs but half a spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from rebalancer.core.decisions import Order, Plan
from rebalancer.core.values import ZERO, decimal_near
from rebalancer.planning import plan
from rebalancer.research.market import (
    AuditCount,
    FillColumns,
    Progress,
    SimulatedAccount,
    SimulationCosts,
    SimulationResult,
    SimulationSetup,
)
from rebalancer.research.snapshots import last_prices, price_of, snapshot_at


class Replay:
    """One run, bar by bar; `plans` and `accounts` are what was decided and from what, by bar."""

    def __init__(self, setup: SimulationSetup) -> None:
        self.setup = setup
        self.cash = decimal_near(setup.equity)
        self.shares: dict[str, Decimal] = {}
        self.plans: dict[int, Plan] = {}
        self.accounts: dict[int, SimulatedAccount] = {}
        self.count = self.orders = 0
        self.spread = ZERO
        self.turnover = 0.0
        self.outcomes: Counter[str] = Counter()
        self.rows: list[tuple[int, int, float, float, float]] = []
        self.result: SimulationResult

    def fills(self) -> FillColumns:
        bar, name, *rest = zip(*self.rows, strict=True) if self.rows else [()] * 5
        whole = (np.array(bar, dtype=np.int64), np.array(name, dtype=np.int64))
        return FillColumns(*whole, *(np.array(column, dtype=np.float64) for column in rest))

    def account(self, bar: int) -> SimulatedAccount:
        return self.accounts[bar]

    def fill(self, orders: Sequence[Order], bar: int, prices: np.ndarray) -> None:
        half = decimal_near(self.setup.costs.half_spread_bps) / 10_000
        before = float(self.equity(bar))
        for order in orders:
            price = float(prices[self.setup.market.symbols.index(order.symbol)])
            if np.isnan(price):
                self.outcomes["UNFILLED"] += 1
                continue
            sign = 1 if order.side == "buy" else -1
            paid = price_of(price)
            self.cash -= sign * order.qty * paid + order.qty * paid * half
            self.spread += order.qty * paid * half
            held = self.shares.get(order.symbol, ZERO) + sign * order.qty
            self.shares = {**self.shares, order.symbol: held}
            self.shares = {symbol: qty for symbol, qty in self.shares.items() if qty != 0}
            self.count += 1
            self.turnover += float(order.qty * paid) / before
            self.outcomes["FILLED"] += 1
            name = self.setup.market.symbols.index(order.symbol)
            self.rows.append((bar, name, float(sign * order.qty), float(paid), float(order.qty * paid * half)))

    def equity(self, bar: int) -> Decimal:
        prices = last_prices(self.setup.market, bar)
        at = {symbol: i for i, symbol in enumerate(self.setup.market.symbols)}
        return self.cash + sum((qty * price_of(float(prices[at[s]])) for s, qty in self.shares.items()), ZERO)


def stand_in(setup: SimulationSetup, progress: Progress | None = None) -> Replay:
    return replayed(setup, progress)[1]


def replayed(setup: SimulationSetup, progress: Progress | None = None) -> tuple[SimulationResult, Replay]:
    market, run = setup.market, Replay(setup)
    waiting: Sequence[Order] = ()
    last = peak = decimal_near(setup.equity)
    sent: Counter[str] = Counter()
    equity = []
    for bar in range(len(market.times)):
        if waiting:
            opens = market.open if setup.fill == "next_open" else None
            run.fill(waiting, bar, market.close[bar] if opens is None else opens[bar])
            waiting = ()
        now = run.equity(bar)
        peak = max(peak, now)
        if setup.cycles[bar]:
            account = SimulatedAccount(run.cash, run.shares, last, peak, sum(sent.values()), dict(sent))
            found = plan(snapshot_at(setup, bar, account), setup.rules)
            run.plans[bar], run.accounts[bar] = found, account
            run.orders += len(found.orders)
            run.outcomes.update(v.outcome for v in (*found.verdicts, *found.unsignalled) if v.outcome != "PLANNED")
            sent.update(order.symbol for order in found.orders)
            if setup.fill == "same_close":
                run.fill(found.orders, bar, market.close[bar])
            else:
                waiting = found.orders
        equity.append(float(run.equity(bar)))
        if market.is_last_of_day[bar]:
            last = run.equity(bar)
            sent.clear()
        if progress is not None:
            progress(bar + 1, len(market.times))
    run.result = SimulationResult(
        np.array(equity), run.count, run.turnover, dict(sorted(run.outcomes.items())),
        SimulationCosts(spread=float(run.spread)), run.orders, AuditCount(), "interpreted", 0.0,
    )  # fmt: skip
    return run.result, run
