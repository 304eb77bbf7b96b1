"""The position monitor: between cycles every position has a stop and a target, and is closed when one of them is
reached.

    protection.mode broker     exit pairs rest at the broker; the monitor replaces missing ones, and watches whatever is
                               not certain to rest there: coins, fractions of a share, positions whose pair is refused,
                               or whose pair the broker has not confirmed
    protection.mode monitor    the monitor compares prices with stops and targets and closes positions itself
    protection.mode off        nothing

A position that is without protection, or whose price cannot be read, for longer than `max_unprotected_seconds` is
reported once per interval. A pair in doubt, or one whose cancel was requested, does not count as protection. An
interval begins when the position was last known to be safe: at the last check that found it so, or when the cancel of
its exits was requested. The monitor does not run during a cycle, so a cycle and a broker outage directly after it are
one interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

from rebalancer.core.facts import Position, Quote
from rebalancer.core.reasons import Reasons
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, text_of
from rebalancer.execution.exit_orders.unprotected_time import (
    EVERYTHING,
    ProtectionProblem,
    UnprotectedIntervals,
    is_too_long,
)
from rebalancer.execution.order_tracking import NO_INFORMATION
from rebalancer.journal import Journal
from rebalancer.journal.exit_order_records import ExitPairRecord
from rebalancer.planning.exit_levels import ExitLevel, without_exit_levels
from rebalancer.planning.stop_triggers import stop_triggers
from rebalancer.rebalance.exits_around_trades import exit_levels_of
from rebalancer.rebalance.immediate_exits import ExitRequest, ExitResult, exit_positions
from rebalancer.rebalance.world import World
from rebalancer.session.unchanged import Before, MarketWithin, QuietLook, before_look

ExitPositions = Callable[[World, Rules, Sequence[ExitRequest], str], tuple[ExitResult, ...]]


class Monitor:
    """Checks one account repeatedly; what could not be protected or read, and since when, is journalled."""

    def __init__(
        self,
        rules: Rules,
        exit_with: ExitPositions = exit_positions,
        *,
        look_seconds: float = 0.0,
        market: MarketWithin | None = None,
    ) -> None:
        """look_seconds: how far checks are apart at least, where that is more than `poll_seconds`. market: what can
        tell that the next check would find what this one did; None: every check is made."""
        self._rules, self._exit_with = rules, exit_with
        self._apart = timedelta(seconds=max(rules.protection.poll_seconds, look_seconds))
        self._unprotected = UnprotectedIntervals(rules)
        self._looked: datetime | None = None  # the last check that completed
        self._safe: dict[str, datetime] = {}  # when each position was last found protected or watched
        self._missing = frozenset[str]()  # whose exits rest, but which the last check did not find among the positions
        self._market = market
        self._quiet: QuietLook | None = None  # the last check, when it found nothing to do

    def is_unchanged(self, journal: Journal, now: datetime) -> bool:
        """Whether a check now would find nothing to do, as the last one did; then it counts as made. now: the broker's
        time."""
        quiet = self._quiet
        if self._market is None or quiet is None:
            return False
        if not quiet.goes_on(self._market, journal.last_row(), now, self._rules.quotes):
            self._quiet = None
            return False
        self._looked, self._safe = now, {level.symbol: now for level in quiet.watched}
        return True

    def look(self, world: World) -> tuple[ExitResult, ...]:
        """One check. The caller holds the run lock. Problems with the broker are reported, never raised."""
        if self._rules.protection.mode == "off":
            return ()
        now = _now(world)
        self._forget_other_days(now.date())
        self._quiet = None
        before = None if self._market is None else before_look(self._market, world.journal.last_row(), now)
        try:
            gone, problems, watched = self._look(world)
        except NO_INFORMATION as error:
            silent = ProtectionProblem(f"the broker does not answer the position monitor: {error}", self._looked)
            self._note(world, {EVERYTHING: silent}, complete=False)
            return ()
        self._looked = world.broker.now()
        self._note(world, problems)
        if before is not None and not gone and not problems:
            self._remember(world, before, watched)
        return gone

    def _remember(self, world: World, before: Before, watched: Sequence[ExitLevel]) -> None:
        """Keep a check that found nothing to do: when no exits rest at the broker, nor are to be placed there."""
        rests = self._rules.protection.mode == "broker" or any(one.lives for one in world.protection.kept().values())
        if not rests:
            self._quiet = QuietLook(before, tuple(watched))

    def _note(self, world: World, problems: Mapping[str, ProtectionProblem], *, complete: bool = True) -> None:
        self._unprotected.note(world.journal, world.account_id, _now(world), problems, complete=complete)

    def _look(self, world: World) -> tuple[tuple[ExitResult, ...], dict[str, ProtectionProblem], Sequence[ExitLevel]]:
        """What was closed, what is unprotected, and the levels whose prices were compared."""
        before = world.protection.kept()
        world.protection.look(world.broker.now())  # older ends are not needed, and cost a call each
        held = [p for p in world.broker.positions() if p.qty != ZERO]
        is_sudden = self._is_sudden(world.protection.kept(), held)
        if not held:
            self._safe.clear()
            if not is_sudden:
                world.protection.place(())
            return (), {}, ()
        levels = exit_levels_of(world, self._rules, held)
        if not is_sudden:
            world.protection.place(levels)
        kept = world.protection.kept()
        watched = [g for g in levels if not _rests(kept.get(g.symbol), g)]
        limited = [g for g in levels if g.stop_limit is not None and _rests(kept.get(g.symbol), g)]
        seen = sorted(g.symbol for g in (*watched, *limited))
        quotes = world.broker.quotes(seen) if seen else ()
        found = stop_triggers(watched, quotes, world.broker.now(), self._rules.quotes)
        gone: tuple[ExitResult, ...] = ()
        if found.triggers:
            exits = [ExitRequest(t.level.symbol, t.kind, t.because) for t in found.triggers]
            gone = self._exit_with(world, self._rules, exits, "exit")
        problems = {
            name: ProtectionProblem(f"{name}: its entry price is not known") for name in without_exit_levels(held)
        }
        problems |= self._problems(levels, before, kept, found.blind, world.broker.now())
        problems |= _jumped(limited, quotes)
        for one in gone:
            if one.problem:
                other = problems.get(one.symbol)
                since = other.since if other is not None else None
                problems[one.symbol] = ProtectionProblem(
                    f"{one.symbol}: the position could not be closed: {one.problem}", since
                )
        return gone, problems, watched

    def _is_sudden(self, kept: Mapping[str, ExitPairRecord], held: Sequence[Position]) -> bool:
        """Whether a position is missing for the first time while its exits rest. They reserve its shares, so nobody can
        have sold them: the exits stay until the next check does not find it either."""
        missing = frozenset(name for name, one in kept.items() if one.lives) - {p.symbol for p in held}
        is_sudden = not missing <= self._missing
        self._missing = missing
        return is_sudden

    def _problems(
        self,
        levels: Sequence[ExitLevel],
        before: Mapping[str, ExitPairRecord],
        kept: Mapping[str, ExitPairRecord],
        blind: Mapping[str, Reasons],
        now: datetime,
    ) -> dict[str, ProtectionProblem]:
        """What is unprotected now, and what was unprotected for too long until this check. Remembers what is safe."""
        problems: dict[str, ProtectionProblem] = {}
        safe: dict[str, datetime] = {}
        for level in levels:
            name, was, one = level.symbol, before.get(level.symbol), kept.get(level.symbol)
            bare = was.bare_since if was is not None else None
            since = max((at for at in (self._safe.get(name), bare) if at is not None), default=None)
            if name not in blind:
                safe[name] = now
            if one is not None and one.state in ("intended", "unknown"):
                said = "the broker has not said whether it has its stop and target"
                problems[name] = ProtectionProblem(f"{name}: {said}", one.bare_since or one.intended_at)
            elif one is not None and one.lives and one.bare_since is not None:
                said = "its stop and target were to be cancelled, and the broker has not confirmed it"
                problems[name] = ProtectionProblem(f"{name}: {said}", one.bare_since)
            elif name in blind:
                problems[name] = ProtectionProblem(f"{name}: its price cannot be seen: {blind[name]}", since)
                safe |= {name: self._safe[name]} if name in self._safe else {}
            elif since is not None and not _rests(was, level) and self._is_too_long(now - since):
                is_noted = bare is not None and one is not None and one.stands  # with the pair in place now
                if not is_noted:
                    said = "neither did its stop and target rest at the broker, nor was its price watched, until now"
                    problems[name] = ProtectionProblem(f"{name}: {said}", since, is_over=True)
        self._safe = safe
        return problems

    def _is_too_long(self, time: timedelta) -> bool:
        """When checks are far apart, a gap between two of them is not reported."""
        return is_too_long(time, self._rules) and time > 2 * self._apart

    def _forget_other_days(self, today: date) -> None:
        """The monitor does not run while the market is closed: what was safe on an earlier day begins no interval."""
        if self._looked is not None and self._looked.date() != today:
            self._looked = None
        self._safe = {name: at for name, at in self._safe.items() if at.date() == today}


def _jumped(levels: Sequence[ExitLevel], quotes: Sequence[Quote]) -> dict[str, ProtectionProblem]:
    """The positions whose price is worse than the limit of their stop: the stop order rests, but cannot fill at current
    prices."""
    found = {q.symbol: q for q in quotes}
    problems: dict[str, ProtectionProblem] = {}
    for level in levels:
        quote, is_long = found.get(level.symbol), level.qty > 0
        price = None if quote is None else quote.bid if is_long else quote.ask
        if price is None or level.stop_limit is None or (price - level.stop_limit) * (1 if is_long else -1) >= 0:
            continue
        said = f"its price {text_of(price)} is worse than the limit {text_of(level.stop_limit)} of its stop"
        problems[level.symbol] = ProtectionProblem(
            f"{level.symbol}: {said}: it is not closed until the price comes back"
        )
    return problems


def _rests(kept: ExitPairRecord | None, level: ExitLevel) -> bool:
    """Whether the whole position is protected by orders that the broker has confirmed and whose cancel was not
    requested."""
    return kept is not None and kept.stands and abs(kept.qty) >= abs(level.qty)


def _now(world: World) -> datetime:
    """The broker's time; this machine's if the broker has never answered."""
    try:
        return world.broker.now()
    except NO_INFORMATION:
        return world.clock.wall()
