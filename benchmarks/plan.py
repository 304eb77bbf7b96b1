"""Time the pure kernel: `python -m benchmarks.plan` prints one table, medians in milliseconds.

    floor       a minimal numpy script on ready-made arrays: proportional scaling to gross, rounding, a list of orders
    array part  the projection of edition 2 with every family (gross, sectors, correlation groups, sides) binding
    edition 2   the whole of its `plan(snapshot, rules)`, which is the oracle of the tests
    plan        the whole of `plan(snapshot, rules)`: every reason, id, verdict and number kept
    border      facts to columns: reconciled positions, usable prices, valid signals, `to_columns`
    core        the numeric core alone, interpreted
    compiled    the same, compiled
    on demand   border and compiled core: what research pays that asks for the records of few names or cycles

The floor does less: one cap only, which it over-shrinks to, no reasons, no ids, no exact decimals, no checks.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import gc
import statistics
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Any

import numpy as np

from rebalancer.core.facts import Account, Instrument, Position, Quote, Session, Signal, Snapshot
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from rebalancer.planning.core.decide import decide
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.to_columns import Columns, to_columns
from rebalancer.planning.validate_signals import usable_prices, validate_signals
from rebalancer.research.compiled import NotCompiled, compiled_core
from rebalancer.research.compiled import arrays as as_arrays
from tests.planning.oracle.cap_weights import Family, Floats, cap_weights
from tests.planning.oracle.plan import plan as edition_2

AS_OF = datetime(2026, 11, 20, 15, 35, 2, tzinfo=UTC)
SECTORS, CLUSTERS = 11, 24
RULES = Rules.model_validate(
    {
        "execution": {"max_orders_per_execution": 10_000},
        "position_sizing": {
            "allow_short": True,
            "no_trade_band": {"absolute": 0.0},
            "max_long_exposure": 0.6,
            "max_short_exposure": 0.25,
        },
        "risk_management": {
            "max_correlation_exposure": 0.18,
            "max_orders_per_day": 10_000,
            "reserved_order_fraction": 0.0,
        },
    }
)


def market(count: int) -> Snapshot:
    """A crowded book: every name has a signal and a price, half are held, and most caps bind."""
    rng = np.random.default_rng(count)
    equity = Decimal(12_000 * count)
    prices = np.round(np.exp(rng.normal(4.0, 0.8, count)).clip(2, 900), 2)
    sectors = np.minimum(rng.geometric(0.4, count) - 1, SECTORS - 1)
    clusters = np.minimum(rng.geometric(0.25, count) - 1, CLUSTERS - 1)
    symbols = [f"S{i:05d}" for i in range(count)]
    held = np.flatnonzero(rng.random(count) < 0.5)
    typical = float(equity) * 1.4 / count
    return Snapshot(
        cycle_id="2026-11-20T15:35Z",
        as_of=AS_OF,
        session=Session(True, AS_OF - timedelta(hours=1), AS_OF + timedelta(hours=5)),
        account=Account("paper-1", equity, equity, equity, equity, 2 * equity, Decimal(2), True),
        positions=tuple(
            Position(symbols[i], qty, qty, Decimal(str(prices[i])))
            for i in held
            if (qty := Decimal(int(typical * rng.exponential() / prices[i]))) > 0
        ),
        instruments=tuple(
            Instrument(
                symbol, "us_equity", True, True, True, Decimal(1), Decimal("0.01"),
                f"sector {sectors[i]}", f"g{clusters[i]}", round(float(rng.uniform(0.1, 0.9)), 3),
            )
            for i, symbol in enumerate(symbols)
        ),
        quotes=tuple(
            Quote(s, Decimal(f"{prices[i] - 0.01:.2f}"), Decimal(f"{prices[i] + 0.01:.2f}"), None, AS_OF)
            for i, s in enumerate(symbols)
        ),
        signals=tuple(
            Signal(f"s-{i}", s, round(float(rng.uniform(-0.4, 1)), 3), 0.9, "external", AS_OF - timedelta(minutes=1))
            for i, s in enumerate(symbols)
        ),
    )  # fmt: skip


def arrays(snapshot: Snapshot) -> tuple[Floats, Floats, list[Family]]:
    """The input of the projection for this market, as `construct_targets` would make it."""
    raw = np.array([0.1 * s.score * s.confidence for s in snapshot.signals])
    volatility = np.array([i.volatility or 1.0 for i in snapshot.instruments])
    own = np.minimum(0.15, 0.05 / volatility)
    families = [Family("gross", ("gross",), np.zeros(raw.size, np.int64), np.array([0.8]))]
    for name, limit, labels in (
        ("sector", 0.3, [i.sector or "" for i in snapshot.instruments]),
        ("correlation", 0.18, [i.correlation_group or "" for i in snapshot.instruments]),
    ):
        names, member = np.unique(labels, return_inverse=True)
        families.append(Family(name, tuple(names.tolist()), member.astype(np.int64), np.full(len(names), limit)))
    families.append(Family("side", ("long", "short"), (raw < 0).astype(np.int64), np.array([0.6, 0.25])))
    return raw, own, families


def floor(snapshot: Snapshot) -> Callable[[], object]:
    """The least that any rebalancer has to do, on arrays that stand ready."""
    raw, own, _ = arrays(snapshot)
    at = {s.symbol: k for k, s in enumerate(snapshot.signals)}
    held = np.zeros(raw.size)
    for position in snapshot.positions:
        held[at[position.symbol]] = float(position.qty)
    price = np.array([float((q.bid or 0) + (q.ask or 0)) / 2 for q in snapshot.quotes])
    symbols = [s.symbol for s in snapshot.signals]
    capital = float(snapshot.account.equity) * 2

    def work() -> object:
        weight = np.copysign(np.minimum(np.abs(raw), own), raw)
        weight *= min(1.0, 0.8 / float(np.abs(weight).sum()))
        trade = np.trunc(weight * capital / price) - held
        rows = np.flatnonzero(np.abs(trade) * price >= 100)
        return [
            (symbols[i], "buy" if qty > 0 else "sell", abs(qty))
            for i, qty in zip(rows.tolist(), trade[rows].tolist(), strict=True)
        ]

    return work


def median_ms(work: Callable[[], object], seconds: float = 2.0) -> float:
    """The median time of one call, over about so many seconds, without garbage collection."""
    work()
    times: list[float] = []
    gc.collect()
    gc.disable()
    try:
        while (sum(times) < seconds and len(times) < 2_000) or len(times) < 5:
            begun = perf_counter()
            work()
            times.append(perf_counter() - begun)
    finally:
        gc.enable()
    return statistics.median(times) * 1e3


def main() -> None:
    heads = ("floor", "array part", "edition 2", "plan", "border", "core", "compiled", "on demand")
    print(f"{'N':>6} {'orders':>6}", *(f"{head:>10}" for head in heads), "(ms)")
    for count in [int(a) for a in sys.argv[1:]] or [10, 100, 3_000, 10_000]:
        snapshot = market(count)
        raw, own, families = arrays(snapshot)
        orders = len(plan(snapshot, RULES).orders)
        works: list[Callable[[], object]] = [
            floor(snapshot),
            lambda: cap_weights(raw, own, families),  # noqa: B023  # called before the next round
            lambda: edition_2(snapshot, RULES),  # noqa: B023
            lambda: plan(snapshot, RULES),  # noqa: B023
            *cores(snapshot),
        ]
        print(f"{count:6} {orders:6}", *(f"{median_ms(work):10.3f}" for work in works))


def cores(snapshot: Snapshot) -> list[Callable[[], object]]:
    """The border and the core, interpreted and, where the extra `fast` is installed, compiled. For the core alone its
    columns stand ready."""
    columns = border(snapshot)
    works: list[Callable[[], object]] = [
        lambda: border(snapshot),
        lambda: decide(columns.names, columns.signals, columns.limits, columns.numbers, columns.funds),
    ]
    with suppress(NotCompiled):
        core = compiled_core()

        def given(of: Columns) -> tuple[Any, ...]:
            names, signals = as_arrays(core.Names, of.names), as_arrays(core.SignalRows, of.signals)
            return names, signals, np.array(of.limits), core.Numbers(*of.numbers), core.Funds(*of.funds)

        ready = given(columns)
        works += [lambda: core.decide(*ready), lambda: core.decide(*given(border(snapshot)))]
    return works


def border(snapshot: Snapshot) -> Columns:
    """What `plan` does before the core decides."""
    book, prices = reconcile(snapshot), usable_prices(snapshot, RULES.quotes)
    signals = validate_signals(snapshot, prices, RULES).signals
    capital = snapshot.account.equity * 2
    return to_columns(snapshot, book, prices, signals, frozenset(), capital, RULES, denies=False, leaves=False)


if __name__ == "__main__":
    main()
