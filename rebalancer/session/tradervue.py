"""Copy executions to Tradervue: by hand, and at the end of a day. It never touches trading."""

from __future__ import annotations

import logging
from typing import Final

from rebalancer.performance.fees import with_fees
from rebalancer.performance.records import Fill
from rebalancer.session.setup import Setup
from rebalancer.world.clock import SystemClock
from rebalancer.world.journal import Journal
from rebalancer.world.ledger.gather import ledger_of
from rebalancer.world.lock import RunLock
from rebalancer.world.tradervue.client import Login, Tradervue
from rebalancer.world.tradervue.sync import Sync, Synced, waiting

LOG: Final = logging.getLogger(__name__)
LOCK_NAME: Final = "tradervue.lock"


def waiting_fills(journal: Journal, account_id: str) -> tuple[Fill, ...]:
    """What Tradervue does not have yet, oldest first, each with its fees."""
    return waiting(journal, account_id, _fills(journal, account_id))


def copy_now(setup: Setup, journal: Journal, account_id: str) -> Synced:
    """Send what is waiting. Raises TradervueRefused, LockHeld when another copy runs, and JournalBroken."""
    clock = SystemClock()
    tradervue = Tradervue(setup.rules.export.tradervue_url, Login.from_environment(setup.environ), clock)
    with RunLock(setup.state / LOCK_NAME, "export tradervue"):
        return Sync(journal, account_id, tradervue, clock, setup.mode).run(_fills(journal, account_id))


def copy_at_end_of_day(setup: Setup, journal: Journal, account_id: str) -> str:
    """Send what is waiting when the rules want it; never raises. Returns what to tell people, "" when all is well.
    Simulated trades stay here: by hand they can still be sent."""
    if not setup.rules.export.tradervue or setup.mode == "simulated":
        return ""
    try:
        done = copy_now(setup, journal, account_id)
    except Exception as error:  # noqa: BLE001 - the copy of a journal must never end a trading day
        LOG.warning("Tradervue: %s", error)
        return f"the day was not copied to Tradervue: {error}; send it with: rebalancer export tradervue"
    said = []
    if done.because:
        said.append(f"{done.left} executions are not in Tradervue yet: {done.because}")
    if done.refused:
        said.append(f"Tradervue could not read {len(done.refused)} executions")
    return "; ".join(said)


def _fills(journal: Journal, account_id: str) -> tuple[Fill, ...]:
    ledger = ledger_of(journal, account_id)
    return with_fees(ledger.fills, ledger.cash)[0]
