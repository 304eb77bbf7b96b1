"""Where the web process finds what it reads, and the two files that it may write."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rebalancer.core.rules import Rules
from rebalancer.execution.kill_switch import halt_reason
from rebalancer.journal.read_only import ReadOnlyJournal
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.session_status import SessionStatus, session_status
from rebalancer.report.records import Mode
from rebalancer.settings.arm_token import is_armed
from rebalancer.signals.receipts import inbox, store

TOKENS_NAME = "web-tokens.json"
ANSWERS_NAME = "web.sqlite"


class WebPlace(NamedTuple):
    """One configured rebalancer as the web process sees it. `mode`: simulated, paper or live; `root`: the folder of
    relative paths in the rules; `name`: the profile among several accounts."""

    state: Path
    reports: Path
    root: Path
    mode: str
    rules: Rules
    name: str = ""
    shared: ReadOnlyJournal | None = None  # the journal, when it is not a file in the state folder

    @property
    def journal(self) -> ReadOnlyJournal:
        """The journal, to read; it may not exist yet."""
        return self.shared or ReadOnlyJournal(self.state / "journal.sqlite")

    @property
    def inbox(self) -> Path:
        """The inbox of signals."""
        return self.state / inbox.NAME

    @property
    def receipts(self) -> Path:
        """The receipts of signals."""
        return self.state / store.NAME

    @property
    def repeat_within(self) -> timedelta:
        """How long a signal with neither id, time nor key is the one that said the same before."""
        return timedelta(seconds=self.rules.web.repeat_seconds)

    @property
    def report_mode(self) -> Mode:
        """The mode as reports call it."""
        match self.mode:
            case "simulated" | "paper" | "live":
                return self.mode
            case other:
                raise ValueError(f"unknown mode {other!r}")

    def halted(self) -> str | None:
        """The kill switch's file: its text, None when it is not set."""
        return halt_reason(self.state)

    def session(self) -> SessionStatus | None:
        """What the running session says; None when none runs."""
        found = session_status(self.state)
        return found if found is not None and found.is_alive else None

    def refuses_writes(self) -> str | None:
        """Why a live account takes nothing over HTTP; None when it does, and on any other account. Raises BadDocument
        for a token file that others may read."""
        account_id, web = self.rules.broker.account_id, self.rules.web
        if self.mode != "live":
            return None
        if not web.live_writes:
            return "this is a live account, and web.live_writes is false"
        if account_id is None or not is_armed(self.state, account_id, SystemClock().wall(), for_web=True):
            return "this is a live account, and no arm-live was given since web.live_writes was set"
        return None
