"""The trading costs that a cycle knows: those that the newest evening learned from our own fills."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from rebalancer.core.facts import TradingCosts
from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal.parity_row import PARITY, trading_costs_of_body
from rebalancer.journal.reads import JournalReads

AGE_MAX: Final = timedelta(days=90)  # since the newest order from which they were learned


def stored_trading_costs(journal: JournalReads, account_id: str, now: datetime) -> TradingCosts | None:
    """The newest ones in the journal; None before any, and once they are too old."""
    found = journal.recall(account_id, PARITY, last=1)
    costs = trading_costs_of_body(found[-1].body) if found else None
    return None if costs is None or day_in_new_york(now) - costs.as_of > AGE_MAX else costs


def costs_of_names(costs: TradingCosts | None, names: Collection[str]) -> TradingCosts | None:
    """The costs without those of other names."""
    if costs is None:
        return None
    return costs._replace(by_symbol={symbol: cost for symbol, cost in costs.by_symbol.items() if symbol in names})
