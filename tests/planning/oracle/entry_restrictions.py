"""Find the symbols in which nothing may be opened or enlarged in this cycle, each with its reason.

A restricted name may still be reduced. Restrictions apply before the caps are projected, so that a restricted name
takes no headroom from others:

1. its confidence is too low (`confidence_scaling: above_75`);
2. a stop closed it recently (see `cool_off`);
3. its stop is farther away than `max_stop_distance`;
4. its correlation group already has `max_correlated_positions`, or the account `max_positions`. Existing positions come
   first, then the largest raw weights; a position being closed counts until it is gone. Names without a correlation
   group count as one group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.rules import RiskManagement, Rules, Selection
from rebalancer.core.values import decimal_near
from rebalancer.planning.validate_signals import Prices, ValidSignals
from tests.planning.oracle.size_positions import SURE, SizedPosition


class EntryRestriction(NamedTuple):
    """Why nothing may be opened in a symbol."""

    outcome: Outcome
    because: Reasons


FULL = (Outcome.DENIED_CORRELATED_POSITIONS, Outcome.DENIED_POSITIONS)  # denied by a limit on the number of positions


def entry_restrictions(
    sized: Sequence[SizedPosition],
    valid_signals: ValidSignals,
    prices: Prices,
    occupied: Set[str],
    passed_over: Set[str],
    clusters: Mapping[str, str],
    cooling: Mapping[str, EntryRestriction],
    rules: Rules,
) -> Mapping[str, EntryRestriction]:
    """All restricted symbols among the sized ones.

    occupied: symbols that are held, or may be once an open order fills. passed_over: new names that would be too small
    to trade after capping; they do not count as positions. clusters: the correlation group of every symbol. cooling:
    see `cool_off`.
    """
    wanted = [w for w in sized if w.raw != 0]
    risk = rules.risk_management
    found = (
        {}
        if risk.max_stop_distance is None
        else _far_stops(wanted, valid_signals, prices, risk, risk.max_stop_distance)
    )
    found |= {w.symbol: cooling[w.symbol] for w in wanted if w.symbol in cooling}
    if rules.position_sizing.confidence_scaling == "above_75":
        found |= {w.symbol: _unsure(w) for w in wanted if w.confidence < SURE}
    new = [w for w in wanted if w.symbol not in occupied and w.symbol not in found and _selected(w, rules.selection)]
    return found | _crowded(new, occupied, passed_over, clusters, risk)


def _selected(row: SizedPosition, selection: Selection) -> bool:
    """Whether the user's selection lets this name be opened; what it leaves out takes no position's place."""
    if (selection.only and row.symbol not in selection.only) or row.symbol in selection.exclude:
        return False
    if selection.at_most and not selection.at_most.get(row.symbol, {}).get("increase"):
        return False
    return selection.side == "both" or (selection.side == "buy") == (row.raw > 0)


def _unsure(row: SizedPosition) -> EntryRestriction:
    why = because(ReasonCode.CONFIDENCE_UNSURE, confidence=row.confidence, limit=SURE)
    return EntryRestriction(Outcome.HELD_NEUTRAL, why)


def _crowded(
    new: Sequence[SizedPosition],
    occupied: Set[str],
    passed_over: Set[str],
    clusters: Mapping[str, str],
    risk: RiskManagement,
) -> dict[str, EntryRestriction]:
    """The new names that the limits on the number of positions exclude, admitting the largest raw weights first."""
    alike, every = risk.max_correlated_positions, risk.max_positions
    if alike is None and every is None:
        return {}
    found = {
        symbol: EntryRestriction(Outcome.HELD_BELOW_MINIMUM, because(ReasonCode.TOO_SMALL_FOR_PLACE))
        for symbol in sorted(passed_over)
    }
    held = Counter(clusters[symbol] for symbol in occupied)
    opened: Counter[str] = Counter()
    for row in sorted(new, key=lambda w: (-abs(w.raw), w.symbol)):
        name = clusters[row.symbol]
        if row.symbol in passed_over:
            continue
        if alike is not None and held[name] + opened[name] >= alike:
            full = because(ReasonCode.GROUP_FULL, held=held[name], limit=alike, group=name)
            why = full.plus(_larger(opened[name]))
            found[row.symbol] = EntryRestriction(Outcome.DENIED_CORRELATED_POSITIONS, why)
        elif every is not None and len(occupied) + opened.total() >= every:
            full = because(ReasonCode.POSITIONS_FULL, held=len(occupied), limit=every)
            found[row.symbol] = EntryRestriction(Outcome.DENIED_POSITIONS, full.plus(_larger(opened.total())))
        else:
            opened[name] += 1
    return found


def _larger(count: int) -> Reasons:
    return because(ReasonCode.LARGER_FIRST, opened=count) if count else NOTHING


def _far_stops(
    wanted: Sequence[SizedPosition], valid_signals: ValidSignals, prices: Prices, risk: RiskManagement, most: float
) -> dict[str, EntryRestriction]:
    found: dict[str, EntryRestriction] = {}
    for row in wanted:
        distance = stop_distance(row.symbol, valid_signals, prices, risk, is_long=row.raw >= 0)
        if not distance <= decimal_near(most):
            why = because(ReasonCode.STOP_FAR, distance=distance, limit=most)
            found[row.symbol] = EntryRestriction(Outcome.DENIED_STOP_DISTANCE, why)
    return found


def stop_distance(
    symbol: str, valid_signals: ValidSignals, prices: Prices, risk: RiskManagement, *, is_long: bool
) -> Decimal:
    """The stop distance of a position as a fraction of the price: from a signal, else `default_stop_distance`."""
    named = named_stop_distance(symbol, valid_signals, prices, is_long=is_long)
    return decimal_near(risk.default_stop_distance) if named is None else named


def named_stop_distance(symbol: str, valid_signals: ValidSignals, prices: Prices, *, is_long: bool) -> Decimal | None:
    """The stop distance by the newest signal with a stop on the losing side of this position; None without one."""
    price = prices.usable[symbol]
    for signal in valid_signals.signals.get(symbol, ()):
        if signal.stop_price is not None and (price - signal.stop_price) * (1 if is_long else -1) > 0:
            return abs(price - signal.stop_price) / price
    return None
