"""What would have to move for another regime: "BULL needs 1.2 % more", with the levels that are not reached yet.

A price is compared with the mean of its 200 sessions as it is today; the next close moves that mean by a two-hundredth.
"""

from __future__ import annotations

from rebalancer.core.facts import BY_CAUTION, Regime, RegimeName
from rebalancer.core.regime_rules import RegimeRules
from rebalancer.regimes.machine import stay_of, wanted_regime
from rebalancer.regimes.measures import Measures
from rebalancer.regimes.steps import Need, NextStep


def measures_of(regime: Regime) -> Measures | None:
    """The newest measures of a regime; None before the first ones."""
    if regime.measured_on is None or regime.trend is None or regime.slope is None:
        return None
    if regime.volatility is None or regime.drawdown is None:
        return None
    return Measures(regime.trend, regime.slope, regime.volatility, regime.drawdown, regime.breadth)


def next_steps(regime: Regime, rules: RegimeRules) -> tuple[NextStep, ...]:
    """The next regime with more risk, then every more careful one that is at one end of a single move; nothing while
    the benchmark is missing or was never measured."""
    measured = measures_of(regime)
    if measured is None or regime.missing:
        return ()
    place = BY_CAUTION.index(regime.name)
    found: list[NextStep] = []
    if place > 0:
        found.append(_up(regime, measured, rules))
    found += [_down(name, regime, measured, rules) for name in BY_CAUTION[place + 1 :]]
    return tuple(found)


def _up(regime: Regime, measured: Measures, rules: RegimeRules) -> NextStep:
    """What the next regime with more risk needs."""
    levels = rules.levels
    if regime.name == "CRISIS":  # it ends when either of the two is over
        needs = _crisis_ends(measured, rules)
        return NextStep("BEAR", (*needs, *_waits(regime, rules)))
    if regime.name == "BEAR":
        needs = _price(measured, levels.bear_trend_out, up=True)
        return NextStep("CHOP", (*needs, *_waits(regime, rules)))
    more: list[Need] = [*_price(measured, levels.bull_trend_in, up=True)]
    if measured.slope < 0:
        more.append(Need("slope", measured.slope, 0.0))
    if measured.volatility > levels.bull_volatility_in:
        more.append(Need("volatility", measured.volatility, levels.bull_volatility_in))
    if measured.breadth is not None and measured.breadth < levels.bull_breadth_in:
        more.append(Need("breadth", measured.breadth, levels.bull_breadth_in))
    return NextStep("BULL", (*more, *_waits(regime, rules)))


def _crisis_ends(measured: Measures, rules: RegimeRules) -> tuple[Need, ...]:
    levels = rules.levels
    if wanted_regime("CRISIS", measured, levels) != "CRISIS":
        return ()
    return (Need("volatility", measured.volatility, levels.crisis_volatility_out),)


def _down(name: RegimeName, regime: Regime, measured: Measures, rules: RegimeRules) -> NextStep:
    """What a more careful regime needs."""
    levels = rules.levels
    if name == "CRISIS":
        needs: list[Need] = []
        if measured.volatility < levels.crisis_volatility_in:
            needs.append(Need("volatility", measured.volatility, levels.crisis_volatility_in))
        if measured.drawdown < levels.crisis_drawdown_in:
            needs.append(Need("drawdown", measured.drawdown, levels.crisis_drawdown_in))
        return NextStep(name, tuple(needs))
    if name == "BEAR":
        more = [*_price(measured, levels.bear_trend_in, up=False)]
        if measured.slope > 0:
            more.append(Need("slope", measured.slope, 0.0))
        return NextStep(name, (*more, *_waits(regime, rules)))
    return NextStep(name, (*_price(measured, levels.bull_trend_out, up=False), *_waits(regime, rules)))


def _price(measured: Measures, level: float, *, up: bool) -> tuple[Need, ...]:
    """The change of the close that takes the trend to a level, the mean being what it is."""
    change = (1 + level) / (1 + measured.trend) - 1
    if (change <= 0) if up else (change >= 0):
        return ()
    return (Need("price", 0.0, change),)


def _waits(regime: Regime, rules: RegimeRules) -> tuple[Need, ...]:
    """The sessions for which the present regime still stays; the coming one counts."""
    left = stay_of(regime.name, rules) - regime.sessions
    return (Need("sessions", float(regime.sessions), float(left)),) if left > 0 else ()
