"""The configuration as planning sees it: the keys that decide what is traded, and no others.

Paper and live, another page or another alert channel are the same configuration. So are files and sources that signals
come from: what they said is data. What is off by default is left out while it is off: its other keys decide nothing,
and a configuration without it keeps the hash that it had before it was there.
"""

from __future__ import annotations

from typing import Any, Final

from rebalancer.core.codec import rules_text
from rebalancer.core.documents import canonical_json, read_json, sha256
from rebalancer.core.rules import Rules

SECTIONS: Final = (
    "execution", "position_sizing", "selection", "risk_management", "gate", "protection", "signals", "quotes",
)  # fmt: skip
NOT_READ: Final = {
    "execution": {"enabled", "mode"},
    "signals": {"path", "sample", "sources", "keep_days", "mappings", "universe"},
}


def planning_keys(rules: Rules) -> dict[str, Any]:
    """The sections and keys that planning reads, as plain JSON."""
    whole = read_json(rules_text(rules), "rules")
    found = {}
    for section in SECTIONS:
        left_out = NOT_READ.get(section, set())
        found[section] = {key: value for key, value in whole.get(section, {}).items() if key not in left_out}
    if rules.regime.enabled:
        found["regime"] = whole["regime"] | {"benchmark": rules.regime.judged_by(rules.reporting.benchmark)}
    if rules.session.crypto_around_the_clock:
        found["session"] = {"crypto_around_the_clock": True}
    return found


def planning_hash(rules: Rules) -> str:
    """The hash of these keys."""
    return sha256(canonical_json(planning_keys(rules)))
