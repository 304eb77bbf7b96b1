"""How long positions have been without protection, remembered in the journal: a restart does not begin the count anew.

A stretch is written down when it is seen for the second time, when a person is told of it, and when it ends. One that
is over at the next look leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rebalancer.observe import World
from rebalancer.values import time_text, utc_of

KIND: Final = "unprotected"
EVERYTHING: Final = "monitor"  # the name of a stretch that is not about one symbol


class Problem(NamedTuple):
    """Why something is unprotected, and since when where that is known from elsewhere."""

    text: str
    since: datetime | None = None


class _Stretch(NamedTuple):
    since: datetime
    state: str  # "seen", then "begun" and "told" in the journal


class Stretches:
    """The stretches of one account; a person is told once of each that lasts too long."""

    def __init__(self, longest: timedelta) -> None:
        self._longest = longest
        self._open: dict[str, _Stretch] | None = None

    def note(self, world: World, problems: Mapping[str, Problem], *, complete: bool = True) -> None:
        """Take in what one look found. complete: what is not named has no problem."""
        now = world.broker.now()
        if self._open is None:
            self._open = _remembered(world)
        rows: list[tuple[str, str, dict[str, object]]] = []
        for name in [name for name in self._open if complete and name not in problems]:
            ended = self._open.pop(name)
            if ended.state != "seen":
                rows.append((KIND, name, _body(ended._replace(state="ended"), "")))
        for name, problem in sorted(problems.items()):
            before = self._open.get(name)
            since = min(filter(None, (before and before.since, problem.since, now)))
            state = before.state if before is not None else "seen"
            if state == "seen" and since < now:
                state = "begun"
            if state != "told" and now - since >= self._longest:
                state = "told"
                said = f"unprotected for {(now - since).total_seconds():,.0f} s: {problem.text}"
                rows.append(("alert", name, {"level": "action", "code": "unprotected", "text": said}))
            self._open[name] = _Stretch(since, state)
            if state != "seen" and (before is None or before.state != state):
                rows.append((KIND, name, _body(self._open[name], problem.text)))
        if rows:
            world.journal.record_events(world.account_id, None, now, rows)


def _remembered(world: World) -> dict[str, _Stretch]:
    events = world.journal.newest_of_each(KIND, world.account_id)
    return {
        event.key: _Stretch(utc_of(event.body["since"]), event.body["state"])
        for event in events
        if event.key is not None and event.body["state"] != "ended"
    }


def _body(stretch: _Stretch, text: str) -> dict[str, object]:
    return {"state": stretch.state, "since": time_text(stretch.since), "text": text}
