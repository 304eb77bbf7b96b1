"""Reconcile expected positions with the broker's, symbol by symbol, and freeze what cannot be trusted.

The expected position is what the last closed cycle left plus every change since then with a known cause (a late fill of
ours, an external trade, a corporate action). An unexplained difference freezes its symbol for this cycle; if the same
quantity is read again in the next cycle it is adopted, unless the whole reading is in doubt. An order in an unknown
state, a working order that is not ours, and orders of ours on both sides of a symbol freeze it too: it is not known
which fills first, so any further order could trade through zero. So does a word of the broker's that is not known: what
it means for the position is never guessed. If too much value is unexplained the whole cycle
halts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.facts import OpenOrder, Snapshot, coins
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.values import ZERO


class PositionFinding(NamedTuple):
    """One difference between the expected and the broker's position. `kind`: late_fill, external_trade,
    corporate_action, adopted or unexplained; `qty` is the signed change in shares."""

    symbol: str
    kind: str
    qty: Decimal
    why: Reasons


class Frozen(NamedTuple):
    """Why a symbol may not be traded in this cycle."""

    outcome: Outcome
    because: Reasons


class ReconciledBook(NamedTuple):
    """The positions to plan from. All quantities are signed shares.

    `pending` is what our own working orders may still fill; `worst_case` is the largest position in magnitude that any
    open and unknown orders, ours or not, can lead to, and is what counts against the caps.
    """

    held: Mapping[str, Decimal]
    available: Mapping[str, Decimal]
    pending: Mapping[str, Decimal]
    worst_case: Mapping[str, Decimal]
    frozen: Mapping[str, Frozen]
    findings: tuple[PositionFinding, ...]
    unexplained: Mapping[str, Decimal]


def reconcile(snapshot: Snapshot) -> ReconciledBook:
    """Reconcile all positions. Never raises: a symbol in doubt is frozen. How much may be frozen is checked where
    prices are known."""
    held = {p.symbol: p.qty for p in snapshot.positions if p.qty != 0}
    available = {p.symbol: p.qty_available for p in snapshot.positions if p.qty != 0}
    findings, unexplained = _differences(snapshot, held)
    frozen = {
        symbol: Frozen(
            Outcome.FROZEN_UNRECONCILED,
            because(ReasonCode.UNEXPLAINED, held=held.get(symbol, ZERO), expected=expected),
        )
        for symbol, expected in unexplained.items()
    }
    pending: dict[str, Decimal] = {}
    growing: dict[str, list[Decimal]] = {}
    for order in by_id(snapshot.open_orders):
        rest = order.remaining
        growing.setdefault(order.symbol, []).append(rest)
        now = held.get(order.symbol, ZERO)
        if order.unknown:
            frozen[order.symbol] = Frozen(
                Outcome.FROZEN_UNKNOWN_ORDER,
                because(ReasonCode.ORDER_UNKNOWN, order=order.client_order_id),
            )
        elif order.ours:
            pending[order.symbol] = pending.get(order.symbol, ZERO) + rest
        elif rest != 0 and order.symbol not in frozen:
            effect = "reduces" if now * rest < 0 else "increases"
            frozen[order.symbol] = Frozen(
                Outcome.FROZEN_OPEN_ORDER,
                because(ReasonCode.ORDER_NOT_OURS, side=order.side, qty=abs(rest), effect=effect),
            )
    for symbol, (buys, sells) in _both_sides(snapshot.open_orders).items():
        why = because(ReasonCode.ORDERS_ON_BOTH_SIDES, buys=buys, sells=sells)
        frozen.setdefault(symbol, Frozen(Outcome.FROZEN_OPEN_ORDER, why))
    for symbol, said in snapshot.unknown_words.items():
        why = because(ReasonCode.UNKNOWN_WORD, said=said)
        frozen.setdefault(symbol, Frozen(Outcome.FROZEN_UNRECONCILED, why))
    return ReconciledBook(
        held=held,
        available=available,
        pending={symbol: qty for symbol, qty in pending.items() if qty != 0},
        worst_case={s: _worst(held.get(s, ZERO), growing.get(s, [])) for s in sorted({*held, *growing})},
        frozen=dict(sorted(frozen.items())),
        findings=findings,
        unexplained={symbol: held.get(symbol, ZERO) for symbol in unexplained},
    )


def _both_sides(orders: tuple[OpenOrder, ...]) -> Mapping[str, tuple[Decimal, Decimal]]:
    """The symbols with orders of ours in a known state on both sides, with the unsigned shares to buy and to sell."""
    sides: dict[str, tuple[Decimal, Decimal]] = {}
    for order in by_id(orders):
        if order.ours and not order.unknown:
            buys, sells = sides.get(order.symbol, (ZERO, ZERO))
            rest = order.remaining
            sides[order.symbol] = buys + max(rest, ZERO), sells + max(-rest, ZERO)
    return {symbol: both for symbol, both in sides.items() if ZERO not in both}


def by_id(orders: tuple[OpenOrder, ...]) -> list[OpenOrder]:
    """Open orders sorted by client order id, so that the broker's listing order does not matter."""
    return sorted(orders, key=lambda order: order.client_order_id)


def differences(snapshot: Snapshot) -> Mapping[str, Decimal]:
    """Signed shares by which the broker's positions differ from the expected ones, for differences that are neither
    explained nor adopted."""
    held = {p.symbol: p.qty for p in snapshot.positions if p.qty != 0}
    _, unexplained = _differences(snapshot, held)
    return {symbol: held.get(symbol, ZERO) - was for symbol, was in unexplained.items()}


def _differences(
    snapshot: Snapshot, held: Mapping[str, Decimal]
) -> tuple[tuple[PositionFinding, ...], Mapping[str, Decimal]]:
    """The changes since the last closed cycle, and the expected quantity of every symbol with an unexplained one."""
    if snapshot.expected_positions is None:
        adopted = tuple(
            PositionFinding(symbol, "adopted", qty, because(ReasonCode.OPENING_BALANCE, qty=qty))
            for symbol, qty in held.items()
        )
        return adopted, {}
    findings: list[PositionFinding] = []
    expected = dict(snapshot.expected_positions)
    moved: dict[str, Decimal] = {}
    for cause in snapshot.explanations:
        expected[cause.symbol] = expected.get(cause.symbol, ZERO) + cause.qty
        moved[cause.symbol] = moved.get(cause.symbol, ZERO) + abs(cause.qty)
        why = because(ReasonCode.EXPLAINED, kind=cause.kind, qty=cause.qty, reference=cause.reference)
        findings.append(PositionFinding(cause.symbol, cause.kind, cause.qty, why))
    unexplained: dict[str, Decimal] = {}
    pairs = coins(snapshot.instruments)
    for symbol in sorted({*held, *expected}):
        now, was = held.get(symbol, ZERO), expected.get(symbol, ZERO)
        if now == was:
            continue
        if symbol in pairs and ZERO < was - now <= moved.get(symbol, ZERO) * snapshot.venue.crypto_fee_max:
            fee = because(ReasonCode.COIN_FEE, qty=was - now)
            findings.append(PositionFinding(symbol, "adopted", now - was, fee))
        elif snapshot.unexplained_before.get(symbol) == now and not snapshot.doubt:
            twice = because(ReasonCode.READ_TWICE, qty=now)
            findings.append(PositionFinding(symbol, "adopted", now - was, twice))
        else:
            unexplained[symbol] = was
            unlike = because(ReasonCode.NOT_AS_EXPECTED, held=now, expected=was)
            findings.append(PositionFinding(symbol, "unexplained", now - was, unlike))
    return tuple(findings), unexplained


def _worst(held: Decimal, rests: list[Decimal]) -> Decimal:
    """The largest position in magnitude that any subset of the open orders can lead to."""
    high = held + sum((r for r in rests if r > 0), ZERO)
    low = held + sum((r for r in rests if r < 0), ZERO)
    return high if abs(high) >= abs(low) else low
