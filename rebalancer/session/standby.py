"""Waiting beside another host until its lease has ended."""

from __future__ import annotations

import logging
from typing import Final

from rebalancer.core.errors import JournalBroken, JournalSetBack
from rebalancer.core.values import time_text
from rebalancer.journal import Journal
from rebalancer.journal.lease import LeaseRow, read_leases
from rebalancer.ops.host_identity import holder_of_state
from rebalancer.ops.notify import Notify
from rebalancer.session.ownership import lease_seconds
from rebalancer.session.setup import Setup
from rebalancer.session.stop import Stop

LOG: Final = logging.getLogger(__name__)
_LOOKS: Final = 10  # in the time of a lease
_LOOK_SECONDS_MAX: Final = 20.0  # far below any reasonable watchdog interval


def wait_for_lease(setup: Setup, journal: Journal, account_id: str, stop: Stop, notify: Notify) -> None:
    """Return once no other host holds the account, or when a stop is requested.

    Meanwhile this host remembers the newest row that it sees, so that it would notice a database that was set back.
    Raises JournalSetBack for one; a database that does not answer is asked again.
    """
    if not journal.has_leases:
        return
    mine, said = holder_of_state(setup.state), ""
    pause = min(lease_seconds(setup.rules) / _LOOKS, _LOOK_SECONDS_MAX)
    notify.ready("standing by")  # it may take days; a start may not
    while stop.reason() is None:
        try:
            found = _others(journal, account_id, mine)
            journal.note_head()
            if found is None:
                return
            words = f"standing by: {found.host} trades the account, token {found.token}"
            notify.status(f"{words}, until {time_text(found.expires_at)} or longer")
        except JournalSetBack:
            raise
        except JournalBroken as error:
            words = f"standing by: {error}"
        if words != said:
            LOG.info("%s", words)
            said = words
        notify.alive()
        stop.bell.wait(pause)


def _others(journal: Journal, account_id: str, mine: str) -> LeaseRow | None:
    """The lease that another host holds now."""
    with journal.store.asking() as ask:
        rows = [row for row in read_leases(ask) if row.account_id == account_id]
    return next((row for row in rows if row.is_valid and row.holder != mine), None)
