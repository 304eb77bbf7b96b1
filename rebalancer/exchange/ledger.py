"""The double-entry ledger: every event moves amounts between accounts and balances to zero in each commodity.

Accounts are `cash`, `position:SYMBOL`, `trading` (the other side of every exchange of shares for dollars), `fees` and
`funding`. Commodities are `USD` and symbols. Amounts are exact: nothing is rounded before it is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange.running_total import RunningTotal
from rebalancer.exchange.store import Store

USD = "USD"


class Posting(NamedTuple):
    """One leg of an event."""

    account: str
    commodity: str
    amount: Decimal


class Unbalanced(AssertionError):
    """An event that would create or destroy something."""


class Ledger:
    """Balances in memory, postings and balances in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._balances: dict[tuple[str, str], Decimal] = dict(store.balances())
        self._past: dict[tuple[str, str], RunningTotal] | None = None

    def balance(self, account: str, commodity: str = USD) -> Decimal:
        """What an account holds of a commodity."""
        return self._balances.get((account, commodity), ZERO)

    def balances(self) -> dict[tuple[str, str], Decimal]:
        """All balances that are not zero."""
        return {key: amount for key, amount in self._balances.items() if amount}

    def past(self) -> dict[tuple[str, str], RunningTotal]:
        """What cash and each position have held over time. Read from the store when it is first asked for."""
        if self._past is None:
            self._past = {}
            for at, account, commodity, amount in self._store.movements():
                self._past.setdefault((account, commodity), RunningTotal()).add(at, amount)
        return self._past

    def post(self, at: int, kind: str, reference: str, postings: Iterable[Posting]) -> None:
        """Record one event inside the caller's transaction. Raises Unbalanced when it does not add up to zero."""
        legs = tuple(postings)
        _require_balance(kind, legs)
        event = self._store.add_event(at, kind, reference, legs)
        assert event > 0
        for account, commodity, amount in legs:
            key = (account, commodity)
            self._balances[key] = self._balances.get(key, ZERO) + amount
            self._store.set_balance(account, commodity, self._balances[key])
            if self._past is not None and (account == "cash" or account.startswith("position:")):
                self._past.setdefault(key, RunningTotal()).add(at, amount)

    def audit(self) -> None:
        """Add up all stored postings again and compare with the balances. Raises Unbalanced."""
        sums: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        for account, commodity, amount in self._store.postings():
            sums[(account, commodity)] += amount
        found = {key: amount for key, amount in sums.items() if amount}
        if found != self.balances():
            raise Unbalanced(f"postings add up to {found}, balances say {self.balances()}")
        _require_balance("all events", [Posting(*key, amount) for key, amount in found.items()])


def _require_balance(kind: str, legs: Iterable[Posting]) -> None:
    sums: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for leg in legs:
        sums[leg.commodity] += leg.amount
    off = {commodity: amount for commodity, amount in sums.items() if amount}
    if off:
        raise Unbalanced(f"{kind} does not balance: {off}")
