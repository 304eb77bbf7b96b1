"""Keys that stored rules, snapshots and plans have got since planner edition 1, and what it means when one is absent.

To add a key: one line below, in the same commit as the field. The key is its dotted place (`protection.cool_off`; of
every row of a list: `instruments.atr`), the value is what makes the program behave as it did before the key existed, as
plain JSON (a decimal as text). From then on:

- what is written leaves the key out while it has that value, and writes any other, also when that is the default;
- in what was stored, an absent key has that value. In a person's YAML an absent key has the default of `core/rules.py`.

So a stored text never changes because a key was added, and reads back to the same text (tests/journal/edition_1). In
snapshots and plans the default of the field has to be that value too. To change what the planner decides without a key,
raise `decisions.PLANNER_EDITION`: docs/decisions/0012-planner-editions.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rebalancer.core.documents import canonical_json

RULES_ADDED: Final[Mapping[str, object]] = {
    "execution.exit_threshold": None,
    "protection.stop_type": "stop",
    "protection.stop_limit_offset_bps": 50.0,
    "protection.cool_off": "none",
    "protection.cool_off_lifted_by_newer_signal": False,
    "position_sizing.confidence_scaling": "proportional",
    "position_sizing.crypto_floor": None,
    "position_sizing.volatility_measure": "returns",
    "risk_management.max_correlated_positions": None,
}

SNAPSHOT_ADDED: Final[Mapping[str, object]] = {
    "signals.hold": False,
    "closed_by_kill": [],
    "instruments.atr": None,
    "stop_exits": None,
}

PLAN_ADDED: Final[Mapping[str, object]] = {
    "planner_edition": 1,
    "constrained": None,
}


def leave_out(document: dict[str, Any], added: Mapping[str, object]) -> dict[str, Any]:
    """The document, in place, without the added keys whose value is that of their absence. Sections go after keys."""
    for place in sorted(added, key=_depth, reverse=True):
        for holder, name in _holders(document, place):
            if name in holder and _same(holder[name], added[place]):
                del holder[name]
    return document


def fill_in(document: dict[str, Any], added: Mapping[str, object]) -> dict[str, Any]:
    """The document, in place, with the value of its absence for every added key that is absent. Sections come first."""
    for place in sorted(added, key=_depth):
        for holder, name in _holders(document, place):
            value = added[place]
            holder.setdefault(name, dict(value) if isinstance(value, Mapping) else value)
    return document


def _depth(place: str) -> int:
    return place.count(".")


def _same(value: object, old: object) -> bool:
    return canonical_json(value) == canonical_json(old)  # by text: False is not 0 here


def _holders(document: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every object that holds the last part of a place, with that part; a list stands for each of its rows."""
    *sections, name = place.split(".")
    found: list[Any] = [document]
    for section in sections:
        found = [one[section] for one in found if isinstance(one, dict) and section in one]
        found = [row for one in found for row in (one if isinstance(one, list) else [one])]
    yield from ((one, name) for one in found if isinstance(one, dict))
