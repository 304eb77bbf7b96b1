"""Whom to ask first, and what a source may still spend today.

A day is one of New York. Calls and money are written down before a call is made, so that a process that dies has spent
them: a budget is never exceeded by starting again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from rebalancer.core.new_york import day_in_new_york, midnight_in_new_york
from rebalancer.core.signal_rules import SourceRules
from rebalancer.signals.sources.contract import BudgetSpent, Votes, VoteSource
from rebalancer.signals.sources.store import VoteStore, calls_used

HELD_URGENCY: Final = 2.0  # a vote on what is held ages twice as fast
SLACK: Final = 1.02  # of the pause between two calls, since the vendor's clock is not ours


def whom_to_ask(
    symbols: Collection[str], held: Collection[str], asked: Mapping[str, datetime], now: datetime, ttl: timedelta
) -> list[str]:
    """The symbols whose answer is no longer fresh, the most urgent first.

    asked: when each was last asked, with or without a vote. What was never asked comes first, then what was asked
    longest ago, measured in `ttl`; what is held counts twice. So every name has its turn, however small the budget.
    """
    urgency: dict[str, float] = {}
    for symbol in symbols:
        at = asked.get(symbol)
        age = float("inf") if at is None else max((now - at) / ttl, 0.0)
        if age >= 1:
            urgency[symbol] = age * (HELD_URGENCY if symbol in held else 1.0)
    return sorted(urgency, key=lambda s: (-urgency[s], s not in held, s))


def next_midnight(now: datetime) -> datetime:
    """When the budgets of a day begin again."""
    noon_after = midnight_in_new_york(now) + timedelta(hours=36)  # a day has 23 to 25 hours
    return midnight_in_new_york(noon_after)


class DayBudget:
    """The calls and the money of one source, kept in the store. Used by one thread at a time."""

    def __init__(
        self,
        name: str,
        rules: SourceRules,
        store: VoteStore,
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
        wait: Callable[[float], None],
    ) -> None:
        """wait: waits for so many seconds, or raises SourceUnavailable when the process is about to end."""
        self._name, self._rules, self._store = name, rules, store
        self._wall, self._monotonic, self._wait = wall, monotonic, wait
        self._next_call = monotonic()
        self.calls = 0  # since this process began

    @property
    def calls_left(self) -> int | None:
        """Calls that are left today; None without a limit."""
        most = self._rules.calls_per_day
        return None if most is None else max(most - self._today()[0], 0)

    @property
    def usd_left(self) -> Decimal | None:
        """Money that is left today; None without a limit."""
        most = self._rules.usd_per_day
        return None if most is None else max(most - self._today()[1], Decimal(0))

    def fetch(self, source: VoteSource, symbols: Sequence[str], now: datetime) -> Votes:
        """Ask a source. One that counts none of its calls has the fetch counted as one call afterwards, whatever it
        cost, and is not asked once nothing is left. Raises BudgetSpent and what the source raises."""
        rules, (calls, usd) = self._rules, self._today()
        if rules.calls_per_day is not None and calls >= rules.calls_per_day:
            raise BudgetSpent(calls_used(rules.calls_per_day))
        if rules.usd_per_day is not None and usd >= rules.usd_per_day:
            raise BudgetSpent(f"{usd:.2f} of {rules.usd_per_day:.2f} USD a day are spent")
        before = self.calls
        found = source.fetch(tuple(symbols), now, self)
        if self.calls == before:
            cost = found.cost if found.cost > 0 else rules.usd_per_call
            self._store.spend(self._name, self._day(), cost, None, None)
            self._counted()
        return found

    def spend(self, usd: Decimal | None = None) -> None:
        """Count one call, and wait for its turn. Raises BudgetSpent."""
        cost = self._rules.usd_per_call if usd is None else usd
        problem = self._store.spend(self._name, self._day(), cost, self._rules.calls_per_day, self._rules.usd_per_day)
        if problem:
            raise BudgetSpent(problem)
        self._counted()

    def correct(self, usd: Decimal) -> None:
        """Add to what the last call cost, or take from it."""
        self._store.add_cost(self._name, self._day(), usd)

    def _counted(self) -> None:
        self.calls += 1
        if self._rules.calls_per_minute is not None:
            self._wait(max(self._next_call - self._monotonic(), 0.0))
            self._next_call = self._monotonic() + 60.0 / self._rules.calls_per_minute * SLACK

    def _day(self) -> str:
        return day_in_new_york(self._wall()).isoformat()

    def _today(self) -> tuple[int, Decimal]:
        return self._store.spent(self._name, self._day())
