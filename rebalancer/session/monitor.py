"""The position monitor: between cycles, every position has its stop and its target, and is left when one is reached.

    protection.mode broker     pairs of exits rest at the broker; the monitor puts missing ones back, and watches what
                               cannot rest there: coins, fractions of a share, positions whose pair is refused
    protection.mode monitor    the monitor compares prices with stops and targets and leaves positions itself
    protection.mode off        nothing

A position that is without protection, or whose price cannot be seen, for longer than `max_unprotected_seconds` is told
to a person, once per stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from rebalancer.decide.protect import Guard, unguarded
from rebalancer.decide.trip import trip
from rebalancer.guard import guards_of
from rebalancer.observe import World
from rebalancer.rules import Rules
from rebalancer.session.exits import Exit, Gone, leave
from rebalancer.values import ZERO
from rebalancer.world.desk_watch import NOTHING_TOLD
from rebalancer.world.protection.records import Kept

Leave = Callable[[World, Rules, Sequence[Exit], str], tuple[Gone, ...]]


class Monitor:
    """Looks at one account again and again; remembers only since when something could not be protected or seen."""

    def __init__(self, rules: Rules, leave: Leave = leave) -> None:
        self._rules, self._leave = rules, leave
        self._since: dict[str, datetime] = {}
        self._told: set[str] = set()

    def look(self, world: World) -> tuple[Gone, ...]:
        """One look. The caller holds the run lock. Raises nothing for what the broker does: it is told instead."""
        if self._rules.protection.mode == "off":
            return ()
        try:
            return self._look(world)
        except NOTHING_TOLD as error:
            self._doubt(world, {"": f"the broker does not answer the position monitor: {error}"})
            return ()

    def _look(self, world: World) -> tuple[Gone, ...]:
        world.protection.look(None)
        held = [p for p in world.broker.positions() if p.qty != ZERO]
        if not held:
            self._doubt(world, {})
            return ()
        guards = guards_of(world, self._rules, held)
        world.protection.place(guards)
        kept = world.protection.kept()
        watched = [g for g in guards if not _rests(kept.get(g.symbol), g)]
        quotes = world.broker.quotes(sorted(g.symbol for g in watched)) if watched else ()
        found = trip(watched, quotes, world.broker.now(), self._rules.quotes)
        gone: tuple[Gone, ...] = ()
        if found.trips:
            exits = [Exit(t.guard.symbol, t.kind, t.because) for t in found.trips]
            gone = self._leave(world, self._rules, exits, "exit")
        problems = {name: f"{name}: its entry price is not known" for name in unguarded(held)}
        problems |= {name: f"{name}: its price cannot be seen: {why}" for name, why in found.blind.items()}
        problems |= {g.symbol: f"{g.symbol}: it could not be left: {g.problem}" for g in gone if g.problem}
        self._doubt(world, problems)
        return gone

    def _doubt(self, world: World, problems: Mapping[str, str]) -> None:
        """Remember since when each problem stands, and tell a person when it has stood for too long."""
        now = world.broker.now()
        for name in [name for name in self._since if name not in problems]:
            del self._since[name]
            self._told.discard(name)
        longest = timedelta(seconds=self._rules.protection.max_unprotected_seconds)
        for name, text in sorted(problems.items()):
            since = self._since.setdefault(name, now)
            if now - since >= longest and name not in self._told:
                self._told.add(name)
                said = f"unprotected for {(now - since).total_seconds():,.0f} s: {text}"
                body = {"level": "action", "code": "unprotected", "text": said}
                world.journal.record_event(world.account_id, None, now, "alert", name or "monitor", body)


def _rests(kept: Kept | None, guard: Guard) -> bool:
    """Whether the whole position is protected by orders at the broker, or may be: then nothing else may sell it."""
    return kept is not None and kept.lives and (kept.state != "open" or abs(kept.qty) >= abs(guard.qty))
