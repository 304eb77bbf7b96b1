"""The exits of one bar, found again by the code that watches positions live.

`planning.exit_levels` sets the levels from the positions as they stood before the exits of the bar, and
`planning.stop_triggers` compares them with the open, then with the worst and then with the best price of the bar.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np

from rebalancer.core.facts import Position, Quote
from rebalancer.core.rules import Quotes
from rebalancer.planning.exit_levels import ExitLevel, SignalExits, exit_levels
from rebalancer.planning.stop_triggers import StopTrigger, stop_triggers
from rebalancer.research import tape as tape_rows
from rebalancer.research.bar_times import moment_at
from rebalancer.research.columns_of import plain_instrument
from rebalancer.research.grains import grains_of
from rebalancer.research.market import Floats, Integers
from rebalancer.research.simulate import SimulatedRun

KINDS: Final = {tape_rows.STOP: "stop", tape_rows.TARGET: "target", tape_rows.FLATTEN: "kill"}


def exits_simulated(run: SimulatedRun, bar: int) -> dict[str, str]:
    """What the simulation closed within a bar, by symbol: kind and price."""
    exits, symbols, decimals = run.history.exits, run.setup.market.symbols, run.given.price_decimals
    found = {}
    rows = exits.rows(bar, bar + 1)
    for name, price, kind in zip(*(column[rows].tolist() for column in (exits.name, exits.price, exits.kind)),
                                 strict=True):  # fmt: skip
        at = Decimal(price).scaleb(-int(decimals[name])).normalize()
        found[symbols[name]] = f"{KINDS[kind % tape_rows.COUNTED]} at {at:f}"
    return found


def exits_live(run: SimulatedRun, bar: int) -> dict[str, str]:
    """The same as the live code says. What no volume was left for is not in it."""
    if run.given.conditions.exits == tape_rows.NO_EXITS:
        return {}
    if run.given.conditions.exits == tape_rows.RECORDED:
        return _recorded(run, bar)
    setup, symbols = run.setup, run.setup.market.symbols
    filled = bar if setup.fill == "next_open" else bar - 1
    units = run.history.held(filled, setup.actions.name, bar, bar - 1)
    entry = run.history.entry(filled, setup.actions.name, bar)
    held = [i for i in np.flatnonzero(units).tolist() if not np.isnan(setup.market.close[bar, i])]
    positions = []
    for i in held:
        shares = Decimal(int(units[i])).scaleb(-int(run.given.decimals[i]))
        average = Decimal(int(entry[i])).scaleb(-int(run.given.price_decimals[i]))
        positions.append(Position(symbols[i], shares, shares, average))
    instruments = {symbols[i]: plain_instrument(setup, symbols[i]) for i in held}
    named = _named(run, bar, held)
    levels = exit_levels(positions, instruments, named, setup.rules.protection, setup.terms.venue)
    found: dict[str, str] = {}
    for level in levels:
        i = symbols.index(level.symbol)
        if _has_volume(run, bar, i, int(abs(units[i]))) and (said := _exit(run, bar, i, level)):
            found[level.symbol] = said
    return found


def _recorded(run: SimulatedRun, bar: int) -> dict[str, str]:
    """The recorded exits of positions that the simulation held before the bar."""
    setup, exits, found = run.setup, run.setup.exits, dict[str, str]()
    left = np.abs(run.history.held(bar - 1, setup.actions.name, bar, bar - 1))
    for row in np.flatnonzero(exits.bar == bar).tolist():
        i, price = int(exits.name[row]), float(exits.price[row])
        size = min(int(left[i]), round(float(exits.shares[row]) * 10.0 ** int(run.given.decimals[i])))
        if size == 0:
            continue
        left[i] -= size
        seen = setup.market.close[:bar, i]
        known = price if price == price else float(seen[~np.isnan(seen)][-1])
        at = _rounded(known, int(run.given.price_decimals[i])) or Decimal(0)
        found[setup.market.symbols[i]] = f"{KINDS[int(exits.kind[row]) % tape_rows.COUNTED]} at {at.normalize():f}"
    return found


def _exit(run: SimulatedRun, bar: int, i: int, level: ExitLevel) -> str:
    """How a level ends in a bar; "" when it stands."""
    opened, low, high = _range(run, bar, i)
    worst, best = (low, high) if level.qty > 0 else (high, low)
    trigger, at = _trigger(run, bar, level, opened), opened
    for price in (worst, best):
        if trigger is None and (trigger := _trigger(run, bar, level, price)) is not None:
            at = level.stop if trigger.kind == "stop" else level.target
    if trigger is None:
        return ""
    limit, side = level.stop_limit, 1 if level.qty > 0 else -1
    rests = run.given.conditions.exits == tape_rows.RESTING and run.given.fixed[1][i] == 0 and level.qty % 1 == 0
    if trigger.kind == "stop" and limit is not None and rests and (at - limit) * side < 0:
        if (best - limit) * side < 0:
            return ""
        at = limit
    return f"{trigger.kind} at {at.normalize():f}"


def _trigger(run: SimulatedRun, bar: int, level: ExitLevel, price: Decimal) -> StopTrigger | None:
    now = moment_at(int(run.setup.market.times[bar]))
    found = stop_triggers([level], [Quote(level.symbol, price, price, price, now)], now, Quotes())
    return found.triggers[0] if found.triggers else None


def _range(run: SimulatedRun, bar: int, i: int) -> tuple[Decimal, Decimal, Decimal]:
    """Open, low and high of a bar; its close where that is all there is."""
    market, decimals = run.setup.market, int(run.given.price_decimals[i])

    def price(column: Floats | None, other: Decimal) -> Decimal:
        found = None if column is None else _rounded(column[bar, i], decimals)
        return found or other

    close = price(market.close, Decimal(0))
    if not market.is_ranged:
        return close, close, close
    opened, low, high = (price(column, close) for column in (market.open, market.low, market.high))
    return opened, min(low, opened, close), max(high, opened, close)


def _has_volume(run: SimulatedRun, bar: int, i: int, units: int) -> bool:
    """Whether a bar had volume left for an exit."""
    cap, volume = run.given.conditions.participation, run.setup.market.volume
    if cap <= 0 or volume is None or not volume[bar, i] > 0 or units == 0:
        return True
    traded = 0
    if run.setup.fill == "next_open":
        rows = run.history.fills.rows(bar, bar + 1)
        mine = run.history.fills.name[rows] == i
        traded = int(np.abs(run.history.fills.quantity[rows][mine].astype(np.int64)).sum())
    return int(cap * float(int(volume[bar, i] * 10.0 ** int(run.given.decimals[i])))) > traded


def _named(run: SimulatedRun, bar: int, held: list[int]) -> dict[str, SignalExits]:
    """The exits that the signal behind the last increase of each position names."""
    said, orders = run.setup.instructions, run.history.orders
    if said.stop is None and said.goal is None:
        return {}
    rows = orders.rows(0, bar)
    increases = np.asarray(orders.more[rows]) == 1
    when: Integers = np.searchsorted(orders.ends, np.arange(rows.stop), "right").astype(np.int64)
    found = {}
    for i in held:
        for row in reversed(np.flatnonzero(increases & (orders.name[rows] == i)).tolist()):
            opinion = said.value[when[row], i]
            if opinion * int(orders.quantity[row]) > 0:
                prices = (_price(run, column, int(when[row]), i) for column in (said.stop, said.goal))
                found[run.setup.market.symbols[i]] = SignalExits("", *prices)
                break
    return found


def _price(run: SimulatedRun, column: Floats | None, bar: int, i: int) -> Decimal | None:
    return None if column is None else _rounded(column[bar, i], int(run.given.price_decimals[i]))


def _rounded(price: float, decimals: int) -> Decimal | None:
    """A price in the grains of its name, as the engine has it; None for none."""
    grains = grains_of(np.array([price]), np.array([decimals]))[0]
    return Decimal(int(grains)).scaleb(-decimals) if grains else None
