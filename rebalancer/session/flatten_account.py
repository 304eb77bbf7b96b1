"""Flatten one configured account, for `kill --flatten` and `stop --flatten`.

Waits for the run lock, so that a cycle in progress can end, then opens the account and runs `rebalance.flatten`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from rebalancer.brokers.factory import Connection
from rebalancer.core.errors import LockHeld
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.paths import LOCK_NAME
from rebalancer.ops.run_lock import RunLock
from rebalancer.rebalance.flatten import WAIT_SECONDS, Flattened, flatten
from rebalancer.session.execute import opened_world
from rebalancer.session.setup import Setup

LOCK_SECONDS: Final = 30.0  # beyond the two phases of a cycle: reading, planning and closing it


def flatten_account(setup: Setup, connection: Connection, *, prefix: str, because: str) -> Flattened:
    """Open the account and close everything in it, once a cycle in progress has ended. Raises LockHeld when it does not
    end, and what `flatten` raises."""
    rules = setup.rules.execution
    patience = 2 * (rules.phase_timeout_seconds + rules.cancel_timeout_seconds) + LOCK_SECONDS
    with (
        _lock_in_time(setup.state / LOCK_NAME, prefix, patience),
        opened_world(setup, connection, dry_run=False) as (world, broker),
    ):
        return flatten(world, broker, setup.rules, prefix=prefix, because=because)


@contextmanager
def _lock_in_time(path: Path, command: str, seconds: float) -> Iterator[None]:
    """Hold the run lock, waiting for it while a cycle that may send nothing more comes to its end."""
    clock = SystemClock()
    deadline = clock.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(RunLock(path, command))
                break
            except LockHeld:
                if clock.monotonic() >= deadline:
                    raise
                clock.wait(WAIT_SECONDS)
        yield
