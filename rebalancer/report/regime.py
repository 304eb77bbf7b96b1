"""The market's regime in words, with what would have to move for another one: one text for all views."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from rebalancer.core.facts import Regime, RegimeName
from rebalancer.journal.regime_row import regime_of_body
from rebalancer.regimes.steps import Need, NextStep
from rebalancer.report.numbers import amount_of, fixed, percent
from rebalancer.report.visible import visible_symbol

if TYPE_CHECKING:
    from rebalancer.core.rules import Rules


class RegimeView(NamedTuple):
    """A regime and what it does. The measures are fractions, None before the first ones; `confidence` and `gross` the
    factors, and `targets` whether they count for target weights too; `next` what other regimes still need; `text` all
    of it in words."""

    name: RegimeName
    since: date
    sessions: int
    as_of: date
    missing: int
    benchmark: str
    trend: float | None
    slope: float | None
    volatility: float | None
    drawdown: float | None
    breadth: float | None
    confidence: float
    gross: float
    targets: bool
    next: tuple[NextStep, ...]
    text: str


def regime_view(regime: Regime | None, rules: Rules) -> RegimeView | None:
    """The regime of a snapshot under the rules of its plan; None where nobody judges it."""
    from rebalancer.regimes.next_steps import next_steps

    if regime is None or not rules.regime.enabled:
        return None
    confidence, gross = rules.regime.confidence.of(regime.name), rules.regime.gross.of(regime.name)
    steps = next_steps(regime, rules.regime)
    return _view(
        regime, rules.regime.judged_by(rules.reporting.benchmark), confidence, gross, rules.regime.targets, steps
    )


def regime_of_event(body: Mapping[str, Any]) -> RegimeView:
    """The regime that the journal recorded last."""
    steps = tuple(
        NextStep(step["name"], tuple(Need(n["kind"], n["now"], n["level"]) for n in step["needs"]))
        for step in body["next"]
    )
    confidence, gross = float(body["confidence"]), float(body["gross"])
    return _view(regime_of_body(body), str(body["benchmark"]), confidence, gross, body["targets"] is True, steps)


def _view(
    regime: Regime, benchmark: str, confidence: float, gross: float, targets: bool, steps: tuple[NextStep, ...]
) -> RegimeView:
    return RegimeView(
        regime.name, regime.since, regime.sessions, regime.as_of, regime.missing, benchmark, regime.trend,
        regime.slope, regime.volatility, regime.drawdown, regime.breadth, confidence, gross, targets, steps,
        _text(regime, benchmark, confidence, gross, steps),
    )  # fmt: skip


def _text(regime: Regime, benchmark: str, confidence: float, gross: float, steps: tuple[NextStep, ...]) -> str:
    """ "CHOP, session 9, since 2026-11-12; confidence × 0.90, gross × 0.80; BULL needs SPY 1.2 % higher"."""
    symbol = visible_symbol(benchmark)
    parts = [
        f"{regime.name}, session {regime.sessions}, since {regime.since}",
        f"confidence × {fixed(confidence, 2)}, gross × {fixed(gross, 2)}",
    ]
    if regime.missing:
        gone = f"! {symbol} has no close for {amount_of(regime.missing, 'session')}"
        parts.append(f"{gone}: until it has one, the regime only becomes more careful")
    elif regime.measured_on is None:
        parts.append(f"{symbol} has too few closes so far to be judged")
    return "; ".join([*parts, *(f"{step.name} {needs_text(step, symbol)}" for step in steps)])


def needs_text(step: NextStep, symbol: str) -> str:
    """What another regime needs: "needs SPY 1.2 % higher, breadth 61 → 65 %"."""
    if not step.needs:
        return "comes with the next session"
    return f"needs {', '.join(_need(need, symbol) for need in step.needs)}"


def _need(need: Need, symbol: str) -> str:
    match need.kind:
        case "price":
            way = "higher" if need.level > 0 else "lower"
            return f"{symbol} {percent(abs(need.level), 1)} {way}"
        case "slope":
            return f"a 200-day mean that {'does not fall' if need.now < 0 else 'does not rise'}"
        case "sessions":
            return amount_of(round(need.level), "more session")
        case kind:
            return f"{kind} {fixed(need.now * 100, 0)} → {percent(need.level, 0)}"
