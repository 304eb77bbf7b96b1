"""Give every name its target weight: opinions first weighed, then all of them capped together.

Who is served first, and why in this order:

1. what cannot be traded now (frozen, unpriced, unknown to the broker) keeps its worst case and takes its room;
2. held names that no usable signal speaks about keep their weight, shrunk only if they alone break a cap: silence is
   not a sell, so fresh opinions never push them out;
3. the signalled names share the room that is left, by one projection (see `cap`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from rebalancer.decide.admit import Admitted, Prices
from rebalancer.decide.cap import Family, cap_weights
from rebalancer.decide.groups import Groups, group, group_name, side_family
from rebalancer.decide.reconcile import Book
from rebalancer.decide.weigh import Weighed, weigh
from rebalancer.facts import Instrument, Snapshot
from rebalancer.rules import Rules
from rebalancer.values import ZERO

CRUMB: Final = 1e-12  # of capital; less room than this is what rounding left over


class Aim(NamedTuple):
    """The target weight of one tradable name with the numbers that led to it; `note` is `Weighed.note`."""

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
    note: str


class Aims(NamedTuple):
    """All targets in symbol order, the groups, and the exposure (fraction of capital, by symbol, signed) of what
    cannot be traded."""

    targets: tuple[Aim, ...]
    groups: Groups
    fixed: Mapping[str, float]


def aim(snapshot: Snapshot, book: Book, prices: Prices, admitted: Admitted, capital: Decimal, rules: Rules) -> Aims:
    """Weigh and cap. Weights are signed fractions of capital."""
    instruments = {i.symbol: i for i in snapshot.instruments}
    symbols = sorted({*admitted.signals, *book.held, *book.worst_case})
    groups = group(symbols, instruments, rules)
    fixed = {
        s: float(book.worst_case.get(s, ZERO) * prices.value.get(s, ZERO) / capital)
        for s in symbols
        if s in book.frozen or (s not in admitted.signals and not _tradable(s, instruments, prices))
    }
    weighed = {w.symbol: w for w in weigh(admitted.signals, instruments, snapshot.account, rules)}
    held_weight = {s: float(qty * prices.usable[s] / capital) for s, qty in book.held.items() if s in prices.usable}
    keep = rules.execution.neutral_signals == "hold"
    implied = [
        s
        for s in symbols
        if s not in fixed and (s not in weighed or (keep and weighed[s].note == "neutral" and s in book.held))
    ]
    holds = rules.execution.unsignalled_positions == "hold" or not admitted.signals
    rows = [_implied(s, held_weight.get(s, 0.0), holds or s in weighed, instruments[s], rules) for s in implied]
    unsaid = set(implied)
    spoken = [weighed[s] for s in symbols if s in weighed and s not in fixed and s not in unsaid]

    room = _Room(symbols, groups, rules)
    room.take(fixed)
    first = room.project(rows, {w.symbol: _own_cap(w, admitted, prices, rules) for w in rows})
    second = room.project(spoken, {w.symbol: _own_cap(w, admitted, prices, rules) for w in spoken})
    silent = {row.symbol for row in rows}
    targets = [
        Aim(
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
        )
        for w, weight, factors, (cap, cap_name) in [*first, *second]
    ]
    return Aims(tuple(sorted(targets, key=lambda t: t.symbol)), groups, fixed)


_Row = tuple[Weighed, float, Mapping[str, float], tuple[float, str]]


class _Room:
    """What every group can still take, lowered after each projection."""

    def __init__(self, symbols: list[str], groups: Groups, rules: Rules) -> None:
        self._place = {symbol: i for i, symbol in enumerate(symbols)}
        self._groups = groups
        self._left = dict(groups.limits)
        self._rules = rules

    def take(self, exposure: Mapping[str, float]) -> None:
        """Give the room of these signed weights away."""
        for symbol, weight in exposure.items():
            if weight != 0:
                for name in self._groups.names(symbol, is_long=weight > 0):
                    left = self._left[name] - abs(weight)
                    self._left[name] = left if left > CRUMB else 0.0

    def project(self, rows: list[Weighed], own: Mapping[str, tuple[float, str]]) -> list[_Row]:
        """Cap these names within what is left, and take their room."""
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


def _implied(symbol: str, held_weight: float, holds: bool, instrument: Instrument, rules: Rules) -> Weighed:
    """The opinion that silence stands for: stay as it is, or leave."""
    known = instrument.volatility is not None and instrument.volatility > 0
    volatility = instrument.volatility if known and instrument.volatility else rules.risk_management.assumed_volatility
    return Weighed(symbol, held_weight if holds else 0.0, 0.0, 0.0, volatility, known, 1.0, "implied")


def _own_cap(row: Weighed, admitted: Admitted, prices: Prices, rules: Rules) -> tuple[float, str]:
    """The largest absolute weight the name alone may have, and the rule that says so. Heat is a loss, so it is of
    equity: weight x capital_scaling x stop distance <= max_trade_heat."""
    sizing, risk = rules.position_sizing, rules.risk_management
    distance = risk.default_stop_distance
    price = prices.usable[row.symbol]
    for signal in admitted.signals.get(row.symbol, ()):
        if signal.stop_price is not None and (price - signal.stop_price) * (1 if row.raw >= 0 else -1) > 0:
            distance = float(abs(price - signal.stop_price) / price)
            break  # the newest stop that lies where this position would lose
    return min(
        (sizing.max_position_size, "position_sizing.max_position_size"),
        (risk.max_position_risk / row.volatility, "risk_management.max_position_risk"),
        (risk.max_trade_heat / (sizing.capital_scaling * distance), "risk_management.max_trade_heat"),
    )
