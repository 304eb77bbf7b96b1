"""The position monitor: between cycles, every position has its stop and its target, and is left when one is reached.

    protection.mode broker     pairs of exits rest at the broker; the monitor puts missing ones back, and watches what
                               does not rest there for sure: coins, fractions of a share, positions whose pair is
                               refused, or of which the broker has not said whether it has it
    protection.mode monitor    the monitor compares prices with stops and targets and leaves positions itself
    protection.mode off        nothing

A position that is without protection, or whose price cannot be seen, for longer than `max_unprotected_seconds` is told
to a person, once per stretch. A pair in doubt counts as no protection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from rebalancer.decide.protect import Guard, unguarded
from rebalancer.decide.trip import trip
from rebalancer.guard import guards_of
from rebalancer.observe import World
from rebalancer.rules import Rules
from rebalancer.session.exits import Exit, Gone, leave
from rebalancer.session.stretches import EVERYTHING, Problem, Stretches
from rebalancer.values import ZERO
from rebalancer.world.desk_watch import NOTHING_TOLD
from rebalancer.world.protection.records import Kept

Leave = Callable[[World, Rules, Sequence[Exit], str], tuple[Gone, ...]]


class Monitor:
    """Looks at one account again and again; what could not be protected or seen, and since when, is journalled."""

    def __init__(self, rules: Rules, leave: Leave = leave) -> None:
        self._rules, self._leave = rules, leave
        self._stretches = Stretches(timedelta(seconds=rules.protection.max_unprotected_seconds))

    def look(self, world: World) -> tuple[Gone, ...]:
        """One look. The caller holds the run lock. Raises nothing for what the broker does: it is told instead."""
        if self._rules.protection.mode == "off":
            return ()
        try:
            return self._look(world)
        except NOTHING_TOLD as error:
            silent = Problem(f"the broker does not answer the position monitor: {error}")
            self._stretches.note(world, {EVERYTHING: silent}, complete=False)
            return ()

    def _look(self, world: World) -> tuple[Gone, ...]:
        world.protection.look(None)
        held = [p for p in world.broker.positions() if p.qty != ZERO]
        if not held:
            self._stretches.note(world, {})
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
        problems = {name: Problem(f"{name}: its entry price is not known") for name in unguarded(held)}
        problems |= {name: Problem(f"{name}: its price cannot be seen: {why}") for name, why in found.blind.items()}
        problems |= {
            g.symbol: Problem(
                f"{g.symbol}: the broker has not said whether it has its stop and target", one.intended_at
            )
            for g in watched
            if (one := kept.get(g.symbol)) is not None and one.state in ("intended", "unknown")
        }
        problems |= {g.symbol: Problem(f"{g.symbol}: it could not be left: {g.problem}") for g in gone if g.problem}
        self._stretches.note(world, problems)
        return gone


def _rests(kept: Kept | None, guard: Guard) -> bool:
    """Whether the whole position is protected by orders that the broker has said it has."""
    return kept is not None and kept.state == "open" and abs(kept.qty) >= abs(guard.qty)
