"""The audit of a backtest: the live planner plans bars again from their rebuilt snapshots.

Planned again are bars chosen evenly, the first bars of every outcome that is rare, and the first ones with a stop and
with a target. Orders must be the same, by symbol, phase and signed quantity, and so must be the outcome of every name
and the positions that a stop or a target closed within the bar (`research.exit_audit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.planning import plan
from rebalancer.research import tape as tape_rows
from rebalancer.research.exit_audit import exits_live, exits_simulated
from rebalancer.research.market import AuditCount, Progress, SimulationSetup
from rebalancer.research.outcome_counts import DENIALS, outcome_of, pair_counts
from rebalancer.research.simulate import SimulatedRun, simulated
from rebalancer.research.snapshots import snapshot_at

BARS: Final = 200  # chosen evenly
EACH: Final = 5  # first bars of every outcome
ROWS_AT_ONCE: Final = 256
LOSSES: Final = frozenset({Outcome.DENIED_DAILY_LOSS, Outcome.DENIED_DRAWDOWN})


class AuditDifference(NamedTuple):
    """A bar at which the live planner decides otherwise; `simulated` and `live` say what, one entry a name. `withheld`:
    which live plan failed its own last check, and why; "" when none did."""

    bar: int
    simulated: Mapping[str, str]
    live: Mapping[str, str]
    withheld: str = ""


def simulate(setup: SimulationSetup, progress: Progress | None = None) -> SimulatedRun:
    """Simulate all bars and audit some. Raises BadDocument for a rule that cannot be simulated, and OutOfRange for
    numbers that the core cannot hold."""
    run = simulated(setup, progress)
    return run._replace(audit=audited(run, progress=progress))


def audited(run: SimulatedRun, most: int = BARS, progress: Progress | None = None) -> AuditCount:
    """How many bars were planned again, and how many of them differ."""
    bars = audited_bars(run, most)
    found = []
    for done, bar in enumerate(bars, 1):
        found.append(difference_at(run, bar))
        if progress is not None:
            progress("auditing", done, len(bars))
    unlike = [one for one in found if one is not None]
    return AuditCount(len(bars), len(unlike), next((one.withheld for one in unlike if one.withheld), ""))


def audited_bars(run: SimulatedRun, most: int = BARS) -> list[int]:
    """The bars to plan again: among those at which a cycle decided."""
    decided = np.flatnonzero(np.asarray(run.history.equity_decided))
    if not len(decided):
        return []
    found = set(decided[np.unique(np.linspace(0, len(decided) - 1, min(most, len(decided))).astype(int))].tolist())
    code, denied = run.given.tape.code, run.given.tape.denied
    for pair in np.flatnonzero(pair_counts(code, denied)).tolist():
        if pair // DENIALS != tape_rows.ABSENT:
            found.update(_first_bars(code, denied, *divmod(pair, DENIALS)))
    exits = run.history.exits
    closing = exits.bar[np.isin(exits.bar, decided)]
    for kind in np.unique(exits.kind).tolist():
        found.update(np.unique(closing[exits.kind[np.isin(exits.bar, decided)] == kind])[:EACH].tolist())
    return sorted(found)


def _first_bars(code: NDArray[np.uint8], denied: NDArray[np.uint8], this: int, that: int) -> list[int]:
    """The first bars at which a name ended with a code and a denial."""
    found: list[int] = []
    for first in range(0, len(code), ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        rows = np.flatnonzero(((code[part] == this) & (denied[part] == that)).any(axis=1))
        found += (first + rows[: EACH - len(found)]).tolist()
        if len(found) >= EACH:
            break
    return found


def difference_at(run: SimulatedRun, bar: int) -> AuditDifference | None:
    """How the live planner differs at a bar; None when it does not."""
    live = plan(snapshot_of(run, bar), run.setup.rules)
    ours, theirs = decided_simulated(run, bar), decided_live(live)
    for said, exits in ((ours, exits_simulated(run, bar)), (theirs, exits_live(run, bar))):
        said |= {symbol: f"{said.get(symbol, '')} ({text})" for symbol, text in exits.items()}
    withheld = f"{live.cycle_id}: {live.because}" if live.outcome is CycleOutcome.HALTED_PLAN else ""
    if ours == theirs and not withheld:
        return None
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return AuditDifference(bar, {n: ours.get(n, "") for n in names}, {n: theirs.get(n, "") for n in names}, withheld)


def snapshot_of(run: SimulatedRun, bar: int) -> Snapshot:
    """The snapshot from which a bar's cycle decided."""
    return snapshot_at(run.setup, bar, run.account(bar), run.given.price_decimals)


def decided_simulated(run: SimulatedRun, bar: int) -> dict[str, str]:
    """Orders and outcomes of a bar by symbol, as the simulation decided them."""
    symbols, tape = run.setup.market.symbols, run.given.tape
    found = {}
    for i, symbol in enumerate(symbols):
        outcome = outcome_of(int(tape.code[bar, i]), int(tape.denied[bar, i]))
        if outcome is not None:
            found[symbol] = "loss limit" if outcome in LOSSES else str(outcome)
    orders = run.history.orders
    rows = orders.rows(bar, bar + 1)
    for i, quantity, phase_now in zip(
        orders.name[rows].tolist(), orders.quantity[rows].tolist(), orders.more[rows].tolist(), strict=True
    ):
        shares = Decimal(quantity).scaleb(-int(run.given.decimals[i]))
        phase = "increase" if phase_now else "reduce"
        found[symbols[i]] = found.get(symbols[i], "") + f" {phase} {shares.normalize():f}"
    return found


def decided_live(found: Plan) -> dict[str, str]:
    """The same of a plan of the live planner."""
    said = {}
    for verdict in (*found.verdicts, *found.unsignalled):
        said[verdict.symbol] = "loss limit" if verdict.outcome in LOSSES else str(verdict.outcome)
    for order in found.orders:
        shares = order.qty if order.side == "buy" else -order.qty
        said[order.symbol] = said.get(order.symbol, "") + f" {order.phase} {shares.normalize():f}"
    return said
