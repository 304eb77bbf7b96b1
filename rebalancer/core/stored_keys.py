"""Keys added to stored rules, snapshots and plans since planner edition 1, and the value that an absent key stands for.

To add a key, add one line below in the same commit as the field. The key is its dotted path (`protection.cool_off`; for
every row of a list: `instruments.atr`). The value is the one that preserves the behaviour from before the key existed,
as plain JSON (a decimal as text). From then on:

- the key is omitted on writing while it has that value; any other value is written, even if it is the default;
- on reading stored text, an absent key has that value. In a user's YAML it has the default of `core/rules.py`.

So adding a key never changes a stored text, which reads back to the same text (tests/journal/edition_1). In snapshots
and plans the default of the field must be that value too. To change the planner's decisions without adding a key,
increment `decisions.PLANNER_EDITION`: docs/decisions/0012-planner-editions.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rebalancer.core.documents import canonical_json, plain
from rebalancer.core.venue_rules import ALPACA

RULES_ADDED: Final[Mapping[str, object]] = {
    "execution.exit_threshold": None,
    "model.max_age_days": 180,
    "execution.schedule": None,
    "protection.stop_type": "stop",
    "protection.stop_limit_offset_bps": 50.0,
    "protection.cool_off": "none",
    "protection.cool_off_lifted_by_newer_signal": False,
    "position_sizing.confidence_scaling": "proportional",
    "position_sizing.crypto_floor": None,
    "position_sizing.no_trade_band.risk_aversion": 5.0,
    "position_sizing.no_trade_band.width": "fixed",
    "position_sizing.volatility_measure": "returns",
    "reporting.evidence": False,
    "regime": {},
    "regime.benchmark": "",
    "regime.breadth_names": 10,
    "regime.confidence": {},
    "regime.confidence.bear": 0.8,
    "regime.confidence.bull": 1.0,
    "regime.confidence.chop": 0.9,
    "regime.confidence.crisis": 0.6,
    "regime.crisis_sessions": 10,
    "regime.enabled": False,
    "regime.gross": {},
    "regime.gross.bear": 0.5,
    "regime.gross.bull": 1.0,
    "regime.gross.chop": 0.8,
    "regime.gross.crisis": 0.25,
    "regime.levels": {},
    "regime.levels.bear_trend_in": -0.03,
    "regime.levels.bear_trend_out": 0.01,
    "regime.levels.bull_breadth_in": 0.55,
    "regime.levels.bull_breadth_out": 0.25,
    "regime.levels.bull_trend_in": 0.02,
    "regime.levels.bull_trend_out": -0.01,
    "regime.levels.bull_volatility_in": 0.8,
    "regime.levels.bull_volatility_out": 0.95,
    "regime.levels.crisis_drawdown_in": 0.1,
    "regime.levels.crisis_drawdown_out": 0.05,
    "regime.levels.crisis_volatility_in": 0.95,
    "regime.levels.crisis_volatility_out": 0.8,
    "regime.min_sessions": 5,
    "regime.missing_sessions": 2,
    "regime.targets": False,
    "reporting.parity": False,
    "reporting.shadow_books": [],
    "risk_management.correlation_groups": "daily",
    "risk_management.max_correlated_positions": None,
    "signals.consensus": {},
    "signals.consensus.disagreement": "ignore",
    "signals.consensus.quorum": 1,
    "signals.consensus.veto": None,
    "signals.keep_days": 90,
    "signals.mappings": {},
    "signals.sources": {},
    "signals.targets_max_age": None,
    "signals.universe": [],
    "signals.weights_of": "equity",
    "journal": {},
    "journal.lease_seconds": None,
    "journal.mirror_url": None,
    "journal.mirror_warn_minutes": 10.0,
    "journal.size_limit_mb": None,
    "journal.url": None,
    "web": {},
    "web.enabled": False,
    "web.hooks_listen": None,
    "web.hosts": [],
    "web.listen": "127.0.0.1:8787",
    "web.live_writes": False,
    "web.metrics_public": False,
    "web.repeat_seconds": 60,
    "web.requests_per_minute": 1200,
}

SNAPSHOT_ADDED: Final[Mapping[str, object]] = {
    "signals.hold": False,
    "signals.target": None,
    "closed_by_kill": [],
    "instruments.atr": None,
    "regime": None,
    "stop_exits": None,
    "trading_costs": None,
    "unknown_words": {},
    "venue": plain(ALPACA),
}

PLAN_ADDED: Final[Mapping[str, object]] = {
    "planner_edition": 1,
    "constrained": None,
    "limits.kind": None,
}


def leave_out(document: dict[str, Any], added: Mapping[str, object]) -> dict[str, Any]:
    """Remove, in place, the added keys whose value is the one absence stands for; sections after the keys in them."""
    for place in sorted(added, key=_depth, reverse=True):
        for holder, name in _holders(document, place):
            if name in holder and _same(holder[name], added[place]):
                del holder[name]
    return document


def fill_in(document: dict[str, Any], added: Mapping[str, object]) -> dict[str, Any]:
    """Fill in, in place, every absent added key with the value its absence stands for; sections first."""
    for place in sorted(added, key=_depth):
        for holder, name in _holders(document, place):
            value = added[place]
            holder.setdefault(name, dict(value) if isinstance(value, Mapping) else value)
    return document


def _depth(place: str) -> int:
    return place.count(".")


_WORDS: Final = frozenset({str, int, bool, type(None)})


def _same(value: object, old: object) -> bool:
    if type(value) in _WORDS and type(old) in _WORDS:
        return type(value) is type(old) and value == old
    return canonical_json(value) == canonical_json(old)  # compared as JSON text, since False == 0 in Python


def _holders(document: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every object that can hold the last part of a dotted path, with that part; a list stands for each of its rows."""
    *sections, name = place.split(".")
    found: list[Any] = [document]
    for section in sections:
        found = [one[section] for one in found if isinstance(one, dict) and section in one]
        found = [row for one in found for row in (one if isinstance(one, list) else [one])]
    yield from ((one, name) for one in found if isinstance(one, dict))
