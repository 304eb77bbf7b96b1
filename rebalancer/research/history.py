"""What a simulation leaves behind, in the smallest types that hold it.

A year of five-minute bars of a hundred names has millions of orders and fills.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.research.market import Floats, Integers
from rebalancer.research.tape import Rows

Whole = NDArray[Any]  # whole numbers of any size


class KeptRows(NamedTuple):
    """One row an order or a fill, in order. ends: how many there are up to each bar, that bar included. quantity:
    signed base units. more, price: as in `tape.Rows`; price has no rows where nobody needs it."""

    ends: Integers
    name: Whole
    quantity: Whole
    more: Whole
    price: Whole

    def rows(self, first: int, last: int) -> slice:
        """The rows from one bar to the one before another."""
        start = int(self.ends[first - 1]) if first > 0 else 0
        return slice(start, int(self.ends[last - 1]) if last > first else start)

    def bars(self) -> Integers:
        """The bar of every row."""
        found: Integers = np.repeat(np.arange(len(self.ends)), np.diff(self.ends, prepend=0))
        return found


class KeptExits(NamedTuple):
    """One row an exit, in order: its bar, name, signed base units, costs in micro-dollars, price in grains, and kind as
    in `tape`."""

    bar: Integers
    name: Integers
    quantity: Integers
    more: Integers
    price: Integers
    kind: Integers

    def rows(self, first: int, last: int) -> slice:
        """The rows from one bar to the one before another."""
        return slice(*(int(at) for at in np.searchsorted(self.bar, (first, last))))


class History(NamedTuple):
    """What happened, in micro-dollars. equity to traded: a row a bar; equity and cash at its close, 0 in
    `equity_decided` where no cycle decided, `halted` where a loss limit denied increases, `carried` the interest and
    borrowing of the night before it, `traded` the value of its fills, USD. orders: `more` is 0 for a reduction and 1
    for an increase. fills: `more` is their costs. counts, costs: the places of `tape`. mark_bar, mark_held, mark_entry:
    the positions before some bars, base units, and their average prices, grains, so that nobody has to add up all
    fills. event_bar to event_entry: a row a corporate action that met a position: its place among the actions, what it
    added to the position, what it paid, the average price after it."""

    equity: Integers
    cash: Integers
    equity_decided: Integers
    cash_decided: Integers
    halted: Integers
    orders: KeptRows
    fills: KeptRows
    counts: Integers
    costs: Integers
    carried: Integers
    traded: Floats
    mark_bar: Integers
    mark_held: Integers
    mark_entry: Integers
    event_bar: Integers
    event_action: Integers
    event_quantity: Integers
    event_money: Integers
    event_entry: Integers
    exits: KeptExits

    def held(self, bar: int, names: Integers, acted: int, exited: int) -> Integers:
        """The positions after the fills of a bar, the corporate actions up to the bar `acted` and the exits up to the
        bar `exited`, by name in base units; bar -1 is before the first one. names: of each corporate action."""
        mark = int(np.searchsorted(self.mark_bar, bar + 1, "right")) - 1
        first = int(self.mark_bar[mark])
        units: Integers = self.mark_held[mark].copy()
        rows = self.fills.rows(first, bar + 1)
        np.add.at(units, self.fills.name[rows], self.fills.quantity[rows])
        since = (self.event_bar >= first) & (self.event_bar <= acted)
        np.add.at(units, names[self.event_action[since]], self.event_quantity[since])
        gone = self.exits.rows(first, exited + 1)
        np.add.at(units, self.exits.name[gone], self.exits.quantity[gone])
        return units

    def entry(self, bar: int, names: Integers, acted: int) -> Integers:
        """The average prices of positions after the fills of a bar and the corporate actions up to the bar `acted`,
        grains by name; what is not held has any. Needs the prices of fills."""
        mark = int(np.searchsorted(self.mark_bar, bar + 1, "right")) - 1
        first = int(self.mark_bar[mark])
        found: Integers = self.mark_entry[mark].copy()
        rows = self.fills.rows(first, bar + 1)
        filled = np.searchsorted(self.fills.ends, np.arange(rows.start, rows.stop), "right")
        since = (self.event_bar >= first) & (self.event_bar <= acted)
        name = np.concatenate((names[self.event_action[since]], self.fills.name[rows].astype(np.int64)))
        price = np.concatenate((self.event_entry[since], self.fills.price[rows].astype(np.int64)))
        order = np.argsort(np.concatenate((2 * self.event_bar[since], 2 * filled + 1)), kind="stable")
        found[name[order]] = price[order]  # of several the last stands
        return found


class Recorder:
    """Takes the rows of some bars after the other."""

    def __init__(self, bars: int, *, keeps_prices: bool = False) -> None:
        self.keeps_prices = keeps_prices
        self.ends = np.zeros(bars, np.int64)
        self.parts: list[tuple[Whole, ...]] = []
        self.total = 0

    def add(self, rows: Rows, count: int, first: int, last: int) -> None:
        """Keep the first `count` rows, which are of the bars from `first` to the one before `last`."""
        bar = np.asarray(rows.bar[:count], np.int64)
        self.ends[first:last] = self.total + np.cumsum(np.bincount(bar - first, minlength=last - first))
        self.total += count
        columns = [column[:count] for column in (rows.name, rows.quantity, rows.more)]
        columns.append(rows.price[: count if self.keeps_prices else 0])
        self.parts.append(tuple(smallest(np.asarray(column, np.int64)) for column in columns))

    def kept(self) -> KeptRows:
        """Everything; the recorder is empty afterwards."""
        columns, parts = [], [list(part) for part in zip(*self.parts, strict=True)] or [[], [], [], []]
        self.parts.clear()
        for column in parts:
            columns.append(np.concatenate(column) if column else np.zeros(0, np.int8))
            column.clear()
        return KeptRows(self.ends, *columns)


def smallest(column: Whole) -> Whole:
    """The same whole numbers in the smallest signed type that holds them."""
    if not column.size:
        return column.astype(np.int8)
    low, high = int(column.min()), int(column.max())
    return column.astype(np.result_type(np.min_scalar_type(min(low, -1)), np.min_scalar_type(min(-high - 1, -1))))
