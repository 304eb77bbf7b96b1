"""Ask one source once, by hand, under its budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rebalancer.core.known_sources import known_name
from rebalancer.core.signal_rules import Signals
from rebalancer.ops.clock import Clock
from rebalancer.signals.sources.catalog import factory_of
from rebalancer.signals.sources.contract import SourceContext, Vote, Votes
from rebalancer.signals.sources.day_budget import DayBudget
from rebalancer.signals.sources.refresh import BATCH, NO_ANSWER, clean
from rebalancer.signals.sources.store import NAME, VoteStore


def ask_once(
    signals: Signals,
    state: Path,
    name: str,
    symbols: Sequence[str],
    keys: Mapping[str, str],
    clock: Clock,
    *,
    now: datetime | None = None,
    keeps: bool = False,
) -> Votes:
    """The votes of one source on these symbols, whether or not it is enabled. Calls and money count. now: the time that
    it is asked for, by default this machine's. keeps: the votes
    are stored, as those of a round are, so cycles trade on them. Raises SourceProblem, BadDocument for an unknown
    source, SignalsUnavailable."""
    name = known_name(name) or name
    rules = signals.sources.get(name) or Signals.model_validate({"sources": {name: {}}}).sources[name]
    factory = factory_of(name)
    with VoteStore.open(state / NAME) as store:
        budget = DayBudget(name, rules, store, clock.wall, clock.monotonic, clock.wait)

        def keep(body: str) -> None:
            store.keep_answer(name, body, clock.wall())

        source = factory(SourceContext(name, rules, keys, clock, keep, lambda: True))
        size = max(int(getattr(source, "batch_size", BATCH)), 1)
        answered: list[Vote] = []
        silent: dict[str, str] = {}
        for start in range(0, len(symbols), size):
            batch = symbols[start : start + size]
            found = budget.fetch(source, batch, now or clock.wall())
            votes = [vote for one in found.answered if (vote := clean(one, batch)) is not None]
            answered += votes
            known = {vote.symbol for vote in votes}
            unsaid = {symbol: str(found.silent.get(symbol, NO_ANSWER)) for symbol in batch if symbol not in known}
            if keeps:
                at = clock.wall()
                store.put(name, votes, unsaid, at - max(found.age, timedelta(0)), at)
            silent |= unsaid
    return Votes(tuple(answered), silent)
