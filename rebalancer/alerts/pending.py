"""Determine what is pending on one channel, from the journal's events alone.

    alert           an alert; its number is its row number in the journal
    alert_sent      key "number/channel": it was sent, alone or with others (`head` is the first of them)
    alert_failed    key "number/channel" of the first alert: an attempt failed; `alerts` are all, `next_at` the next one
    alerts_muted    nothing up to this row is sent: a simulated day that was played in fast motion

1. Alerts with the same code and key belong together: after one message, the next on the same subject waits for an hour
   and then covers all of them, with their number. An alert of a higher level does not wait.
2. At most `HOURLY` messages are sent within an hour, with a separate count for the level action; the excess is combined
   into one list. Retried messages and the daily summary do not count.
3. A failed message is retried before any other, unchanged, after growing pauses.

An alert is dated by the account's clock, which for a simulated exchange differs from the machine's; `alert_sent` and
`alert_failed` are dated by the machine's. Times from the two clocks are never compared: docs/decisions/0011.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from rebalancer.alerts.message import LEVELS, SUMMARY, code_of, level_of
from rebalancer.core.rules import Alerts
from rebalancer.core.values import utc_of
from rebalancer.journal.records import Event

FOLD: Final = timedelta(hours=1)
HOURLY: Final = 20
OLDEST: Final = timedelta(days=4)  # a long weekend; older alerts are not sent
BY_MACHINE: Final = frozenset({"unit_failed"})  # codes of alerts dated by the machine's clock
FIRST_PAUSE: Final = timedelta(seconds=20)
GROWTH: Final = 3
LONGEST_PAUSE: Final = timedelta(hours=1)
State = Literal["sent", "failed", "given up", "waiting", "summary only", "muted", "too old"]


class Batch(NamedTuple):
    """The alerts of one message, oldest first, and the number of attempts so far."""

    members: tuple[Event, ...]
    tried: int = 0

    @property
    def is_urgent(self) -> bool:
        return any(level_of(e) == "action" for e in self.members)

    @property
    def is_summary(self) -> bool:
        return any(code_of(e) == SUMMARY for e in self.members)


class Due(NamedTuple):
    """What may be sent now, in order, and when to check again if nothing new comes; None when nothing is waiting."""

    batches: tuple[Batch, ...]
    wake_at: datetime | None


class Reported(NamedTuple):
    """The records of one account: its alerts and their delivery status. `newest` is the latest time of the account's
    own clock in the journal; None if there is none."""

    alerts: Sequence[Event]
    sent: Sequence[Event]
    failed: Sequence[Event]
    newest: datetime | None
    muted: int = 0


class _Failure(NamedTuple):
    numbers: tuple[int, ...]
    tried: int
    next_at: datetime | None


def is_wanted(event: Event, rules: Alerts) -> bool:
    """Whether an alert is sent as a message; all others appear only in the daily summary."""
    if code_of(event) == SUMMARY:
        return rules.summary
    return LEVELS.index(level_of(event)) >= LEVELS.index(rules.min_level)


def due(reported: Reported, channel: str, rules: Alerts, now: datetime, *, at_once: bool = False) -> Due:
    """What one channel may send now. `now`: by the machine's clock. `at_once`: retry earlier failures without waiting,
    as a new process does."""
    sent, failures = _sent(reported, channel), _failures(reported, channel)
    over = {n for f in failures for n in f.numbers if f.tried >= rules.attempts or f.next_at is None}
    left = [
        event
        for event in reported.alerts
        if event.seq > reported.muted
        and event.seq not in sent
        and event.seq not in over
        and is_wanted(event, rules)
        and not is_too_old(event, reported, now)
    ]
    again, moments = [], []
    for failure in failures:
        members = tuple(e for e in left if e.seq in failure.numbers)
        if not members:
            continue
        left = [e for e in left if e.seq not in failure.numbers]
        again.append(Batch(members, failure.tried))
        if failure.next_at is not None and now < failure.next_at <= now + LONGEST_PAUSE * 2:
            moments.append(failure.next_at)
    if moments and not at_once:
        return Due((), max(moments))  # the channel is failing at the moment: other messages would fail too
    fresh, wake = _grouped(left, list(sent.values()), now)
    kept, budget_wake = _within_budget(fresh, list(sent.values()), now)
    return Due((*again, *kept), min((m for m in (wake, budget_wake) if m is not None), default=None))


def state_of(event: Event, reported: Reported, channel: str, rules: Alerts, now: datetime) -> tuple[State, int]:
    """The delivery status of one alert on one channel, and the number of attempts."""
    if event.seq in _sent(reported, channel):
        return "sent", 1
    for failure in _failures(reported, channel):
        if event.seq in failure.numbers:
            over = failure.tried >= rules.attempts or failure.next_at is None
            return ("given up" if over else "failed"), failure.tried
    if not is_wanted(event, rules):
        return "summary only", 0
    if event.seq <= reported.muted:
        return "muted", 0
    return ("too old" if is_too_old(event, reported, now) else "waiting"), 0


def is_too_old(event: Event, reported: Reported, now: datetime) -> bool:
    """Whether an alert is too old to be sent: its age is measured on the clock that dated it."""
    newest = now if code_of(event) in BY_MACHINE else reported.newest
    return newest is not None and newest - event.at > OLDEST


def pause_after(tried: int, name: str) -> timedelta:
    """The pause after a number of attempts: growing, with jitter derived from the name so that retries are spread."""
    whole = min(FIRST_PAUSE * float(GROWTH ** min(tried - 1, 10)), LONGEST_PAUSE)
    spread = hashlib.sha256(f"{name}|{tried}".encode()).digest()[0] / 255  # 0 to 1
    return whole * (0.75 + spread / 2)


def _sent(reported: Reported, channel: str) -> dict[int, Event]:
    return {int(e.body["alert"]): e for e in reported.sent if e.body.get("channel") == channel}


def _failures(reported: Reported, channel: str) -> list[_Failure]:
    """The latest failure of every message, oldest message first."""
    newest = {e.key: e for e in reported.failed if e.body.get("channel") == channel}
    found = []
    for event in newest.values():
        next_at = event.body.get("next_at")
        moment = None if next_at is None else utc_of(str(next_at))
        found.append(_Failure(tuple(int(n) for n in event.body["alerts"]), int(event.body["tried"]), moment))
    return sorted(found)


def _grouped(left: Iterable[Event], sent: Sequence[Event], now: datetime) -> tuple[list[Batch], datetime | None]:
    """One batch for each code and key whose waiting hour is over, in the order of their first alerts; and when the next
    hour ends."""
    groups: dict[tuple[str, str | None], list[Event]] = {}
    for event in left:
        groups.setdefault((code_of(event), event.key), []).append(event)
    batches, moments = [], []
    for (code, key), members in groups.items():
        before = [e for e in sent if (e.body.get("code"), e.body.get("of")) == (code, key) and _within(e, now)]
        highest = max((LEVELS.index(str(e.body["level"])) for e in before), default=-1)
        is_higher = any(LEVELS.index(level_of(e)) > highest for e in members)
        if before and not is_higher and code != SUMMARY:
            moments.append(max(e.at for e in before) + FOLD)
        else:
            batches.append(Batch(tuple(members)))
    return batches, min(moments, default=None)


def _within_budget(
    batches: Sequence[Batch], sent: Sequence[Event], now: datetime
) -> tuple[tuple[Batch, ...], datetime | None]:
    """The batches that fit into the hourly limit, the excess combined into one; and when the next one may go out."""
    kept: list[Batch] = [b for b in batches if b.is_summary]
    wake: list[datetime] = []
    for urgent in (True, False):
        mine = [b for b in batches if b.is_urgent == urgent and not b.is_summary]
        recent = {
            int(e.body["head"]): e.at
            for e in sent
            if _within(e, now) and e.body.get("urgent") == urgent and e.body.get("code") != SUMMARY
        }
        left_this_hour = HOURLY - len(recent)
        if left_this_hour <= 0:
            wake += [min(recent.values()) + FOLD] if mine else []
        elif len(mine) <= left_this_hour:
            kept += mine
        else:
            alone = mine[: left_this_hour - 1]
            together = sorted((e for b in mine[left_this_hour - 1 :] for e in b.members), key=lambda e: e.seq)
            kept += [*alone, Batch(tuple(together))]
    ordered = sorted(kept, key=lambda b: b.members[0].seq)
    return tuple(ordered), min(wake, default=None)


def _within(event: Event, now: datetime) -> bool:
    return timedelta(0) <= now - event.at < FOLD
