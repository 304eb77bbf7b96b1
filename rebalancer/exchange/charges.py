"""What an account pays at a live broker and not at a paper one: regulatory fees, margin interest, borrow fees.

Off by default, as on Alpaca's paper accounts. Fees of a day are posted at the midnight after it, interest is accrued
each midnight and posted when a month begins.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Final

from rebalancer.core.values import CENT, ZERO
from rebalancer.exchange.calendar import midnight_new_york, moment_of, new_york_day
from rebalancer.exchange.state import State

SEC_RATE: Final = Decimal("20.60") / 1_000_000  # of the value sold
TAF_RATE: Final = Decimal("0.000195")  # USD a share sold
TAF_MAX: Final = Decimal("9.79")  # USD an order
MARGIN_RATE: Final = Decimal("0.0625")  # a year of 360 days
BORROW_RATE: Final = Decimal("0.12")  # hard-to-borrow names, a year of 360 days
_ACCRUED: Final = "accrued_interest"
_FILLS_MAX: Final = 1_000_000


def charge_overnight(state: State, at: int) -> None:
    """Post what the day that ended at this midnight has cost."""
    day = moment_of(at - 1).date()
    for sub_type, amount in regulatory_fees(state, new_york_day(at - 1), at).items():
        if amount:
            state.books.charge("FEE", sub_type, -amount, at, day.isoformat(), f"{sub_type} fee {day}")
    _borrow(state, at, day)
    _interest(state, at)


def regulatory_fees(state: State, day: int, until: int) -> dict[str, Decimal]:
    """Fees in whole cents, rounded up, for the equities sold on a New York day before a moment."""
    rows = state.store.activities(
        kinds={"FILL"},
        order_id=None,
        after=midnight_new_york(day) - 1,
        until=until - 1,
        ascending=True,
        beyond=None,
        limit=_FILLS_MAX,
    )
    value, shares = ZERO, defaultdict[str, Decimal](Decimal)
    for row in rows:
        if row["side"] == "sell" and "/" not in str(row["symbol"]):
            value += Decimal(str(row["qty"])) * Decimal(str(row["price"]))
            shares[str(row["order_id"])] += Decimal(str(row["qty"]))
    activity_fee = sum((min(qty * TAF_RATE, TAF_MAX) for qty in shares.values()), ZERO)
    return {"REG": _up(value * SEC_RATE), "TAF": _up(activity_fee)}


def accrued_interest(state: State) -> Decimal:
    """Margin interest that has not been posted yet, USD."""
    return Decimal(state.store.meta(_ACCRUED) or 0)


def _borrow(state: State, at: int, day: date) -> None:
    for symbol, position in sorted(state.books.positions.items()):
        if position.qty < 0 and state.listing(symbol).is_hard_to_borrow:
            value = -position.qty * state.market.last(symbol, at)
            reference = f"{symbol} {day}"
            words = f"borrow fee {reference}"
            state.books.charge("FEE", "BRW", -_up(value * BORROW_RATE / 360), at, reference, words, symbol=symbol)


def _interest(state: State, at: int) -> None:
    accrued = accrued_interest(state) + max(-state.books.cash, ZERO) * MARGIN_RATE / 360
    today = moment_of(at).date()
    if today.day == 1 and accrued >= CENT:
        amount = _up(accrued)
        state.books.charge("INT", "MGN", -amount, at, today.isoformat(), "margin interest")
        accrued = ZERO
    state.store.set_meta(_ACCRUED, str(accrued))


def _up(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_CEILING)
