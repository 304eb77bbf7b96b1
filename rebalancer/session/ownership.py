"""Which mode a journal belongs to, for good, and which state folder an account belongs to, while it is held."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from rebalancer.brokers.fenced import Fence, FencedBroker
from rebalancer.brokers.protocol import ReadBroker, TradingBroker
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import JournalBroken
from rebalancer.core.rules import Rules
from rebalancer.execution.account_lock import account_lock
from rebalancer.journal import Journal
from rebalancer.journal.place import PostgresPlace
from rebalancer.journal.records import DRY_RUN, NO_CYCLE
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.host_identity import holder_of_state, host_name
from rebalancer.ops.logs.redact import learn_account
from rebalancer.ops.run_lock import open_lock
from rebalancer.session.setup import Setup
from rebalancer.version import __version__

KIND: Final = "mode"  # the kind of the journal's record of its mode, one per account
LEASE_LOCK_NAME: Final = "lease.lock"  # held by every process of a state folder that uses its lease
LOOKED_AT: Final = 1_000_000  # cycles of a journal older than the record; read once


def account_in_hand(journal: Journal, broker: ReadBroker) -> str:
    """The account of this journal; for a new journal the broker's own. From here on every line and error shows only its
    last four characters. Raises what the broker's `account` raises."""
    latest = journal.cycles(None, 1)
    account_id = latest[0].account_id if latest else broker.account().id
    learn_account(account_id)
    return account_id


@contextmanager
def owned(setup: Setup, journal: Journal, account_id: str) -> Iterator[Fence]:
    """Hold the account during the block. The fence says why nothing may be sent any more, None while all may: with a
    journal in a database the account is held by a lease, which another host may take over.

    Raises BadDocument for a journal of another mode, LockHeld for an account that is traded from another state folder
    or by another host, and then nothing was written.
    """
    is_new = refuse_other_mode(setup, journal, account_id)
    with ExitStack() as stack:
        if setup.accounts is not None and setup.mode != "simulated":  # every embedded exchange has the same account
            stack.enter_context(account_lock(setup.accounts, account_id, setup.state))
        fence: Fence = _nothing_forbids
        if isinstance(journal.place, PostgresPlace):
            fence = stack.enter_context(_leased(setup, journal, account_id))
        if is_new:
            journal.record_event(account_id, None, SystemClock().wall(), KIND, None, {"mode": setup.mode})
        yield fence


def fenced(setup: Setup, broker: TradingBroker, fence: Callable[[], Fence | None]) -> TradingBroker:
    """The broker as a host may use it that others can replace; as it is, when the journal is a file. fence: None as
    long as nothing was asked for."""
    if not isinstance(setup.journal, PostgresPlace):
        return broker

    def why_not() -> str | None:
        found = fence()
        return None if found is None else found()

    return FencedBroker(broker, why_not)


def lease_seconds(rules: Rules) -> float:
    """How long a lease lasts without renewal: `journal.lease_seconds`, by default twice the longest cycle of two
    phases. Half of it is longer than any single request to the broker: no answer is awaited beyond its end."""
    longest = 2 * (rules.execution.phase_timeout_seconds + rules.execution.cancel_timeout_seconds)
    return float(rules.journal.lease_seconds or max(2 * longest, 4 * rules.broker.total_timeout_seconds))


@contextmanager
def _leased(setup: Setup, journal: Journal, account_id: str) -> Iterator[Fence]:
    """Hold the lease together with the other processes of this state folder; the last one gives it back."""
    from rebalancer.journal.lease import Holder, held_lease

    clock = SystemClock()
    holder = Holder(holder_of_state(setup.state), host_name(), __version__)
    handle = open_lock(setup.state / LEASE_LOCK_NAME)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        with held_lease(journal, account_id, holder, lease_seconds(setup.rules), clock.wall(), clock) as lease:
            yield lease.why_not
        if _is_alone(handle):
            with suppress(JournalBroken):  # then it ends by itself
                lease.release()
    finally:
        os.close(handle)


def _is_alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _nothing_forbids() -> str | None:
    return None


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
