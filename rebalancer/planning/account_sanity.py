"""Detect account readings that are implausible as a whole and must not be traded on.

Two cases are detected. An inconsistent reading: equity differs widely from cash plus positions. And a reset account:
every position is gone without explanation, and all equity is cash. The first clears by itself; the second only a person
can tell from an error, so it persists until somebody accepts the new positions.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from rebalancer.core.facts import Snapshot
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.values import CENT, ZERO
from rebalancer.planning.reconcile import differences

APART_MOST: Final = Decimal("0.25")  # of equity; far more than prices move between two reads of one snapshot
ACCEPT: Final = "rebalancer resume --reason 'the account was reset'"


def implausible_reading(snapshot: Snapshot) -> Reasons:
    """Why the reading is implausible; nothing when it is not."""
    return account_reset(snapshot) or contradiction(snapshot)


def account_reset(snapshot: Snapshot) -> Reasons:
    """Why the account looks as if it has been reset; nothing when it does not."""
    expected = {s: q for s, q in (snapshot.expected_positions or {}).items() if q != 0}
    account = snapshot.account
    is_empty = not snapshot.open_orders and all(p.qty == 0 for p in snapshot.positions)
    if not expected or not is_empty or abs(account.equity - account.cash) > CENT:
        return NOTHING
    if not set(expected) <= set(differences(snapshot._replace(unexplained_before={}))):  # rereading explains no reset
        return NOTHING
    return because(ReasonCode.ACCOUNT_RESET, positions=len(expected), equity=account.equity, command=ACCEPT)


def contradiction(snapshot: Snapshot) -> Reasons:
    """How equity contradicts cash and positions; nothing when it does not, or when a position has no price."""
    prices = {q.symbol: q.last or q.bid or q.ask for q in snapshot.quotes}
    worth = snapshot.account.cash
    for position in snapshot.positions:
        price = prices.get(position.symbol)
        if price is None or not price > 0:
            return NOTHING
        worth += position.qty * price
    equity = snapshot.account.equity
    if abs(worth - equity) <= APART_MOST * max(equity, ZERO):
        return NOTHING
    return because(ReasonCode.ACCOUNT_CONTRADICTS, equity=equity, worth=worth)
