"""Which mode a journal belongs to, for good, and which state folder an account belongs to, while it is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rebalancer.brokers.protocol import ReadBroker
from rebalancer.core.documents import BadDocument
from rebalancer.execution.account_lock import account_lock
from rebalancer.journal import Journal
from rebalancer.journal.records import DRY_RUN, NO_CYCLE
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.logs.redact import learn_account
from rebalancer.session.setup import Setup

KIND: Final = "mode"  # the kind of the journal's record of its mode, one per account
LOOKED_AT: Final = 1_000_000  # cycles of a journal older than the record; read once


def account_in_hand(journal: Journal, broker: ReadBroker) -> str:
    """The account of this journal; for a new journal the broker's own. From here on every line and error shows only its
    last four characters. Raises what the broker's `account` raises."""
    latest = journal.cycles(None, 1)
    account_id = latest[0].account_id if latest else broker.account().id
    learn_account(account_id)
    return account_id


@contextmanager
def owned(setup: Setup, journal: Journal, account_id: str) -> Iterator[None]:
    """Hold the account during the block. Raises BadDocument for a journal of another mode, LockHeld for an account
    that is traded from another state folder."""
    if refuse_other_mode(setup, journal, account_id):
        journal.record_event(account_id, None, SystemClock().wall(), KIND, None, {"mode": setup.mode})
    if setup.accounts is None or setup.mode == "simulated":  # every embedded exchange has the same account
        yield
        return
    with account_lock(setup.accounts, account_id, setup.state):
        yield


def refuse_other_mode(setup: Setup, journal: Journal, account_id: str) -> bool:
    """Whether this journal's mode is still to be recorded. Raises BadDocument (exit 78) when it belongs to another
    mode."""
    written = journal.recall(account_id, KIND, last=1)
    if written:
        found = str(written[-1].body["mode"])
    else:
        real = (c.mode for c in journal.cycles(None, LOOKED_AT) if c.mode not in (DRY_RUN, NO_CYCLE))
        found = next(real, setup.mode)
    if found != setup.mode:
        raise BadDocument(
            str(setup.journal),
            f"is a journal of {found} trading, and this is {setup.mode}",
            "use another state folder; a journal of one mode knows nothing of another account",
        )
    return not written
