"""From one session to the next: which regime the market is in, with hysteresis.

1. A session without a close of the benchmark leaves the regime as it is; every `missing_sessions` of them in a row move
   it to the next more careful one.
2. CRISIS is entered at once, from every regime.
3. Everything else waits until the regime has lasted `min_sessions` (CRISIS: `crisis_sessions`).
4. Towards more risk it goes one step at a time: CRISIS, BEAR, CHOP, BULL.
5. A regime is left at other levels than those at which it is entered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from rebalancer.core.facts import BY_CAUTION, Regime, RegimeName
from rebalancer.core.regime_rules import RegimeLevels, RegimeRules
from rebalancer.regimes.measures import Measures, SessionMeasures

START: Final[RegimeName] = "CHOP"  # before anything has been measured


def next_regime(before: Regime | None, session: SessionMeasures, rules: RegimeRules) -> Regime:
    """The regime at the end of a session. before: at the end of the session before; None at the first one."""
    if before is None:
        before = start_regime(session.day)
    now = before._replace(sessions=before.sessions + 1, as_of=session.day)
    is_young = session.has_close and before.measured_on is None  # its history begins
    if session.values is None and not is_young:
        return _aged(now._replace(missing=before.missing + 1), rules)
    now = now._replace(missing=0)
    if session.values is None:
        return now
    now = now._replace(measured_on=session.day, **session.values._asdict())
    name = _allowed(before, session.values, rules)
    return now if name == before.name else now._replace(name=name, since=session.day, sessions=1)


def start_regime(day: date) -> Regime:
    """What is assumed before anything has been measured; it has lasted no session yet."""
    return Regime(START, day, 0, day)


def regimes_through(before: Regime | None, sessions: Iterable[SessionMeasures], rules: RegimeRules) -> Iterator[Regime]:
    """The regime at the end of every session, oldest first. Sessions that `before` knows already are left out."""
    for session in sessions:
        if before is None or session.day > before.as_of:
            before = next_regime(before, session, rules)
            yield before


def _aged(now: Regime, rules: RegimeRules) -> Regime:
    """A regime whose benchmark has no close."""
    if now.missing % rules.missing_sessions or now.name == BY_CAUTION[-1]:
        return now
    return now._replace(name=more_careful(now.name), since=now.as_of, sessions=1)


def more_careful(name: RegimeName) -> RegimeName:
    """The next more careful regime; CRISIS stays."""
    return BY_CAUTION[min(BY_CAUTION.index(name) + 1, len(BY_CAUTION) - 1)]


def _allowed(before: Regime, measured: Measures, rules: RegimeRules) -> RegimeName:
    """What the measures call for, as far as the minimum stay and the single steps allow it."""
    levels, name = rules.levels, before.name
    wanted = wanted_regime(name, measured, levels)
    if wanted == name or wanted == "CRISIS":
        return wanted
    if before.sessions < stay_of(name, rules):
        return name
    here, there = BY_CAUTION.index(name), BY_CAUTION.index(wanted)
    return BY_CAUTION[max(there, here - 1)]


def stay_of(name: RegimeName, rules: RegimeRules) -> int:
    """The sessions that a regime lasts at least."""
    return rules.crisis_sessions if name == "CRISIS" else rules.min_sessions


def wanted_regime(name: RegimeName, measured: Measures, levels: RegimeLevels) -> RegimeName:
    """What the measures alone call for, from a regime."""
    if is_crisis(measured, levels, is_in=name == "CRISIS"):
        return "CRISIS"
    if is_bull(measured, levels, is_in=name == "BULL"):
        return "BULL"
    return "BEAR" if is_bear(measured, levels, is_in=name == "BEAR") else "CHOP"


def is_crisis(measured: Measures, levels: RegimeLevels, *, is_in: bool) -> bool:
    """Whether CRISIS is entered, or (is_in) goes on."""
    if is_in:
        return measured.volatility >= levels.crisis_volatility_out and measured.drawdown >= levels.crisis_drawdown_out
    return measured.volatility >= levels.crisis_volatility_in and measured.drawdown >= levels.crisis_drawdown_in


def is_bull(measured: Measures, levels: RegimeLevels, *, is_in: bool) -> bool:
    """The same for BULL."""
    breadth = measured.breadth
    if is_in:
        return (
            measured.trend > levels.bull_trend_out
            and measured.volatility < levels.bull_volatility_out
            and (breadth is None or breadth > levels.bull_breadth_out)
        )
    return (
        measured.trend >= levels.bull_trend_in
        and measured.slope >= 0
        and measured.volatility <= levels.bull_volatility_in
        and (breadth is None or breadth >= levels.bull_breadth_in)
    )


def is_bear(measured: Measures, levels: RegimeLevels, *, is_in: bool) -> bool:
    """The same for BEAR."""
    if is_in:
        return measured.trend < levels.bear_trend_out
    return measured.trend <= levels.bear_trend_in and measured.slope <= 0


def session_without_close(day: date) -> SessionMeasures:
    """A session on which the benchmark has no close."""
    return SessionMeasures(day, has_close=False, values=None)
