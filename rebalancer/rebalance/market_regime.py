"""The market's regime in a cycle: taken up where the journal left it, and carried on through the sessions since then.

It changes once a session at most, before the first cycle after it. Each new session is one event `regime` of the
journal: the regime, its measures, and what would have to move for another one.
"""

from __future__ import annotations

from rebalancer.core.documents import plain
from rebalancer.core.facts import BY_CAUTION, Regime
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.regime_rules import RegimeRules
from rebalancer.journal.alert_row import AlertLevel, alert_row
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.regime_row import REGIME, regime_of_body
from rebalancer.market_data.reference import ReferenceSnapshot
from rebalancer.market_data.regime_sessions import regime_sessions, sessions_before
from rebalancer.regimes.machine import regimes_through
from rebalancer.regimes.next_steps import next_steps


def stored_regime(journal: JournalReads, account_id: str, benchmark: str) -> Regime | None:
    """The newest regime in the journal; None before the first one, and for another benchmark."""
    found = journal.recall(account_id, REGIME, last=1)
    if not found or found[-1].body.get("benchmark") != benchmark:
        return None
    return regime_of_body(found[-1].body)


def current_regime(before: Regime | None, reference: ReferenceSnapshot, rules: RegimeRules) -> Regime | None:
    """The regime after all sessions before the day of the reference data. before: as the journal has it."""
    day = day_in_new_york(reference.session.open)
    if before is not None and before.as_of >= sessions_before(day)[-1]:
        return before
    sessions = regime_sessions(reference.judged, reference.closes, day, rules.breadth_names)
    *_, now = (before, *regimes_through(before, sessions, rules))
    return now


def regime_rows(
    now: Regime | None, before: Regime | None, benchmark: str, rules: RegimeRules
) -> list[tuple[str, str, dict[str, object]]]:
    """What the journal is to record of a regime: nothing when no session has passed. before: as the journal has it."""
    if now is None or now == before:
        return []
    body: dict[str, object] = {
        **plain(now),
        "benchmark": benchmark,
        "was": None if before is None else before.name,
        "confidence": rules.confidence.of(now.name),
        "gross": rules.gross.of(now.name),
        "targets": rules.targets,
        "next": [plain(step) for step in next_steps(now, rules)],
    }
    rows: list[tuple[str, str, dict[str, object]]] = [(REGIME, now.as_of.isoformat(), body)]
    if before is not None and before.name != now.name:
        level: AlertLevel = "warning" if BY_CAUTION.index(now.name) > BY_CAUTION.index(before.name) else "info"
        rows.append(alert_row(now.as_of.isoformat(), level, REGIME, _said(now, before, benchmark, rules)))
    return rows


def _said(now: Regime, before: Regime, benchmark: str, rules: RegimeRules) -> str:
    why = f"no close of {benchmark} for {now.missing} sessions" if now.missing else f"by the closes of {now.as_of}"
    factors = f"confidence x {rules.confidence.of(now.name):.2f}, gross x {rules.gross.of(now.name):.2f}"
    return f"the market's regime is {now.name}, it was {before.name} ({why}): {factors}"
