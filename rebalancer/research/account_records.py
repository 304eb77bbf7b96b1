"""A backtest as the records of an account: what `performance` and `export` read of a live one.

Fills, orders, cash and daily values have the fields of `performance.records` and of the journal, so every figure is
computed by the functions that compute those of a live account.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from rebalancer.core.documents import sha256
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO, Side, decimal_near
from rebalancer.journal.records import OrderRecord
from rebalancer.market_data.trading_calendar import slot_id
from rebalancer.performance.benchmark import Benchmark
from rebalancer.performance.drawdown import MarkReading
from rebalancer.performance.records import (
    AccountHistory,
    CashEvent,
    DayValue,
    Fill,
    OrderHistory,
    ShareEvent,
    TradeCause,
)
from rebalancer.planning.build_order import order_id
from rebalancer.planning.numbers import MICROS
from rebalancer.research import tape as tape_rows
from rebalancer.research.backtest import Backtest
from rebalancer.research.bar_times import moment_at
from rebalancer.research.columns_of import fill_prices
from rebalancer.research.simulate import SimulatedRun, start_units
from rebalancer.research.snapshots import ACCOUNT, SOURCE, last_prices

CENT: Final = Decimal("0.01")
CAUSES: Final[dict[int, TradeCause]] = {
    tape_rows.STOP: "stop",
    tape_rows.TARGET: "take-profit",
    tape_rows.FLATTEN: "kill",
}
REASONS: Final = {
    tape_rows.STOP: "the stop was reached",
    tape_rows.TARGET: "the target was reached",
    tape_rows.FLATTEN: "a kill closed it",
}


class RecordedRun(NamedTuple):
    """A backtest as an account. orders: as the journal keeps them, oldest first. benchmark: of the prices, nothing
    where they do not have it."""

    account: AccountHistory
    orders: tuple[OrderRecord, ...]
    benchmark: Benchmark


class HeldAtTheEnd(NamedTuple):
    """A position after the last bar, USD; the columns of `export positions`."""

    symbol: str
    qty: Decimal
    qty_available: Decimal
    avg_entry_price: Decimal | None
    price: Decimal
    value: Decimal
    weight: float
    profit: Decimal | None
    profit_fraction: float | None
    asked_at: datetime


class _Trade(NamedTuple):
    """One order of the run, as far as it was filled. bar: where it was decided; at: where it was filled."""

    bar: int
    name: int
    phase: str
    quantity: int
    kind: int  # -1 of a plan, else as in `tape`
    filled: int
    at: int
    grains: int
    cost: int


def records_of(run: Backtest, benchmark: str = "") -> RecordedRun:
    """The records of a run. benchmark: a symbol of its prices."""
    found = run.run
    assert isinstance(found, SimulatedRun)
    orders, fills, histories = [], [], {}
    moments = [moment_at(int(ns)) for ns in run.setup.market.times]
    numbers: defaultdict[str, int] = defaultdict(int)
    for trade in _trades(found):
        order = _order(found, trade, moments, numbers)
        orders.append(order)
        assert order.broker_id is not None
        histories[order.broker_id] = _history(found, trade, order)
        if trade.filled:
            fills.append(_fill(found, trade, order))
    fills.sort(key=lambda fill: (fill.at, fill.id))
    account = AccountHistory(
        fills=tuple(fills),
        cash=tuple(sorted(_cash(found, moments), key=lambda event: (event.at, event.id))),
        shares=tuple(_shares(found, moments)),
        order_histories=histories,
        opening=_usd(run.setup.equity),
        opened_on=day_in_new_york(moments[0]),
        days=tuple(_days(found, moments)),
        sectors={s: sector for s, sector in zip(run.setup.market.symbols, run.setup.reference.sector, strict=True)
                 if sector is not None},
        inherited=tuple(_inherited(found, moments[0])),
        readings=tuple(_readings(found, moments)),
    )  # fmt: skip
    return RecordedRun(account, tuple(orders), _benchmark(run, benchmark))


def held_at_the_end(run: Backtest) -> tuple[HeldAtTheEnd, ...]:
    """The positions after the last bar, by symbol."""
    found = run.run
    assert isinstance(found, SimulatedRun)
    market, last = run.setup.market, len(run.setup.market.times) - 1
    units = found.history.held(last, run.setup.actions.name, last, last)
    prices, equity = last_prices(market, last), Decimal(int(found.history.equity[-1])) / MICROS
    entries = found.entry_prices(last, last, units)
    rows = []
    for i in np.flatnonzero(units).tolist():
        symbol, qty = market.symbols[i], Decimal(int(units[i])).scaleb(-int(found.given.decimals[i]))
        price, entry = decimal_near(round(float(prices[i]), 6)), entries.get(market.symbols[i])
        profit = None if entry is None else ((price - entry) * qty).quantize(CENT)
        part = None if entry is None or entry == 0 else float((price - entry) / entry) * (1 if qty > 0 else -1)
        weight = float(qty * price / equity) if equity > 0 else 0.0
        at = moment_at(int(market.times[last]))
        value = (qty * price).quantize(CENT)
        rows.append(HeldAtTheEnd(symbol, qty, abs(qty), entry, price, value, weight, profit, part, at))
    return tuple(rows)


def _trades(run: SimulatedRun) -> Iterator[_Trade]:
    """Every order with its fill, by the bar where it was decided; exits in between."""
    history, exits = run.history, run.history.exits
    fills, orders = history.fills, history.orders
    waiting: dict[tuple[int, int], deque[int]] = defaultdict(deque)
    at, name = fills.bars(), fills.name.astype(np.int64)
    grains = np.rint(fill_prices(run.setup, run.given, at, name) * 10.0 ** run.given.price_decimals[name]).astype(
        np.int64
    )
    for row, (bar, i) in enumerate(zip(at.tolist(), name.tolist(), strict=True)):
        waiting[bar, i].append(row)
    later = 0 if run.setup.fill == "same_close" else 1
    gone, count = 0, len(exits.bar)
    bars = orders.bars().tolist()
    for row, bar in enumerate(bars):
        while gone < count and int(exits.bar[gone]) <= bar:
            yield _exit(run, gone)
            gone += 1
        i, quantity = int(orders.name[row]), int(orders.quantity[row])
        rows, phase = waiting.get((bar + later, i)), "increase" if orders.more[row] else "reduce"
        if rows and int(fills.quantity[rows[0]]) * quantity > 0 and abs(int(fills.quantity[rows[0]])) <= abs(quantity):
            k = rows.popleft()
            filled, cost = int(fills.quantity[k]), int(fills.more[k])
            yield _Trade(bar, i, phase, quantity, -1, filled, bar + later, int(grains[k]), cost)
        else:
            yield _Trade(bar, i, phase, quantity, -1, 0, min(bar + later, len(run.setup.market.times) - 1), 0, 0)
    for rest in range(gone, count):
        yield _exit(run, rest)


def _exit(run: SimulatedRun, row: int) -> _Trade:
    one = run.history.exits
    bar, name, quantity, cost, grains, kind = (int(column[row]) for column in one)
    return _Trade(bar, name, "reduce", quantity, kind % tape_rows.COUNTED, quantity, bar, grains, cost)


def _order(run: SimulatedRun, trade: _Trade, moments: list[datetime], numbers: defaultdict[str, int]) -> OrderRecord:
    symbol = run.setup.market.symbols[trade.name]
    begun = moments[trade.bar]
    cycle = slot_id(begun) if trade.kind < 0 else f"exit-{begun:%Y-%m-%dT%H:%M:%SZ}"
    phase = "increase" if trade.phase == "increase" else "reduce"
    key = f"{cycle} {phase} {symbol}"
    numbers[key] += 1
    name = order_id(ACCOUNT, cycle, phase, symbol, numbers[key])  # type: ignore[arg-type]  # one of the two
    side: Side = "buy" if trade.quantity > 0 else "sell"
    qty, filled = _shares_of(run, trade, abs(trade.quantity)), _shares_of(run, trade, abs(trade.filled))
    return OrderRecord(
        client_order_id=name,
        cycle_id=cycle,
        account_id=ACCOUNT,
        phase=phase,  # type: ignore[arg-type]
        symbol=symbol,
        side=side,
        qty=qty,
        body="",
        body_sha256=sha256(""),
        state=OrderState.FILLED if filled == qty else OrderState.CANCELED,
        filled_qty=filled,
        filled_avg_price=_price(run, trade) if trade.filled else None,
        broker_id=name,
        reason="" if trade.kind < 0 else REASONS[trade.kind],
        message="",
        intended_at=begun,
        at=moments[trade.at],
    )


def _history(run: SimulatedRun, trade: _Trade, order: OrderRecord) -> OrderHistory:
    decided = None
    if trade.kind < 0:
        decided = decimal_near(round(float(run.setup.market.close[trade.bar, trade.name]), 6))
    return OrderHistory(
        order_id=order.client_order_id,
        client_order_id=order.client_order_id,
        cycle_id=order.cycle_id,
        symbol=order.symbol,
        side=order.side,
        qty=order.qty,
        filled_qty=order.filled_qty,
        filled_avg_price=order.filled_avg_price,
        decision_price=decided,
        bid=decided,
        ask=decided,
        sent_at=order.intended_at,
        filled_at=order.at if trade.filled else None,
        source=SOURCE if trade.kind < 0 else "protection",
        reason=order.reason,
        cause="target" if trade.kind < 0 else CAUSES[trade.kind],
    )


def _fill(run: SimulatedRun, trade: _Trade, order: OrderRecord) -> Fill:
    fee = Decimal(trade.cost) / MICROS
    qty = _shares_of(run, trade, trade.filled)
    name = order.client_order_id
    return Fill(f"{name}-fill", name, order.at, order.symbol, qty, _price(run, trade), fee)


def _shares_of(run: SimulatedRun, trade: _Trade, units: int) -> Decimal:
    return Decimal(units).scaleb(-int(run.given.decimals[trade.name]))


def _price(run: SimulatedRun, trade: _Trade) -> Decimal:
    return Decimal(trade.grains).scaleb(-int(run.given.price_decimals[trade.name]))


def _cash(run: SimulatedRun, moments: list[datetime]) -> Iterator[CashEvent]:
    """Dividends, what splits and delistings paid, and each night's interest and borrowing together."""
    history, symbols = run.history, run.setup.market.symbols
    for k, (bar, action, money) in enumerate(
        zip(history.event_bar.tolist(), history.event_action.tolist(), history.event_money.tolist(), strict=True)
    ):
        if money:
            symbol = symbols[int(run.setup.actions.name[action])]
            yield CashEvent(f"action-{k}", moments[bar], "dividend", Decimal(money) / MICROS, symbol)
    for bar, money in enumerate(history.carried.tolist()):
        if money:
            yield CashEvent(f"night-{bar}", moments[bar], "interest", -Decimal(money) / MICROS)


def _shares(run: SimulatedRun, moments: list[datetime]) -> Iterator[ShareEvent]:
    history, actions = run.history, run.setup.actions
    rows = zip(history.event_bar.tolist(), history.event_action.tolist(), history.event_quantity.tolist(), strict=True)
    for k, (bar, action, units) in enumerate(rows):
        if units:
            name = int(actions.name[action])
            qty = Decimal(units).scaleb(-int(run.given.decimals[name]))
            yield ShareEvent(f"split-{k}", moments[bar], run.setup.market.symbols[name], qty, "corporate_action")


def _inherited(run: SimulatedRun, at: datetime) -> Iterator[Fill]:
    """The positions with which the run begins, at their first prices."""
    symbols = run.setup.market.symbols
    for i, units in start_units(run.setup, run.given).items():
        known = run.setup.market.close[:, i]
        price = decimal_near(round(float(known[~np.isnan(known)][0]), 6))
        qty = Decimal(units).scaleb(-int(run.given.decimals[i]))
        yield Fill(f"inherited-{symbols[i]}", "", at, symbols[i], qty, price)


def _days(run: SimulatedRun, moments: list[datetime]) -> Iterator[DayValue]:
    history = run.history
    for bar in np.flatnonzero(run.setup.market.is_last_of_day).tolist():
        equity, cash = (Decimal(int(column[bar])) / MICROS for column in (history.equity, history.cash))
        yield DayValue(day_in_new_york(moments[bar]), equity, cash=cash)


def _readings(run: SimulatedRun, moments: list[datetime]) -> Iterator[MarkReading]:
    mark = _usd(run.setup.equity)
    for at, micros in zip(moments, run.history.equity.tolist(), strict=True):
        equity = Decimal(micros) / MICROS
        mark = max(mark, equity)
        yield MarkReading(at, equity, mark)


def _benchmark(run: Backtest, symbol: str) -> Benchmark:
    market = run.setup.market
    if symbol not in market.symbols:
        return Benchmark()
    ends = np.flatnonzero(market.is_last_of_day)
    closes = market.close[ends, market.symbols.index(symbol)]
    known = [(day_in_new_york(moment_at(int(market.times[bar]))), float(close))
             for bar, close in zip(ends.tolist(), closes.tolist(), strict=True) if close == close]  # fmt: skip
    return Benchmark(symbol, tuple(day for day, _ in known), tuple(close for _, close in known))


def _usd(amount: float) -> Decimal:
    return decimal_near(round(amount, 6)) if amount else ZERO
