"""What `protection` says about stops and targets, as the engine reads it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.planning.numbers import rate
from rebalancer.research import tape as tape_rows
from rebalancer.research.alignment import MICROSECOND, MINUTE, whole_microseconds
from rebalancer.research.bar_times import SECOND, moment_at, nanoseconds
from rebalancer.research.grains import grains_of
from rebalancer.research.market import Floats, Integers, Market, SimulationSetup
from rebalancer.research.snapshots import session_at

BASIS_POINTS: Final = 10_000
WATCHING: Final = (tape_rows.WATCHED, tape_rows.RESTING)
EXIT_MODES: Final = {"off": tape_rows.NO_EXITS, "monitor": tape_rows.WATCHED, "broker": tape_rows.RESTING}


def exit_conditions(setup: SimulationSetup) -> dict[str, int]:
    """What `protection` says about stops and targets."""
    protection, length = setup.rules.protection, setup.rules.protection.cool_off
    limited = protection.mode == "broker" and protection.stop_type == "stop_limit"
    exits = EXIT_MODES[protection.mode] if setup.worth is None else tape_rows.RECORDED
    return {
        "exits": exits,
        "is_ranged": int(exits in WATCHING and setup.market.is_ranged),
        "is_exit_first": int(setup.fill != "next_open"),
        "stop_loss_rate": rate(protection.stop_loss),
        "take_profit_rate": rate(protection.take_profit),
        "stop_limit_rate": rate(protection.stop_limit_offset_bps / BASIS_POINTS) if limited else -1,
        "cool_off": -1 if length == "none" else 0 if length == "session" else length * MINUTE,
        "is_lifted": int(protection.cool_off_lifted_by_newer_signal),
        "names_exits": int(setup.instructions.stop is not None or setup.instructions.goal is not None),
    }


def exit_times(setup: SimulationSetup) -> tuple[Integers, Integers]:
    """By bar when its session opened, and the time that an exit within it is given: a second before the bar, but after
    the bar before it and within the session. Nothing where there are no exits."""
    times = whole_microseconds(setup.market.times).astype(np.int64)
    if setup.rules.protection.mode == "off" and setup.worth is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    buffer = setup.rules.execution.close_buffer_seconds
    opens = np.array([nanoseconds(session_at(moment_at(int(t)), buffer).open) for t in times], np.int64)
    before = np.append(times[:1] - 2 * SECOND, times[:-1])
    return opens, np.maximum(np.maximum(times - SECOND, before + MICROSECOND), np.minimum(opens, times))


def ranges(market: Market, decimals: Integers, at: slice, close: Integers) -> list[NDArray[Any]]:
    """Open, high and low of some bars in grains. What is missing is the close; a range holds its open and close."""
    assert market.open is not None
    assert market.high is not None
    assert market.low is not None
    opened, high, low = (
        np.where(grains > 0, grains, close)
        for grains in (grains_of(p[at], decimals) for p in (market.open, market.high, market.low))
    )
    found = (opened, np.maximum(high, np.maximum(opened, close)), np.minimum(low, np.minimum(opened, close)))
    return [np.array(column, np.int64, order="C") for column in found]


def said_at(setup: SimulationSetup, at: slice, shape: tuple[int, int]) -> Integers:
    """When each opinion was said, for some bars; at its bar where nobody knows."""
    said = setup.instructions.said
    found = whole_microseconds(setup.market.times[at]) if said is None else said[at]
    return np.array(np.broadcast_to(found if found.ndim == 2 else found[:, None], shape), np.int64, order="C")


def named_grains(prices: Floats | None, at: slice, decimals: Integers) -> Integers:
    """Prices that signals name, in grains; 0 where they name none."""
    if prices is None:
        return np.zeros((at.stop - at.start, len(decimals)), np.int64)
    return np.array(grains_of(prices[at], decimals), np.int64, order="C")
