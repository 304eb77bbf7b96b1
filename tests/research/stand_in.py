"""A slow engine for tests: live `plan` on the rebuilt snapshot of every bar, filled without costs but half a spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from rebalancer.core.decisions import Order, Plan
from rebalancer.core.facts import Snapshot
from rebalancer.core.values import ZERO, decimal_near
from rebalancer.planning import plan
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.refit_increases import refit_increases
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
        columns = (np.array(column, dtype=np.float64) for column in rest)
        return FillColumns(*whole, *columns, kind=np.zeros(len(bar), np.int8))

    def events(self) -> EventColumns:
        none = np.zeros(0, np.int64)
        return EventColumns(none, none, np.zeros(0), np.zeros(0))

    def account(self, bar: int) -> SimulatedAccount:
        return self.accounts[bar]

    def fill(self, orders: Sequence[Order], bar: int, prices: np.ndarray) -> None:
        half = decimal_near(self.setup.costs.half_spread_bps) / 10_000
        before = float(self.equity(bar))
        for order in orders:
            price = float(prices[self.setup.market.symbols.index(order.symbol)])
            if np.isnan(price):
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
            name = self.setup.market.symbols.index(order.symbol)
            self.rows.append((bar, name, float(sign * order.qty), float(paid), float(order.qty * paid * half)))

    def fill_later(self, planned: Plan, snapshot: Snapshot, bar: int, prices: np.ndarray) -> None:
        """Reductions first; the increases are fitted to what they left, at the prices of the decision, as live."""
        before = dict(self.shares)
        reductions = [order for order in planned.orders if order.phase == "reduce"]
        increases: Sequence[Order] = [order for order in planned.orders if order.phase == "increase"]
        self.fill(reductions, bar, prices)
        if reductions and increases:
            worth = {quote.symbol: quote.last or ZERO for quote in snapshot.quotes}
            values = [qty * worth[symbol] for symbol, qty in self.shares.items()]
            equity = self.cash + sum(values, ZERO)
            power = max(self.setup.terms.multiplier * equity - sum(map(abs, values), ZERO), ZERO)
            account = snapshot.account._replace(cash=self.cash, equity=equity, buying_power=power)
            filled = {o.symbol: self.shares.get(o.symbol, ZERO) - before.get(o.symbol, ZERO) for o in reductions}
            book = reconcile(snapshot)
            rules = self.setup.rules
            increases = refit_increases(planned, snapshot, book, rules, account, filled).orders
        self.fill(increases, bar, prices)

    def equity(self, bar: int) -> Decimal:
        prices = last_prices(self.setup.market, bar)
        at = {symbol: i for i, symbol in enumerate(self.setup.market.symbols)}
        return self.cash + sum((qty * price_of(float(prices[at[s]])) for s, qty in self.shares.items()), ZERO)


def stand_in(setup: SimulationSetup, progress: Progress | None = None) -> Replay:
    return replayed(setup, progress)[1]


def replayed(setup: SimulationSetup, progress: Progress | None = None) -> tuple[SimulationResult, Replay]:
    market, run = setup.market, Replay(setup)
    waiting: tuple[Plan, Snapshot] | None = None
    last = peak = decimal_near(setup.equity)
    sent: Counter[str] = Counter()
    equity = []
    for bar in range(len(market.times)):
        if waiting is not None:
            opens = market.open if setup.fill == "next_open" else None
            run.fill_later(*waiting, bar, market.close[bar] if opens is None else opens[bar])
            waiting = None
        now = run.equity(bar)
        peak = max(peak, now)
        if setup.cycles[bar]:
            account = SimulatedAccount(run.cash, run.shares, last, peak, sum(sent.values()), dict(sent))
            snapshot = snapshot_at(setup, bar, account)
            found = plan(snapshot, setup.rules)
            run.plans[bar], run.accounts[bar] = found, account
            run.orders += len(found.orders)
            names = {v.symbol: v.outcome for v in (*found.unsignalled, *found.verdicts)}  # one outcome a name
            run.outcomes.update(names.values())
            sent.update(order.symbol for order in found.orders)
            if setup.fill == "same_close":
                run.fill(found.orders, bar, market.close[bar])
            else:
                waiting = found, snapshot
        equity.append(float(run.equity(bar)))
        if market.is_last_of_day[bar]:
            last = run.equity(bar)
            sent.clear()
        if progress is not None:
            progress("simulating", bar + 1, len(market.times))
    run.result = SimulationResult(
        np.array(equity), run.count, run.turnover, dict(sorted(run.outcomes.items())),
        SimulationCosts(spread=float(run.spread)), run.orders, AuditCount(), "interpreted", 0.0,
    )  # fmt: skip
    return run.result, run
