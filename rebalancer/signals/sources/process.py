"""All enabled sources, each on a thread of its own and in its own time; and what `status` reads of them.

A source that hangs holds up nobody but itself: its thread is left behind when the process ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.signal_rules import Signals
from rebalancer.core.values import text_of, time_text
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.run_lock import RunLock
from rebalancer.ops.source_status import LOCK_NAME, SourceStatus, SourceStatusFile
from rebalancer.signals.sources.catalog import factory_of
from rebalancer.signals.sources.contract import SourceUnavailable
from rebalancer.signals.sources.refresh import RoundResult, SourceRefresher, SymbolsWanted
from rebalancer.signals.sources.store import NAME, VoteStore

LOG: Final = logging.getLogger(__name__)
WAIT_SECONDS: Final = 60.0  # after something that has nothing to do with the vendor
END_SECONDS: Final = 2.0  # how long the rounds may take to end, all together


class _EndingClock(SystemClock):
    """The machine's clock, whose waits end with the process."""

    def __init__(self, ending: threading.Event) -> None:
        self._ending = ending

    def wait(self, seconds: float) -> None:
        if self._ending.wait(max(seconds, 0.0)):
            raise SourceUnavailable("the process is about to end")


def run_sources(
    signals: Signals,
    state: Path,
    keys: Callable[[], Mapping[str, str]],
    wanted: Callable[[], SymbolsWanted],
    wait: Callable[[], None],
) -> None:
    """Ask all enabled sources until `wait` returns. Raises LockHeld when another process does, BadDocument for a source
    that nobody knows, and SignalsUnavailable when the state folder cannot be used."""
    sources = signals.enabled_sources
    for name in sources:
        factory_of(name)
    with ExitStack() as stack:
        stack.enter_context(RunLock(state / LOCK_NAME, "sources"))
        store = stack.enter_context(VoteStore.open(state / NAME))
        status = SourceStatusFile(state)
        ending = threading.Event()
        threads = [
            threading.Thread(
                target=_work,
                args=(SourceRefresher(name, rules, store, _EndingClock(ending), keys, lambda: not ending.is_set()),
                      wanted, status, store, ending),
                name=f"source-{name}",
                daemon=True,
            )
            for name, rules in sources.items()
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        try:
            wait()
        finally:
            ending.set()
            clock = SystemClock()
            until = clock.monotonic() + END_SECONDS
            for thread in threads:
                thread.join(max(until - clock.monotonic(), 0.0))


def _work(
    one: SourceRefresher,
    wanted: Callable[[], SymbolsWanted],
    status: SourceStatusFile,
    store: VoteStore,
    ending: threading.Event,
) -> None:
    pause = 0.0
    while not ending.wait(pause):
        try:
            store.follow()
            symbols = wanted()
            found = one.round(symbols)
            status.tell(status_of(one, store, found, symbols))
            pause = found.pause
        except Exception as error:  # noqa: BLE001 - a thread that ends would be missed by nobody until votes are stale
            if ending.is_set():  # left behind by the process: its store may be closed
                return
            # An expected one: the journal, the store or the file of keys cannot be read now.
            is_expected = isinstance(error, ExternalError | BadDocument)
            said = str(error).partition("\n")[0] if is_expected else f"{type(error).__name__}: {error}"
            LOG.warning("%s waits: %s", one.name, said)
            pause = WAIT_SECONDS


def status_of(one: SourceRefresher, store: VoteStore, found: RoundResult, wanted: SymbolsWanted) -> SourceStatus:
    """What people see of a source after a round."""
    clock, rules = SystemClock(), one.rules
    now = clock.wall()
    calls, usd = store.spent(one.name, day_in_new_york(now).isoformat())
    asked, fresh = store.asked(one.name), timedelta(seconds=rules.ttl_seconds)
    known = {vote.symbol for vote in store.votes([one.name])}
    silent = {s: asked[s][1] for s in sorted(wanted.symbols) if s in asked and asked[s][1]}
    off = found.off
    return SourceStatus(
        name=one.name,
        state="off" if off is not None else "spent" if found.spent else "on",
        kind="" if off is None else off.kind,
        because=off.because if off is not None else found.spent,
        hint="" if off is None else off.hint,
        until=None if off is None or off.until is None else time_text(off.until),
        names=len(wanted.symbols),
        covered=len(known & set(wanted.symbols)),
        fresh=sum(1 for s in wanted.symbols if s in asked and now - asked[s][0] <= fresh),
        silent=len(silent),
        silent_because=next(iter(silent.values()), ""),
        calls=calls,
        calls_per_day=rules.calls_per_day,
        usd=text_of(usd),
        usd_per_day=None if rules.usd_per_day is None else text_of(rules.usd_per_day),
        at=time_text(now),
        failures=0 if off is None else off.failures,
    )
