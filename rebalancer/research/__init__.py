"""Research: the rules of planning at speed, over history. It stands beside trading and is never imported by it.

    market         what a simulation is given and gives back
    price_files, price_table, bar_times       prices as files hold them
    corporate_actions, splits                 dividends, splits and delistings, and steps that look like splits
    instruction_files, alignment, cycles      what was said, from which bar on it counts, and where a cycle runs
    presets, reference_columns                rules without limits; volatilities and groups by day
    backtest, exposure                        one run, and what its fills come to
    snapshots                                 the snapshot of a bar, for live planning
    figures, page                             what the page shows
    recorded_cycles                           the cycles of a journal, beside what was really planned
    overfitting                               deflated Sharpe ratio, backtest overfitting, minimum length: pure
    sweep/                                    grid and search: a point is a hash and a file
    purged_splits, walk_forward               training and test windows over finished runs
    model_fills, parity, learned_costs, shadow_books    stored cycles beside the fills of the model
    trial_key, trial_ledger, trial_figures    every trial ever run, and a Sharpe ratio beside their number
    compiled       a compiled copy of the numeric core, bit-equal to the interpreted one (extra `fast`)
    market         what a backtest is given and what it gives back
    simulate       the rules over history, with fills and costs
    engine         its loop, written like the core: it may stop after any bar and go on
    bar_columns, ledger, tape                 what the loop reads at a bar, its fills and costs, its records

It imports planning, core, and what reads files and writes reports. Nothing that trades imports it, and so nothing that
trades ever loads a compiler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rebalancer.research.overfitting import (
        cscv,
        deflated_sharpe,
        expected_max_sharpe,
        min_backtest_years,
        pbo,
        probabilistic_sharpe,
    )

__all__ = [
    "cscv",
    "deflated_sharpe",
    "expected_max_sharpe",
    "min_backtest_years",
    "pbo",
    "probabilistic_sharpe",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("rebalancer.research.overfitting"), name)
