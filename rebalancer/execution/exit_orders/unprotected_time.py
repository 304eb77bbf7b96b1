"""How long positions have been without protection: measured, recorded and reported, each interval once.

Two things are recorded. A gap is the time for which the exits of one position did not rest at the broker; its length is
known when a pair is in place again, or at the end of a cycle that could not place one. An interval is what the position
monitor finds from one check to the next, also for what has no pair; it is in the journal, so that a restart does not
reset the count, from its second sighting on. Whatever lasts too long is one alert, whoever sees it first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rebalancer.core.rules import Rules
from rebalancer.core.values import time_text, utc_of
from rebalancer.journal.alert_row import AlertLevel, alert_row
from rebalancer.journal.exit_order_records import CLOCK_ERROR, ExitPairRecord
from rebalancer.journal.journal import Journal

GAP: Final = "protection_gap"
INTERVAL: Final = "unprotected"
CODE: Final = "unprotected"  # of alerts about positions without protection
EVERYTHING: Final = "monitor"  # the name of an interval that is not about one symbol
Row = tuple[str, str, dict[str, object]]


def is_too_long(time: timedelta, rules: Rules) -> bool:
    """Whether a time without protection is reported. The true time may be longer than the measured one."""
    return time >= _longest(rules)


def _longest(rules: Rules) -> timedelta:
    longest = timedelta(seconds=rules.protection.max_unprotected_seconds)
    return max(longest - CLOCK_ERROR, min(longest, CLOCK_ERROR))


def is_reported(journal: Journal, account_id: str, name: str, since: datetime, rules: Rules, level: str) -> bool:
    """Whether it has been reported, at this level ("warning" or "action") or above, that an interval which began at
    `since` lasts too long. Earlier reports, from before it lasted too long, do not count."""
    alerts = journal.recall(account_id, "alert", since=since + _longest(rules), keys=[name])
    return any(one.body.get("code") == CODE and one.body.get("level") in ("action", level) for one in alerts)


def late_rows(
    journal: Journal, account_id: str, kept: ExitPairRecord, now: datetime, rules: Rules, ending: str
) -> list[Row]:
    """An alert, as a journal row, when a position has been without exits for too long and that has not been
    reported."""
    since = kept.bare_since
    if since is None or not is_too_long(now - since, rules):
        return []
    if is_reported(journal, account_id, kept.symbol, since, rules, "warning"):
        return []
    said = f"{kept.symbol}: without stop and target for {(now - since).total_seconds():,.0f} s; {ending}"
    return [alert_row(kept.symbol, "warning", CODE, said)]


def gap_rows(journal: Journal, account_id: str, kept: ExitPairRecord, now: datetime, rules: Rules) -> list[Row]:
    """The journal rows for the end of an interval without exits: its length, and the alert if one is still due."""
    if kept.bare_since is None:
        return []
    seconds = (now - kept.bare_since).total_seconds()
    gap: dict[str, object] = {"from": time_text(kept.bare_since), "seconds": seconds, "is_up": True}
    late = late_rows(journal, account_id, kept, now, rules, "they rest at the broker again")
    return [(GAP, kept.symbol, gap), *late]


def still_rows(
    kept: Mapping[str, ExitPairRecord],
    held: Collection[str],
    before: Collection[str],
    since: datetime,
    now: datetime,
    rules: Rules,
) -> list[Row]:
    """The journal rows for positions that have lost their exits since `since` and have none in place now. A position
    that is not among those held `before` is reported only when that has lasted too long; until then its first pair is
    still being placed."""
    rows: list[Row] = []
    for symbol in sorted(held):
        one = kept.get(symbol)
        if one is None or one.bare_since is None or one.bare_since < since:
            continue
        time = now - one.bare_since
        seconds = time.total_seconds()
        if symbol in before or is_too_long(time, rules):
            rows.append((GAP, symbol, {"from": time_text(one.bare_since), "seconds": seconds, "is_up": False}))
            said = f"{symbol}: without stop and target for {seconds:,.0f} s, because of a trade"
            said += f", and still: {one.because or one.state}"
            rows.append(alert_row(symbol, "action", CODE, said))
    return rows


class ProtectionProblem(NamedTuple):
    """Why something is unprotected, and since when if that is known from elsewhere. is_over: it was unprotected until
    now."""

    text: str
    since: datetime | None = None
    is_over: bool = False


class _Interval(NamedTuple):
    since: datetime
    state: str  # "seen", then "begun" and "told" in the journal


class UnprotectedIntervals:
    """The intervals of one account; each that lasts too long is reported once."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._open: dict[str, _Interval] | None = None

    def note(
        self,
        journal: Journal,
        account_id: str,
        now: datetime,
        problems: Mapping[str, ProtectionProblem],
        *,
        complete: bool = True,
    ) -> None:
        """Record what one check found. complete: anything not named has no problem."""
        if self._open is None:
            self._open = _remembered(journal, account_id)
        rows: list[Row] = []
        for name in [name for name in self._open if complete and name not in problems]:
            ended = self._open.pop(name)
            if ended.state != "seen":
                rows.append((INTERVAL, name, _body(ended._replace(state="ended"), "")))
        for name, problem in sorted(problems.items()):
            before = self._open.get(name)
            since = min(at for at in (before and before.since, problem.since, now) if at is not None)
            state = before.state if before is not None else "seen"
            if state == "seen" and since < now:
                state = "begun"
            if state != "told" and is_too_long(now - since, self._rules):
                state = "told"
                said = f"unprotected for {(now - since).total_seconds():,.0f} s: {problem.text}"
                level: AlertLevel = "warning" if problem.is_over else "action"
                if not is_reported(journal, account_id, name, since, self._rules, level):
                    rows.append(alert_row(name, level, CODE, said))
            self._open[name] = _Interval(since, state)
            if state != "seen" and (before is None or before.state != state):
                rows.append((INTERVAL, name, _body(self._open[name], problem.text)))
        if rows:
            journal.record_events(account_id, None, now, rows)


def _remembered(journal: Journal, account_id: str) -> dict[str, _Interval]:
    events = journal.newest_of_each(INTERVAL, account_id)
    return {
        event.key: _Interval(utc_of(event.body["since"]), event.body["state"])
        for event in events
        if event.key is not None and event.body["state"] != "ended"
    }


def _body(interval: _Interval, text: str) -> dict[str, object]:
    return {"state": interval.state, "since": time_text(interval.since), "text": text}
