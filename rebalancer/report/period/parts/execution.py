"""How well orders were filled, and what keeps each symbol from its target."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.decisions import Target
from rebalancer.core.values import ZERO
from rebalancer.performance.drift import Drift, DriftInputs, drift_of, in_floats
from rebalancer.performance.shortfall import ExecutionQuality
from rebalancer.report.allocation import known_prices, target_of
from rebalancer.report.period.parts.source import Source
from rebalancer.report.records import RunRecord

SAME_WEIGHT: Final = 1e-9


def quality_by_symbol(source: Source) -> tuple[ExecutionQuality, ...]:
    """The period's orders by symbol, the most traded first."""
    found = () if source.summary is None else source.summary.by_symbol
    return tuple(sorted(found, key=lambda q: (-q.value, q.name)))


def quality_by_hour(source: Source) -> tuple[ExecutionQuality, ...]:
    """The period's orders by the hour in New York in which they were sent."""
    return () if source.summary is None else source.summary.by_hour


class Base(NamedTuple):
    """The cycle from which a symbol's gap is explained, with the target that it had."""

    record: RunRecord
    target: Target


def gaps(source: Source) -> tuple[Drift[float], ...]:
    """The drift ledger as of the last cycle, the largest gap first.

    The gap of each symbol is explained from the last cycle that sent an order for it, when its target has not changed
    since, else from the last cycle: an order that was not filled in the morning is still shown as unfilled in the
    evening.
    """
    latest = source.latest
    if latest is None or latest.plan.capital <= ZERO:
        return ()
    held, prices = shares_now(source, latest), known_prices(latest)
    found = []
    for target in latest.plan.targets:
        base = _base(source, latest, target)
        price = prices.get(target.symbol, ZERO)
        if price <= ZERO or base.target.price <= ZERO or base.record.plan.capital <= ZERO:
            continue
        drift = drift_of(_course(source, base, latest, held.get(target.symbol, ZERO), price))
        if drift.target or drift.now or drift.achieved:
            found.append(in_floats(drift))
    return tuple(sorted(found, key=lambda g: (-abs(g.now - g.target), g.symbol)))


def _base(source: Source, latest: RunRecord, target: Target) -> Base:
    for record in reversed(source.records):
        if any(line.symbol == target.symbol for line in record.orders):
            then = target_of(record, target.symbol)
            if then is not None and abs(then.weight - target.weight) <= SAME_WEIGHT:
                return Base(record, then)
            break
    return Base(latest, target)


def _course(source: Source, base: Base, latest: RunRecord, now_qty: Decimal, price_now: Decimal) -> DriftInputs:
    record, target = base
    lines = [line for line in record.orders if line.symbol == target.symbol]
    planned = sum((line.planned_qty if line.side == "buy" else -line.planned_qty for line in lines), ZERO)
    filled = sum((line.filled_qty if line.side == "buy" else -line.filled_qty for line in lines), ZERO)
    equity = record.snapshot.account.equity
    scaling = record.plan.capital / equity if equity > ZERO else Decimal(1)
    flow = source.flow_between(record.snapshot.as_of, latest.snapshot.as_of) * scaling
    return DriftInputs(
        symbol=target.symbol,
        target=Decimal(repr(target.weight)),
        target_qty=target.qty,
        held_qty=target.held_qty,
        planned_qty=planned,
        filled_qty=filled,
        now_qty=now_qty,
        price=target.price,
        price_now=price_now,
        capital=record.plan.capital,
        capital_now=latest.plan.capital,
        flow=flow,
        kept_back=_kept_back(record, target.symbol),
    )


def _kept_back(record: RunRecord, symbol: str) -> Literal["band", "cap"]:
    """Whether band or cap: a plan trades less than the target needs because the rest is within the band, or because a
    limit or a doubt forbids more."""
    outcomes = [v.outcome for v in (*record.plan.verdicts, *record.plan.unsignalled) if v.symbol == symbol]
    return "cap" if any(o.startswith(("DENIED", "FROZEN")) for o in outcomes) else "band"


def shares_now(source: Source, latest: RunRecord) -> Mapping[str, Decimal]:
    """Signed shares from the closed day, else from the last cycle plus every fill since."""
    if source.closing is not None:
        return {symbol: one.qty for symbol, one in source.closing.positions.items()}
    held = {p.symbol: p.qty for p in latest.snapshot.positions}
    for symbol, qty in source.shares_between(latest.snapshot.as_of, source.span.ends):
        held[symbol] = held.get(symbol, ZERO) + qty
    return held
