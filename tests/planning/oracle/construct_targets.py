"""Set every name's target weight: size the signals, then apply all caps together.

Headroom under the caps is allocated in this order:

1. names that cannot be traded now (frozen, unpriced, unknown to the broker) use headroom at their worst case;
2. held names without a usable signal, or whose signal says to keep them, keep their weight, shrunk only if they break a
   cap by themselves: the absence of a signal is not a sell, so new signals never displace them;
3. signalled names share the remaining headroom in one projection (see `cap_weights`); those with an entry restriction
   (see `entry_restrictions`) keep at most what they hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from rebalancer.core.facts import Instrument, Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, decimal_near, shares_toward_zero
from rebalancer.planning.cool_off import cool_off
from rebalancer.planning.lot_sizes import largest_trade, most_shares, trade_lot
from rebalancer.planning.overnight_ramp import overnight_gross_limit
from rebalancer.planning.reconcile import ReconciledBook
from rebalancer.planning.validate_signals import Prices, ValidSignals
from tests.planning.oracle.cap_weights import Family, cap_weights
from tests.planning.oracle.entry_restrictions import FULL, EntryRestriction, entry_restrictions, named_stop_distance
from tests.planning.oracle.groups import Groups, group, group_name, side_family
from tests.planning.oracle.pricing import order_price
from tests.planning.oracle.size_positions import SizedPosition, Stance, size_positions, volatility_of

NEGLIGIBLE_WEIGHT: Final = 1e-12  # fraction of capital; less headroom than this is rounding error


class ProposedTarget(NamedTuple):
    """The target weight of one tradable name with the numbers behind it; `note`, `denial`, `stance` and `basis` are
    those of its `SizedPosition`."""

    symbol: str
    raw: float
    weight: float
    factors: Mapping[str, float]
    score: float
    confidence: float
    volatility: float | None
    volatility_scale: float
    own_cap: float
    own_cap_name: str
    held_weight: float
    implied: bool
    note: Reasons
    denial: Outcome | None = None
    stance: Stance = ""
    basis: Reasons = NOTHING


class ProposedTargets(NamedTuple):
    """All targets in symbol order, the groups, and the signed exposure (fraction of capital) of each symbol that cannot
    be traded."""

    targets: tuple[ProposedTarget, ...]
    groups: Groups
    fixed: Mapping[str, float]


def construct_targets(
    snapshot: Snapshot,
    book: ReconciledBook,
    prices: Prices,
    valid_signals: ValidSignals,
    capital: Decimal,
    rules: Rules,
    liquidation: EntryRestriction | None = None,
) -> ProposedTargets:
    """Size and cap all targets. Weights are signed fractions of capital.

    liquidation: why every position is being closed; None when it is not.
    """
    instruments = {i.symbol: i for i in snapshot.instruments}
    symbols = sorted({*valid_signals.signals, *book.held, *book.worst_case})
    groups = group(symbols, instruments, overnight_gross_limit(snapshot.as_of, snapshot.session, rules), rules)
    fixed = {
        s: float(book.worst_case.get(s, ZERO) * prices.value.get(s, ZERO) / capital)
        for s in symbols
        if s in book.frozen or (s not in valid_signals.signals and not _tradable(s, instruments, prices))
    }
    sized = {
        w.symbol: w
        for w in size_positions(valid_signals.signals, instruments, snapshot.account, prices.usable, capital, rules)
    }
    held_weight = {s: float(qty * prices.usable[s] / capital) for s, qty in book.held.items() if s in prices.usable}
    kept_as_it_is = {
        s: _kept(w, held_weight[s])
        for s, w in sized.items()
        if s in book.held and s not in fixed and liquidation is None and _keeps(w, rules)
    }
    implied = [s for s in symbols if s not in fixed and (s not in sized or s in kept_as_it_is)]
    holds = rules.execution.unsignalled_positions == "hold" or not valid_signals.signals
    rows = [
        kept_as_it_is.get(s) or _implied(s, held_weight.get(s, 0.0), holds, instruments[s], prices.usable[s], rules)
        for s in implied
    ]
    unsaid = set(implied)
    spoken = [sized[s] for s in symbols if s in sized and s not in fixed and s not in unsaid]
    if liquidation is not None:
        rows, spoken = (
            [_restricted(w, liquidation, 0.0) for w in rows],
            [_restricted(w, liquidation, 0.0) for w in spoken],
        )

    headroom = _WeightHeadroom(symbols, groups, rules)
    headroom.take(fixed)
    first = headroom.project(rows, {w.symbol: _own_cap(w, valid_signals, prices, rules) for w in rows})
    own = {w.symbol: _own_cap(w, valid_signals, prices, rules) for w in spoken}
    occupied = {s for s, qty in [*book.held.items(), *book.worst_case.items()] if qty != 0}
    clusters = {symbol: names[-1] for symbol, names in groups.of.items()}
    cooling = cool_off(snapshot, valid_signals.signals, rules)
    tiny: set[str] = set()
    while True:
        bars = entry_restrictions(spoken, valid_signals, prices, occupied, tiny, clusters, cooling, rules)
        kept = [
            _restricted(w, bars[w.symbol], held_weight.get(w.symbol, 0.0)) if w.symbol in bars else w for w in spoken
        ]
        second = headroom.copy().project(kept, own)
        if not any(b.outcome in FULL for b in bars.values()):
            break  # no entry is denied by a position limit
        unused = {
            w.symbol
            for w, weight, _, _ in second
            if w.raw != 0
            and w.symbol not in occupied
            and _is_tiny(weight, prices, instruments[w.symbol], capital, rules)
        }
        if not unused:
            break
        tiny |= unused
    silent = {row.symbol for row in rows}
    targets = [
        ProposedTarget(
            symbol=w.symbol,
            raw=w.raw,
            weight=weight,
            factors=factors,
            score=w.score,
            confidence=w.confidence,
            volatility=w.volatility if w.volatility_known else None,
            volatility_scale=w.volatility_scale,
            own_cap=cap,
            own_cap_name=cap_name,
            held_weight=held_weight.get(w.symbol, 0.0),
            implied=w.symbol in silent,
            note=w.note,
            denial=w.denial,
            stance=w.stance,
            basis=w.basis,
        )
        for w, weight, factors, (cap, cap_name) in [*first, *second]
    ]
    return ProposedTargets(tuple(sorted(targets, key=lambda t: t.symbol)), groups, fixed)


_Row = tuple[SizedPosition, float, Mapping[str, float], tuple[float, str]]


class _WeightHeadroom:
    """The remaining headroom of every group (fraction of capital), reduced after each projection."""

    def __init__(self, symbols: list[str], groups: Groups, rules: Rules) -> None:
        self._place = {symbol: i for i, symbol in enumerate(symbols)}
        self._groups = groups
        self._left = dict(groups.limits)
        self._rules = rules

    def copy(self) -> _WeightHeadroom:
        """An independent copy, for a trial allocation."""
        other = _WeightHeadroom.__new__(_WeightHeadroom)
        other._place, other._groups, other._rules = self._place, self._groups, self._rules
        other._left = dict(self._left)
        return other

    def take(self, exposure: Mapping[str, float]) -> None:
        """Deduct the headroom used by these signed weights."""
        for symbol, weight in exposure.items():
            if weight != 0:
                for name in self._groups.names(symbol, is_long=weight > 0):
                    left = self._left[name] - abs(weight)
                    self._left[name] = left if left > NEGLIGIBLE_WEIGHT else 0.0

    def project(self, rows: list[SizedPosition], own: Mapping[str, tuple[float, str]]) -> list[_Row]:
        """Cap these names within the remaining headroom, and deduct what they use."""
        if not rows:
            return []
        where = np.array([self._place[row.symbol] for row in rows])
        raw = np.array([row.raw for row in rows])
        families = [
            Family(
                f.name,
                f.labels,
                f.member[where],
                np.array([self._left[group_name(f.name, label)] for label in f.labels]),
            )
            for f in self._groups.families
        ]
        if "long" in self._left or "short" in self._left:
            families.append(side_family(raw, self._left))
        capped = cap_weights(raw, np.array([own[row.symbol][0] for row in rows]), families)
        factors: list[dict[str, float]] = [{} for _ in rows]
        for f, values in zip(families, capped.factors, strict=True):
            names = [group_name(f.name, label) for label in f.labels]
            for k in np.flatnonzero(values < 1).tolist():
                name, value = names[k], float(values[k])
                for i in np.flatnonzero(f.member == k).tolist():
                    if rows[i].raw:
                        factors[i][name] = value
        result: list[_Row] = [
            (row, weight, shrunk, own[row.symbol])
            for row, weight, shrunk in zip(rows, capped.weights.tolist(), factors, strict=True)
        ]
        self.take({row.symbol: weight for row, weight, _, _ in result if weight})
        return result


def _tradable(symbol: str, instruments: Mapping[str, Instrument], prices: Prices) -> bool:
    instrument = instruments.get(symbol)
    return instrument is not None and instrument.tradable and symbol in prices.usable


def _keeps(row: SizedPosition, rules: Rules) -> bool:
    """Whether a signal that opens nothing leaves an existing position unchanged."""
    return row.stance == "keep" or (row.stance == "neutral" and rules.execution.neutral_signals == "hold")


def _kept(row: SizedPosition, held_weight: float) -> SizedPosition:
    """The same row, with the held weight as its raw weight."""
    more = because(ReasonCode.NEUTRAL_HELD) if row.stance == "neutral" else NOTHING
    return row._replace(raw=held_weight, note=row.note.plus(more))


def _implied(
    symbol: str, held_weight: float, holds: bool, instrument: Instrument, price: Decimal, rules: Rules
) -> SizedPosition:
    """The row for a name without a signal: its target is the held weight or zero."""
    known = volatility_of(instrument, price, rules)
    volatility = known or rules.risk_management.assumed_volatility
    return SizedPosition(symbol, held_weight if holds else 0.0, 0.0, 0.0, volatility, known is not None, 1.0, NOTHING)


def _restricted(row: SizedPosition, why: EntryRestriction, held_weight: float) -> SizedPosition:
    """The same row, without the part that would open or enlarge a position. A row that asks for no more than is held is
    unchanged."""
    allowed = math.copysign(min(abs(row.raw), abs(held_weight)), row.raw) if row.raw * held_weight > 0 else 0.0
    if allowed == row.raw and row.raw != 0:
        return row
    return row._replace(raw=allowed, note=why.because, denial=why.outcome)


def _is_tiny(weight: float, prices: Prices, instrument: Instrument, capital: Decimal, rules: Rules) -> bool:
    """Whether a new position of this weight is below the minimum trade, or one lot exceeds the largest order."""
    price, lot = prices.usable[instrument.symbol], trade_lot(instrument, rules, is_long=weight >= 0)
    shares = shares_toward_zero(decimal_near(abs(weight)) * capital / price, lot)
    paid = order_price("buy" if weight >= 0 else "sell", instrument, prices, rules)
    shares = min(shares, most_shares(max(price, paid), lot, largest_trade(rules)))
    return shares * paid < rules.position_sizing.min_trade_size


def _own_cap(row: SizedPosition, valid_signals: ValidSignals, prices: Prices, rules: Rules) -> tuple[float, str]:
    """The largest absolute weight allowed for the name by itself, and the rule that sets it. Heat is a loss, so it is
    measured against equity: weight x capital_scaling x stop distance <= max_trade_heat."""
    sizing, risk = rules.position_sizing, rules.risk_management
    named = named_stop_distance(row.symbol, valid_signals, prices, is_long=row.raw >= 0)
    distance = risk.default_stop_distance if named is None else float(named)
    return min(
        (sizing.max_position_size, "position_sizing.max_position_size"),
        (risk.max_position_risk / row.volatility, "risk_management.max_position_risk"),
        (risk.max_trade_heat / (sizing.capital_scaling * distance), "risk_management.max_trade_heat"),
    )
