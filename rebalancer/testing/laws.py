"""The laws of every run, checked from outside: the journal's file, the broker's lists, the wire's log.

Every law is a function that returns sentences about what broke it; none means that it held. Imports nothing of the
program outside this room, so that no mistake of it can hide here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rebalancer.testing import order_laws, record_laws
from rebalancer.testing.evidence import Evidence, evidence_of
from rebalancer.testing.record_laws import ENDED, cycles_ended, positions_agree

Law = Callable[[Evidence], Iterator[str]]

ALWAYS: Final[tuple[Law, ...]] = (
    record_laws.chain_of_kinds,
    record_laws.one_batch_per_slot,
    record_laws.one_intent_per_order,
    record_laws.bodies_agree,
    record_laws.states_follow_the_graph,
    record_laws.intents_ended,
    record_laws.unknown_is_frozen,
    record_laws.verdicts_complete,
    order_laws.phases_in_order,
    order_laws.nothing_oversold,
    order_laws.counts_within_limits,
    order_laws.caps_hold,
    order_laws.inside_sessions,
    order_laws.killed_means_killed,
)
AT_REST: Final[tuple[Law, ...]] = (record_laws.cycles_ended, record_laws.outcomes_are_the_brokers)


def check_laws(url: str, journal: Path, *, books_match: bool = True) -> Evidence:
    """Read a journal's file and the exchange at this address, and raise AssertionError for every law that is broken.

    books_match: the journal's positions must be the broker's by now.
    """
    seen = evidence_of(url, journal)
    laws = (*ALWAYS, *AT_REST, *([positions_agree] if books_match else []))
    wrong = _broken(laws, seen)
    assert not wrong, "\n".join(wrong)
    return seen


def broken_laws(seen: Evidence) -> list[str]:
    """What breaks the laws that hold at any time, whatever fails."""
    return _broken(ALWAYS, seen)


def unsettled(seen: Evidence) -> list[str]:
    """I13, I17: what is not yet as it must be some cycles after the faults have stopped."""
    wrong = [f"{i.id} is still {i.state}" for i in seen.intents.values() if i.state not in ENDED]
    wrong += [*cycles_ended(seen), *positions_agree(seen)]
    closed = [cycle for cycle in seen.cycles.values() if cycle.end]
    if not closed:
        return wrong
    last = closed[-1]
    assert last.end is not None
    if last.plan is None or last.end["outcome"] not in ("COMPLETED", "HOLDING", "CONSTRAINED"):
        wrong.append(f"the last cycle ended as {last.end['outcome']}: {last.end['because']}")
    if last.plan is not None:
        frozen = [v for v in last.verdicts or [] if v["outcome"].startswith("FROZEN")]
        wrong += [f"{v['symbol']} is frozen: {v['because']}" for v in frozen]
    return wrong


def _broken(laws: tuple[Law, ...], seen: Evidence) -> list[str]:
    return [f"{law.__name__}: {said}" for law in laws for said in law(seen)]
