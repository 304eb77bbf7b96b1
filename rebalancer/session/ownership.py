"""Whose journal and whose account: a journal is of one mode for good, an account of one state folder at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rebalancer.documents import BadDocument
from rebalancer.session.setup import Setup
from rebalancer.world.account_lock import account_lock
from rebalancer.world.journal import Journal
from rebalancer.world.journal.records import DRY_RUN, NO_CYCLE

LOOKED_AT = 200  # newest cycles; refused from the first one of another mode on, one would do but for dry runs


@contextmanager
def owned(setup: Setup, journal: Journal, account_id: str) -> Iterator[None]:
    """Hold the account during the block. Raises BadDocument for a journal of another mode, LockHeld for an account
    that is traded from another state folder."""
    refuse_other_mode(setup, journal)
    if setup.accounts is None or setup.mode == "simulated":  # every embedded exchange has the same account
        yield
        return
    with account_lock(setup.accounts, account_id, setup.state):
        yield


def refuse_other_mode(setup: Setup, journal: Journal) -> None:
    """Raise BadDocument (exit 78) when this journal's cycles were run in another mode."""
    for cycle in journal.cycles(None, LOOKED_AT):
        if cycle.mode in (DRY_RUN, NO_CYCLE):
            continue
        if cycle.mode != setup.mode:
            raise BadDocument(
                str(setup.journal),
                f"is a journal of {cycle.mode} trading, and this is {setup.mode}",
                "use another state folder; a journal of one mode knows nothing of another account",
            )
        return
