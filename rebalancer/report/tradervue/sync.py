"""Copy executions to Tradervue, each exactly once, whatever fails on the way.

1. a batch is recorded (`export_sent`) before it is posted: what may have been sent is never forgotten
2. Tradervue works on one import at a time; its status is polled until the import has ended
3. a successful import is recorded execution by execution (`exported`): only these are done
4. a batch whose end is unknown is sent again, the same executions under the same tag: Tradervue skips those that
   it has. The end of an import found at the start is not used: it may belong to another program's import
5. an execution that Tradervue cannot read is set aside (`export_refused`) and the others are sent again
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from rebalancer.core.new_york import in_new_york
from rebalancer.core.values import CENT, text_of
from rebalancer.journal.journal import Journal
from rebalancer.ops.clock import Clock
from rebalancer.performance.records import Fill, asset_class
from rebalancer.report.tradervue.client import (
    RETRY_AFTER_MOST,
    Import,
    Tradervue,
    TradervueRefused,
    TradervueUnavailable,
)

TARGET: Final = "tradervue"
BATCH_MAX: Final = 200
ATTEMPTS: Final = 6
BACK_OFF_SECONDS: Final = 5.0
BACK_OFF_MOST_SECONDS: Final = 120.0
IMPORT_SECONDS_MAX: Final = 900.0  # an import that takes longer is checked again next time
TRIES: Final = 3  # attempts to send one batch
REFUSED_MAX: Final = 20  # executions that cannot be read: more suggest a bug, ours or theirs

T = TypeVar("T")


# Executions as Tradervue's import API wants them (github.com/tradervue/api-docs, imports.md).

NOT_LISTED: Final = "order:"  # id prefix of fills not yet in the broker's list: their id will change


class Synced(NamedTuple):
    """The result: executions sent now, those that Tradervue refused with its message, how many are left for the next
    time, and why."""

    sent: int
    refused: tuple[tuple[str, str], ...]
    left: int
    because: str


def waiting(journal: Journal, account_id: str, fills: Sequence[Fill]) -> tuple[Fill, ...]:
    """The executions that Tradervue does not have yet, oldest first."""
    recorded = [e for kind in ("exported", "export_refused") for e in journal.recall(account_id, kind)]
    done = {e.key for e in recorded if e.body.get("to") == TARGET}
    return tuple(fill for fill in exportable(fills) if fill.id not in done)


class Sync:
    """One run of the copying, for one account. Only one at a time: the caller holds a lock."""

    def __init__(self, journal: Journal, account_id: str, tradervue: Tradervue, clock: Clock, mode: str) -> None:
        self._journal, self._account_id, self._tradervue, self._clock = journal, account_id, tradervue, clock
        self._mode = mode
        self._sent = 0
        self._refused: list[tuple[str, str]] = []

    def run(self, fills: Sequence[Fill]) -> Synced:
        """Send what is waiting. Raises TradervueRefused for errors that a retry cannot fix, and JournalBroken; missing
        answers and quotas end it early, which the result states."""
        because = ""
        try:
            if batch := self._next(fills):
                self._ended()
            while batch and not because:
                because = self._settle(batch, self._import(batch))
                batch = self._next(fills)
        except TradervueUnavailable as error:
            because = str(error)
        left = len(waiting(self._journal, self._account_id, fills))
        return Synced(self._sent, tuple(self._refused), left, because)

    def _next(self, fills: Sequence[Fill]) -> tuple[Fill, ...]:
        """The batch whose end is unknown, unchanged; else the oldest executions."""
        left = waiting(self._journal, self._account_id, fills)
        last = [e for e in self._journal.recall(self._account_id, "export_sent") if e.body.get("to") == TARGET]
        pending = set(last[-1].body["ids"]) if last else set()
        return tuple(fill for fill in left if fill.id in pending) or left[:BATCH_MAX]

    def _import(self, batch: Sequence[Fill]) -> Import:
        """Send one batch and wait for its end."""
        ids = [fill.id for fill in batch]
        name = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]
        self._note([("export_sent", name, {"to": TARGET, "ids": ids})])
        rows, tags = [execution_of(fill) for fill in batch], ["rebalancer", self._mode, f"batch-{name}"]
        for _ in range(TRIES):
            begun = self._create(rows, tags)
            ended = self._ended()
            if begun and ended.status != "ready":
                return ended  # "ready": it never arrived, or its result was read by another client
        raise TradervueUnavailable("Tradervue did not say how the import ended; it is sent again next time")

    def _create(self, rows: Sequence[dict[str, str]], tags: Sequence[str]) -> bool:
        """Whether our import may have begun. After a POST without an answer the status is read instead of assumed."""
        try:
            return self._patiently(lambda: self._tradervue.create(rows, tags))
        except TradervueUnavailable as error:
            if not error.may_have_arrived:
                raise
            return True

    def _settle(self, batch: Sequence[Fill], ended: Import) -> str:
        """Record how an import of ours ended. Returns the reason to stop, "" to continue."""
        info, total = ended.info, len(batch)
        if ended.status == "failed":
            number, words = info.get("error_execnumber"), str(info.get("error_description") or "no reason given")[:300]
            if not isinstance(number, int) or not 1 <= number <= total or len(self._refused) >= REFUSED_MAX:
                raise TradervueRefused(f"Tradervue could not import: {words}")
            name = batch[number - 1].id
            self._note([("export_refused", name, {"to": TARGET, "because": words})])
            self._refused.append((name, words))
            return ""
        if ended.status != "succeeded":
            raise TradervueUnavailable(f"Tradervue calls the import {ended.status[:40]!r}, which is not known here")
        if _count(info, "overquota_count"):
            return "more than the Tradervue plan takes; the rest is sent again next time"
        taken = _count(info, "exec_count") + _count(info, "duplicate_count")
        if taken < total:
            return f"Tradervue took {taken} of {total} executions; they are sent again next time"
        self._note([("exported", fill.id, {"to": TARGET}) for fill in batch])
        self._sent += total
        return ""

    def _ended(self) -> Import:
        """How the last import ended, once it has. Raises TradervueUnavailable when it takes too long."""
        deadline, pause = self._clock.monotonic() + IMPORT_SECONDS_MAX, BACK_OFF_SECONDS
        while True:
            found = self._patiently(self._tradervue.status)
            if not found.is_running:
                return found
            if self._clock.monotonic() >= deadline:
                raise TradervueUnavailable("Tradervue is still working on an import; it is looked at again next time")
            self._clock.wait(pause)
            pause = min(pause * 2, BACK_OFF_MOST_SECONDS)

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Retry with growing pauses, unless a POST may have arrived. Raises TradervueUnavailable in the end."""
        pause = BACK_OFF_SECONDS
        for _ in range(ATTEMPTS - 1):
            try:
                return ask()
            except TradervueUnavailable as error:
                if error.may_have_arrived or error.wait_seconds > RETRY_AFTER_MOST:
                    raise
                self._clock.wait(max(pause, error.wait_seconds))
            pause = min(pause * 2, BACK_OFF_MOST_SECONDS)
        return ask()

    def _note(self, rows: Sequence[tuple[str, str, dict[str, object]]]) -> None:
        self._journal.record_events(self._account_id, None, self._clock.wall(), rows)


def _count(info: Mapping[str, Any], name: str) -> int:
    found = info.get(name, 0)
    return found if isinstance(found, int) else 0


def exportable(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """The executions that can be sent: shares, listed by the broker, so that the id does not change. Tradervue's format
    has no crypto."""
    return tuple(f for f in fills if not f.id.startswith(NOT_LISTED) and asset_class(f.symbol) == "us_equity")


def execution_of(fill: Fill) -> dict[str, str]:
    """One row of an import. The time is New York's, with its offset; a sale has a negative quantity."""
    return {
        "datetime": in_new_york(fill.at).isoformat(timespec="seconds"),
        "symbol": fill.symbol,
        "quantity": text_of(fill.qty),
        "price": text_of(fill.price),
        "option": "",
        "commission": "0.00",
        "transfee": text_of(fill.fee.quantize(CENT)),
        "ecnfee": "0.00",
    }
