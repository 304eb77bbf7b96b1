"""Account numbers: what positions and open orders leave to open more with.

One formula serves all multipliers: available margin = equity - sum of value x rate, where the rate of a marginable
name is 1 / multiplier but never below its maintenance rate, and 1 for crypto; buying power = available x multiplier.
Flat, that gives cash, 2 x or 4 x equity; with positions, (equity - initial margin) x 2, as Alpaca documents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange.books import Books
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.store import Store

EQUITY_FOR_MARGIN: Final = Decimal(2000)  # below it the account trades cash only
_HALF: Final = Decimal("0.5")
_FULL: Final = Decimal(1)
MARGIN_WATCH: Final = "margin_watch"  # its key in the store


class AccountNumbers(NamedTuple):
    """USD, exact. Short market value is negative."""

    multiplier: int
    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    available: Decimal  # margin left for openings, never negative
    regt_available: Decimal
    reserved: Decimal  # value of open opening orders

    @property
    def equity(self) -> Decimal:
        return self.cash + self.long_value + self.short_value

    @property
    def buying_power(self) -> Decimal:
        return self.available * self.multiplier

    @property
    def non_marginable_buying_power(self) -> Decimal:
        """What crypto can be bought with: settled money that margin does not need."""
        return max(min(self.cash - self.reserved, self.available), ZERO)


class Pending(NamedTuple):
    """What open orders hold back, USD: their value, and the margin that they need by multiplier."""

    value: Decimal
    needed: Mapping[int, Decimal]


def account_numbers(books: Books, pending: Pending, market: Market, at: int, multiplier_max: int) -> AccountNumbers:
    """Value the account at a moment."""
    long_value = short_value = maintenance = ZERO
    held: list[tuple[Decimal, str, Decimal]] = []
    for symbol, position in books.positions.items():
        price = market.last(symbol, at)
        value = position.qty * price
        long_value, short_value = long_value + max(value, ZERO), short_value + min(value, ZERO)
        maintenance += abs(value) * maintenance_rate(symbol, price, short=value < 0)
        held.append((abs(value), symbol, price))
    equity = books.cash + long_value + short_value
    multiplier = 1 if equity < EQUITY_FOR_MARGIN else multiplier_max

    def needed(at_multiplier: int) -> Decimal:
        positions = sum((value * margin_rate(symbol, price, at_multiplier) for value, symbol, price in held), ZERO)
        return positions + pending.needed[at_multiplier]

    initial = sum((value * margin_rate(symbol, price, 2) for value, symbol, price in held), ZERO)
    return AccountNumbers(
        multiplier,
        books.cash,
        long_value,
        short_value,
        initial,
        maintenance,
        max(equity - needed(multiplier), ZERO),
        max(equity - needed(2), ZERO),
        pending.value,
    )


def margin_rate(symbol: str, price: Decimal, multiplier: int) -> Decimal:
    """The part of an opening's value that must be covered by equity."""
    if "/" in symbol or multiplier == 1:
        return _FULL
    return max(_FULL / multiplier, maintenance_rate(symbol, price, short=False))


def maintenance_rate(symbol: str, price: Decimal, *, short: bool) -> Decimal:
    """Alpaca's maintenance table: by price for longs, at least so many dollars a share for shorts."""
    if "/" in symbol:
        return _FULL
    if short:
        dollars, rate = (Decimal("2.5"), _FULL) if price < 5 else (Decimal(5), Decimal("0.3"))
        return max(dollars / price, rate)
    if price < Decimal("2.5"):
        return _FULL
    return _HALF if price < 6 else Decimal("0.3")


class MarginWatch(NamedTuple):
    """What the closes have found. Days are ordinals; `amount` is USD; no reason is no restriction."""

    call_day: int = 0
    amount: str = "0"
    closes: int = 0  # since the call, without its being met
    reason: str = ""
    until: int = 0  # the last day of the restriction; 0 is until it is released

    def wire(self) -> dict[str, object]:
        """The account's `admin_configurations`: why only closing orders are taken."""
        return {"restrict_to_liquidation_reasons": {self.reason: True}} if self.reason else {}


def load_watch(store: Store) -> MarginWatch:
    """What the store holds."""
    stored = store.meta(MARGIN_WATCH)
    return MarginWatch() if stored is None else MarginWatch(**json.loads(stored))
