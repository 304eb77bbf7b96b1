"""Copy executions to Tradervue: by hand, and at the end of a day. It never affects trading."""

from __future__ import annotations

import logging
import math
from datetime import datetime
from typing import Final

from rebalancer.accounting.trade_history import ledger_of
from rebalancer.journal import Journal
from rebalancer.ops.clock import Clock, SystemClock
from rebalancer.ops.run_lock import RunLock
from rebalancer.performance.fees import with_fees
from rebalancer.performance.records import Fill
from rebalancer.report.tradervue.client import Login, Tradervue, TradervueUnavailable
from rebalancer.report.tradervue.sync import Sync, Synced, waiting
from rebalancer.session.setup import Setup

LOG: Final = logging.getLogger(__name__)
LOCK_NAME: Final = "tradervue.lock"
END_OF_DAY_SECONDS: Final = 60.0  # the longest time that it may delay the session


class BoundedClock:
    """Another clock, with a deadline so many seconds from now."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self.deadline = clock.monotonic() + seconds

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait, or raise TradervueUnavailable at once when the wait would not end before the deadline."""
        if self._clock.monotonic() + seconds >= self.deadline:
            raise TradervueUnavailable(f"no more than {self._seconds:g} seconds are spent on it; it goes on next time")
        self._clock.wait(seconds)

    def wall(self) -> datetime:
        return self._clock.wall()


def waiting_fills(journal: Journal, account_id: str) -> tuple[Fill, ...]:
    """What Tradervue does not have yet, oldest first, each with its fees."""
    return waiting(journal, account_id, _fills(journal, account_id))


def copy_now(
    setup: Setup, journal: Journal, account_id: str, *, seconds: float = math.inf, clock: Clock | None = None
) -> Synced:
    """Send what is waiting, for at most this many seconds; the rest stays waiting. Raises TradervueRefused, LockHeld
    when another copy is running, and JournalBroken."""
    bounded = BoundedClock(clock or SystemClock(), seconds)
    login = Login.from_environment(setup.environ)
    tradervue = Tradervue(setup.rules.export.tradervue_url, login, bounded, bounded.deadline)
    with RunLock(setup.state / LOCK_NAME, "export tradervue"):
        return Sync(journal, account_id, tradervue, bounded, setup.mode).run(_fills(journal, account_id))


def copy_at_end_of_day(
    setup: Setup,
    journal: Journal,
    account_id: str,
    *,
    seconds: float = END_OF_DAY_SECONDS,
    clock: Clock | None = None,
) -> str:
    """Send what is waiting if the rules ask for it; never raises. Returns the text to report, "" when all is well.
    Simulated trades are not sent, except by hand. What time does not allow is sent the next day."""
    if not setup.rules.export.tradervue or setup.mode == "simulated":
        return ""
    try:
        done = copy_now(setup, journal, account_id, seconds=seconds, clock=clock)
    except Exception as error:  # noqa: BLE001 - a failed copy must never end a trading day
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
