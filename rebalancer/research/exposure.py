"""What the fills of a run come to: gross and net value by bar, value traded, and profit by name."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from rebalancer.research.market import EventColumns, FillColumns, Floats, Integers

NOTHING: Final = 1e-9  # shares; less is rounding error of a sum


class Exposure(NamedTuple):
    """USD. gross, net: of all positions after the fills, by bar; traded: value of the fills, by bar; profit: by name,
    after the costs of its trades."""

    gross: Floats
    net: Floats
    traded: Floats
    profit: Floats


def exposure_of(fills: FillColumns, close: Floats, events: EventColumns) -> Exposure:
    """Value positions at their last known closes; dividends count as profit. close: shape (bars, names), NaN where
    there is no price. Names are taken one by one, so that no matrix of positions is made."""
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
        acted = events.name == i
        np.add.at(held, events.bar[acted], events.shares[acted])
        prices = close[:, i]
        value = np.cumsum(held) * np.nan_to_num(prices[_last_known(prices)])
        gross += np.abs(value)
        net += value
        np.add.at(traded, bar, np.abs(shares * price))
        profit[i] = value[-1] - (shares * price).sum() - fills.cost[rows].sum() + events.cash[acted].sum()
    return Exposure(gross, net, traded, profit)


def stale_marks(fills: FillColumns, close: Floats, events: EventColumns) -> int:
    """At how many bars a position was valued at a price of an earlier bar, over all names."""
    found = 0
    for i in np.unique(fills.name).tolist():
        if not np.isnan(close[:, i]).any():
            continue
        held = np.zeros(len(close))
        for columns in (fills, events):
            mine = columns.name == i
            np.add.at(held, columns.bar[mine], columns.shares[mine])
        found += int((np.isnan(close[:, i]) & (np.abs(np.cumsum(held)) > NOTHING)).sum())
    return found


def _last_known(prices: Floats) -> Integers:
    """The row of the last known price; the first row before there is one."""
    known = np.where(np.isnan(prices), -1, np.arange(len(prices)))
    return np.maximum(np.maximum.accumulate(known), 0).astype(np.int64)
