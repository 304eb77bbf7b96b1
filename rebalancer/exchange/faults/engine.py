"""Which rule fires now: a pure function of (seed, rule, n-th matching request), so that a run can be repeated."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from rebalancer.exchange.faults.kinds import KINDS, Site
from rebalancer.exchange.faults.rules import Rule


class Count(NamedTuple):
    """How often a rule has matched, and how often it fired."""

    matched: int = 0
    fired: int = 0


class Faults:
    """The rules now in force and their counts. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seed = 0
        self._rules: dict[str, Rule] = {}
        self._counts: dict[str, Count] = {}
        self._sites: dict[Site, list[Rule]] = {}

    def put(self, rules: Iterable[Rule], seed: int | None = None) -> None:
        """Add rules. One that replaces another of the same name begins to count anew; a new seed lets all begin."""
        with self._lock:
            if seed is not None:
                self._seed = seed
                self._counts = {}
            for rule in rules:
                self._rules[rule.name] = rule
                self._counts[rule.name] = Count()
            self._sort()

    def clear(self) -> None:
        """Remove every rule."""
        with self._lock:
            self._rules, self._counts = {}, {}
            self._sort()

    @property
    def are_set(self) -> bool:
        """Whether any rule is in force."""
        return bool(self._rules)

    def state(self) -> list[dict[str, object]]:
        """The rules and their counts, for people."""
        with self._lock:
            return [
                {"name": name, "kind": rule.kind, **self._counts.get(name, Count())._asdict()}
                for name, rule in self._rules.items()
            ]

    def on_request(self, method: str, path: str) -> list[Rule]:
        """The rules that fire on this request, in their order. Every matching rule counts it."""
        if not self._sites.get("request"):
            return []
        return self._fire("request", lambda rule: rule.method in ("*", method) and fnmatchcase(path, rule.path))

    def on_order(self, kind: str, symbol: str) -> Rule | None:
        """The first rule of a kind that fires on this moment of an order, or None."""
        return self._first("order", lambda rule: rule.kind == kind and _names(rule, symbol))

    def on_quote(self, symbol: str) -> Rule | None:
        """The first rule that fires on this quote, or None."""
        return self._first("quote", lambda rule: _names(rule, symbol))

    def on_trade(self, symbol: str) -> Rule | None:
        """The first rule that fires on this latest trade, or None."""
        return self._first("quote", lambda rule: rule.kind == "stale_price" and _names(rule, symbol))

    def on_event(self, name: str) -> Rule | None:
        """The first rule that fires on this event about to be sent, or None."""
        return self._first("stream", lambda rule: rule.event in ("", name))

    def _first(self, site: Site, matches: Callable[[Rule], bool]) -> Rule | None:
        if not self._sites.get(site):
            return None
        fired = self._fire(site, matches)
        return fired[0] if fired else None

    def _fire(self, site: Site, matches: Callable[[Rule], bool]) -> list[Rule]:
        with self._lock:
            return [rule for rule in self._sites[site] if matches(rule) and self._count(rule)]

    def _count(self, rule: Rule) -> bool:
        matched, fired = self._counts.get(rule.name, Count())
        due = matched >= rule.skip and (rule.times is None or fired < rule.times)
        fires = due and chance(self._seed, rule.name, matched) < rule.probability
        self._counts[rule.name] = Count(matched + 1, fired + fires)
        return fires

    def _sort(self) -> None:
        self._sites = {}
        for rule in self._rules.values():
            self._sites.setdefault(KINDS[rule.kind].site, []).append(rule)


def chance(seed: int, name: str, number: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed}|fault|{name}|{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def _names(rule: Rule, symbol: str) -> bool:
    return not rule.symbols or symbol in rule.symbols
