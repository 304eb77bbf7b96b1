"""What `protection` says about stops and targets, as the engine reads it."""

from __future__ import annotations

from typing import Final

import numpy as np

from rebalancer.planning.numbers import rate
from rebalancer.research import tape as tape_rows
from rebalancer.research.alignment import MICROSECOND, MINUTE, whole_microseconds
from rebalancer.research.bar_times import SECOND, moment_at, nanoseconds
from rebalancer.research.market import Integers, SimulationSetup
from rebalancer.research.snapshots import session_at

BASIS_POINTS: Final = 10_000
EXIT_MODES: Final = {"off": tape_rows.NO_EXITS, "monitor": tape_rows.WATCHED, "broker": tape_rows.RESTING}


def exit_conditions(setup: SimulationSetup) -> dict[str, int]:
    """What `protection` says about stops and targets."""
    protection, length = setup.rules.protection, setup.rules.protection.cool_off
    limited = protection.mode == "broker" and protection.stop_type == "stop_limit"
    exits = tape_rows.NO_EXITS if setup.worth is not None else EXIT_MODES[protection.mode]
    return {
        "exits": exits,
        "is_ranged": int(exits != tape_rows.NO_EXITS and setup.market.is_ranged),
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
    if setup.rules.protection.mode == "off" or setup.worth is not None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    buffer = setup.rules.execution.close_buffer_seconds
    opens = np.array([nanoseconds(session_at(moment_at(int(t)), buffer).open) for t in times], np.int64)
    before = np.append(times[:1] - 2 * SECOND, times[:-1])
    return opens, np.maximum(np.maximum(times - SECOND, before + MICROSECOND), np.minimum(opens, times))
