"""How long positions have been without protection, recorded in the journal so that a restart does not reset the count.

An interval is recorded when it is seen for the second time, when it is reported, and when it ends. One that is over at
the next check leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from rebalancer.core.rules import Rules
from rebalancer.core.values import time_text, utc_of
from rebalancer.execution.exit_orders.unprotected_gaps import CODE, is_told, is_too_long
from rebalancer.execution.order_tracking import NOTHING_TOLD
from rebalancer.journal.alert_row import AlertLevel, alert_row
from rebalancer.rebalance.world import World

KIND: Final = "unprotected"
EVERYTHING: Final = "monitor"  # the name of an interval that is not about one symbol


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

    def note(self, world: World, problems: Mapping[str, ProtectionProblem], *, complete: bool = True) -> None:
        """Record what one check found. complete: anything not named has no problem."""
        now = now_of(world)
        if self._open is None:
            self._open = _remembered(world)
        rows: list[tuple[str, str, dict[str, object]]] = []
        for name in [name for name in self._open if complete and name not in problems]:
            ended = self._open.pop(name)
            if ended.state != "seen":
                rows.append((KIND, name, _body(ended._replace(state="ended"), "")))
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
                if not is_told(world.journal, world.account_id, name, since, self._rules, level):
                    rows.append(alert_row(name, level, CODE, said))
            self._open[name] = _Interval(since, state)
            if state != "seen" and (before is None or before.state != state):
                rows.append((KIND, name, _body(self._open[name], problem.text)))
        if rows:
            world.journal.record_events(world.account_id, None, now, rows)


def now_of(world: World) -> datetime:
    """The broker's time; this machine's if the broker has never answered."""
    try:
        return world.broker.now()
    except NOTHING_TOLD:
        return world.clock.wall()


def _remembered(world: World) -> dict[str, _Interval]:
    events = world.journal.newest_of_each(KIND, world.account_id)
    return {
        event.key: _Interval(utc_of(event.body["since"]), event.body["state"])
        for event in events
        if event.key is not None and event.body["state"] != "ended"
    }


def _body(interval: _Interval, text: str) -> dict[str, object]:
    return {"state": interval.state, "since": time_text(interval.since), "text": text}
