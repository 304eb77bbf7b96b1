"""The sessions of all accounts of one host: each in a process of its own, started again as systemd would.

    ended with 0            the day is closed: again at the next session's start, 09:25 New York, Monday to Friday
    2, 5, 77, 78            a person must look: an alert in that account's journal, again at the next session's start
    75                      another process or host trades the account: again after `RETRY_SECONDS`, for ever
    anything else           again after `RETRY_SECONDS`; the third time within `FAILURES_WITHIN` seconds counts as 78

Nothing that happens to one process touches another. A session ends when its standard input closes, so also when this
process is killed. One that was ready and says nothing more for three minutes is killed, and has ended so.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple

from rebalancer.core.new_york import day_in_new_york, from_new_york
from rebalancer.ops.clock import Clock
from rebalancer.session.stop import Bell, Stopping
from rebalancer.session.watchdog import SILENT_SECONDS_MAX, Watchdog, environment_for
from rebalancer.settings.profile import PROFILE

RETRY_SECONDS: Final = 30.0
START_GAP_SECONDS: Final = 0.5  # between two starts, so that the machine is not overrun at the open
FAILURES_MAX: Final = 3
FAILURES_WITHIN: Final = 1800.0
END_SECONDS: Final = 150.0  # what a session may take to track its orders to an end
LOCKED: Final = 75
A_PERSON_MUST_LOOK: Final = frozenset({2, 5, 77, 78})
STARTS: Final = time(9, 25)
SATURDAY: Final = 5

ProcessState = Literal["starting", "running", "waiting", "retrying", "locked", "failed", "ended"]


class AccountProcess(NamedTuple):
    """How the process of one account stands. `exit_code` is that of its last end, negative for a signal; `again_at`
    is when it is started again; `starts` counts since the desk began."""

    name: str
    state: ProcessState
    pid: int | None
    since: datetime
    exit_code: int | None
    starts: int
    again_at: datetime | None


def next_start(moment: datetime) -> datetime:
    """The next start of a session after a moment: 09:25 New York, Monday to Friday. Holidays end at once with 0."""
    day = day_in_new_york(moment)
    while (found := from_new_york(day, STARTS)) <= moment or day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return found


class AccountSessions:
    """Runs one session per account until asked to stop."""

    def __init__(
        self,
        names: Sequence[str],
        clock: Clock,
        bell: Bell,
        *,
        config: Sequence[Path] = (),
        standby: bool = False,
        say: Callable[[str, str], None],
        tell: Callable[[Sequence[AccountProcess]], None],
        alert: Callable[[str, int], None],
        command: Sequence[str] | None = None,
    ) -> None:
        """names: profiles; "" is the account without one. standby: sessions wait while another host trades the account.
        say: one line of one account's log. tell: how the processes stand, after each change. alert: an account's
        session needs a person; called with its exit code. command: what is run instead of `rebalancer session`."""
        more = [word for path in config for word in ("--config", str(path))] + ["--standby"] * standby
        words = tuple(command or (sys.executable, "-m", "rebalancer", "session", "--with-parent", *more))
        self._clock, self._bell, self._tell = clock, bell, tell
        self._accounts = [_Account(name, words, clock, bell, say, alert) for name in names]
        self._reported: tuple[AccountProcess, ...] = ()
        self._next_start = 0.0

    def run(self, stop: Stopping) -> None:
        """Return once a stop was asked for and every process has ended."""
        while stop.reason() is None:
            self._step()
            self._bell.wait(self._pause())
        self._end(stop)

    def _step(self) -> None:
        """Look after what has ended or hangs, and start at most one process."""
        now = self._clock.monotonic()
        for account in self._accounts:
            account.end_if_silent(now)
            account.reap()
        due = next((account for account in self._accounts if account.is_due(now)), None)
        if due is not None and now >= self._next_start:
            due.start()
            self._next_start = now + START_GAP_SECONDS
        self._report()

    def _pause(self) -> float:
        """Seconds until something may be due."""
        now = self._clock.monotonic()
        due = min((account.due for account in self._accounts if not account.is_running), default=now + RETRY_SECONDS)
        return min(max(due - now, self._next_start - now, 0.01), RETRY_SECONDS)

    def _end(self, stop: Stopping) -> None:
        for account in self._accounts:
            account.end()
        is_urged, deadline = False, self._clock.monotonic() + END_SECONDS
        while any(account.is_running for account in self._accounts):
            self._report()
            late = self._clock.monotonic() >= deadline
            if late or stop.is_urgent():
                for account in self._accounts:
                    account.urge(kill=late and is_urged)  # asked every second: two signals at once are one
                if late or not is_urged:
                    is_urged, deadline = True, self._clock.monotonic() + END_SECONDS
            self._bell.wait(1.0)
            for account in self._accounts:
                account.reap()
        self._report()

    def _report(self) -> None:
        stands = tuple(account.stands() for account in self._accounts)
        if stands != self._reported:
            self._tell(stands)
            self._reported = stands


class _Account:
    """The process of one account, and when it is due again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        clock: Clock,
        bell: Bell,
        say: Callable[[str, str], None],
        alert: Callable[[str, int], None],
    ) -> None:
        self.name, self.due = name, 0.0
        self._command, self._clock, self._bell, self._say, self._alert = command, clock, bell, say, alert
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._watchdog: Watchdog | None = None
        self._failures = deque[float](maxlen=FAILURES_MAX)
        self._state: ProcessState = "starting"
        self._since, self._starts = clock.wall(), 0
        self._code: int | None = None
        self._again: datetime | None = None
        self._is_ending = False

    @property
    def is_running(self) -> bool:
        """Whether its process has not been seen to end."""
        return self._process is not None

    def is_due(self, now: float) -> bool:
        """Whether it has to be started: a retry by the time that passed, a day's start by the machine's clock."""
        if self._process is not None or self._is_ending:
            return False
        if self._state in ("waiting", "failed"):
            return self._again is not None and self._clock.wall() >= self._again
        return now >= self.due

    def stands(self) -> AccountProcess:
        """How it stands."""
        pid = None if self._process is None else self._process.pid
        return AccountProcess(self.name, self._state, pid, self._since, self._code, self._starts, self._again)

    def start(self) -> None:
        """Start the process; a start that fails counts as an end with 1."""
        self._starts += 1
        try:
            self._watchdog = Watchdog()
        except OSError as error:
            self._say(self.name, f"runs without a watchdog: {error.strerror or error}")
        try:
            self._process = process = subprocess.Popen(  # noqa: S603 - our own program
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment_for(self._watchdog) | {PROFILE: self.name},
                text=True,
                errors="replace",
                start_new_session=True,  # a Ctrl-C at the terminal is passed on by us, once
            )
        except OSError as error:
            self._say(self.name, f"could not be started: {error.strerror}")
            self._forget_watchdog()
            self._ended(1)
            return
        self._reader = threading.Thread(target=self._read, args=(process,), name=f"log of {self.name}", daemon=True)
        self._reader.start()
        self._become("running", None)

    def end_if_silent(self, now: float) -> None:
        """Kill a session that makes no progress any more, as systemd's watchdog does."""
        if self._process is not None and self._watchdog is not None and self._watchdog.is_silent(now):
            self._say(self.name, f"has made no progress for {SILENT_SECONDS_MAX:.0f} seconds, and is killed")
            self._process.kill()
            self._forget_watchdog()  # said once; its end is seen as every other

    def reap(self) -> None:
        """See whether the process has ended, and decide when it starts again."""
        if self._process is None or (code := self._process.poll()) is None:
            return
        if self._reader is not None:
            self._reader.join(1.0)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        self._forget_watchdog()
        self._ended(code)

    def end(self) -> None:
        """Ask the session to stop: it sends nothing new and tracks what it has sent."""
        self._is_ending = True
        if self._process is None:
            self._become("ended", None)
        else:
            self._process.terminate()

    def urge(self, *, kill: bool) -> None:
        """Ask once more, which makes the session cancel its working orders; or kill it, which cancels nothing."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()

    def _forget_watchdog(self) -> None:
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._say(self.name, line.rstrip("\n"))
        process.wait()
        self._bell.ring()

    def _ended(self, code: int) -> None:
        self._code, now = code, self._clock.monotonic()
        if self._is_ending:
            self._become("ended", None)
        elif code == 0:
            self._wait_for_next_day("waiting")
        elif code == LOCKED:
            self._retry("locked")
        elif code in A_PERSON_MUST_LOOK or self._fails_too_often(now):
            self._failures.clear()
            self._wait_for_next_day("failed")
            self._alert(self.name, code)
        else:
            self._say(
                self.name, f"the session ended with exit code {code}; another one starts in {RETRY_SECONDS:.0f} s"
            )
            self._retry("retrying")

    def _fails_too_often(self, now: float) -> bool:
        self._failures.append(now)
        return len(self._failures) == FAILURES_MAX and now - self._failures[0] < FAILURES_WITHIN

    def _retry(self, state: ProcessState) -> None:
        self.due = self._clock.monotonic() + RETRY_SECONDS
        self._become(state, self._clock.wall() + timedelta(seconds=RETRY_SECONDS))

    def _wait_for_next_day(self, state: ProcessState) -> None:
        now = self._clock.wall()
        at = next_start(now)
        self.due = self._clock.monotonic() + (at - now).total_seconds()  # when to look again; the clock decides
        self._become(state, at)

    def _become(self, state: ProcessState, again: datetime | None) -> None:
        if state != self._state or again is None:
            self._since = self._clock.wall()
        self._state, self._again = state, again
