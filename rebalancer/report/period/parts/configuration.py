"""What changed in the rules between the last cycle before the period and the last one in it."""

from __future__ import annotations

from collections.abc import Mapping

from rebalancer.core.codec import stored_rules
from rebalancer.report.period.parts.source import Source
from rebalancer.report.records import RuleChange


def rules_changed(source: Source) -> Mapping[str, RuleChange]:
    """The rules that differ, keyed "section.key"; none without a cycle before the period."""
    if not source.own:
        return {}
    before = next((c for c in source.cycles if c.started_at < source.own[0].started_at and c.plan_sha256), None)
    last = next((c for c in reversed(source.own) if c.plan_sha256), None)
    if before is None or last is None or before.rules_sha256 == last.rules_sha256:
        return {}
    journal = source.journal
    return rule_differences(journal.rules_text(before.cycle_id) or "{}", journal.rules_text(last.cycle_id) or "{}")


def rule_differences(was: str, now: str) -> dict[str, RuleChange]:
    """Every rule that differs between two stored texts of rules, keyed "section.key"; a rule that an older version did
    not know has the value that this version used in effect."""
    found: dict[str, RuleChange] = {}

    def walk(place: str, old: object, new: object) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                walk(f"{place}.{key}".lstrip("."), old.get(key), new.get(key))
        elif old != new:
            found[place] = RuleChange(old, new)

    walk("", stored_rules(was), stored_rules(now))
    return found
