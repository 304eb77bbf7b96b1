"""Prove that every limit works with the values in force; `doctor` shows the result.

The limits of the pre-trade check are tried by its own self-test. The limits of the plan are tried here, one at a time:
one crafted snapshot is planned twice, with every limit opened wide and with only this one as configured. Whatever the
second plan does not buy was refused by this limit, since nothing else differs; the sale of a holding has to be in it in
any case. Nothing is read or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.band_rules import NoTradeBand
from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Account, Day, Instrument, Position, Quote, Signal, Snapshot
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.execution.pretrade.selftest import HELD, HUGE, NEW, NOW, SESSION, WIDE, Check, opened, pretrade_selftest
from rebalancer.planning import plan

PRICE: Final = Decimal(1)  # USD; so that whole shares are fine-grained enough for any limit
EQUITY: Final = Decimal(10**6)
CENT: Final = Decimal("0.01")
SMALLEST: Final = Decimal("0.01")
PLAN_WIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "execution": {
        **WIDE["execution"], "enabled": True, "close_buffer_seconds": 0, "neutral_signals": "exit",
        "signal_threshold": 0.0, "interval_minutes": 1,
    },
    "position_sizing": {
        **WIDE["position_sizing"], "max_trade_size": Decimal(HUGE**2), "min_trade_size": SMALLEST,
        "max_long_exposure": None, "max_short_exposure": None, "base_position_size": 1e6, "method": "fixed_fraction",
        "confidence_scaling": "proportional", "crypto_floor": None, "volatility_measure": "returns",
        "volatility_scale_min": 1.0, "volatility_scale_max": 1.0, "fractional": False,
        "no_trade_band": NoTradeBand(absolute=0.0, relative=0.0),
    },
    "risk_management": {
        **WIDE["risk_management"], "max_daily_loss": 1.0, "max_drawdown": 1.0, "max_position_risk": float(HUGE),
        "max_trade_heat": float(HUGE), "max_sector_exposure": float(HUGE), "sector_limits": {},
        "max_unknown_sector_exposure": float(HUGE), "max_correlation_exposure": float(HUGE),
        "max_frozen_exposure": float(HUGE), "buying_power_buffer": 0.0, "max_positions": None,
        "max_correlated_positions": None,
        "max_stop_distance": None, "max_overnight_leverage": float(HUGE), "overnight_glide_minutes": 0,
        "flat_by_minutes_before_close": None, "on_breach": "reduce_only",
    },
    "gate": WIDE["gate"],
    "quotes": WIDE["quotes"],
}  # fmt: skip


class Scene(NamedTuple):
    """A snapshot that asks for more than one limit allows; `rules` are the changes of section.key that it needs."""

    snapshot: Snapshot
    rules: Mapping[str, Any] = {}


class PlanProbe(NamedTuple):
    """How one limit of the plan is tried: `scene` builds what it has to refuse, from the rules in force. `off` says
    when a value means that there is no limit. `kept` and `halts` are as in `LimitProbe` of the pre-trade check."""

    scene: Callable[[Rules], Scene]
    off: Callable[[Any], bool] = lambda value: value is None
    kept: tuple[str, ...] = ()
    halts: Callable[[Rules], bool] = lambda _: False


def limit_selftest(rules: Rules) -> tuple[Check, ...]:
    """Try every limit of the pre-trade check and of the plan. One row each, in a fixed order; a limit that is off is
    left out."""
    tried = (_try(key, probe, rules) for key, probe in PLAN_PROBES.items())
    return (*pretrade_selftest(rules), *(check for check in tried if check is not None))


def _try(key: str, probe: PlanProbe, rules: Rules) -> Check | None:
    section, name = key.split(".")
    if probe.off(getattr(getattr(rules, section), name)):
        return None
    scene = probe.scene(rules)
    wide, alone = _opened(rules, (), scene), _opened(rules, (key, *probe.kept), scene)
    without, limited = plan(scene.snapshot, wide), plan(scene.snapshot, alone)
    asked, allowed = _opening(without), _opening(limited)
    refused = ZERO <= allowed < asked
    said = f"${asked:,.2f} asked, ${allowed:,.2f} planned: {_words(limited)}"
    return Check(f"plan: {key}", refused, _reduces(limited), probe.halts(rules), said)


def _opened(rules: Rules, keep: tuple[str, ...], scene: Scene) -> Rules:
    """The rules opened wide except for what is kept, with the scene's own changes."""
    found = opened(rules, PLAN_WIDE, keep)
    for key, value in scene.rules.items():
        if key not in keep:
            section, name = key.split(".")
            found = found.model_copy(update={section: getattr(found, section).model_copy(update={name: value})})
    return found


def _opening(decided: Plan) -> Decimal:
    return sum((order.notional for order in decided.orders if order.phase == "increase"), ZERO)


def _reduces(decided: Plan) -> bool:
    return any(order.phase == "reduce" and order.symbol == HELD for order in decided.orders)


def _words(decided: Plan) -> str:
    """What the plan says about the new name, or about itself when it halted."""
    spoken = [v.because for v in decided.verdicts if v.symbol.startswith(NEW)]
    return str(spoken[-1] if spoken and decided.orders else decided.because)


def _snapshot(rules: Rules, **changes: Any) -> Snapshot:
    """One name to buy without bound, and one to sell; both cost one dollar."""
    least = max(rules.position_sizing.min_trade_size * 2, Decimal(1000))
    account = Account("selftest", EQUITY, EQUITY, EQUITY, EQUITY * HUGE, EQUITY * HUGE, Decimal(4), True)
    base = Snapshot(
        cycle_id="2026-11-20T17:00Z",
        as_of=NOW,
        session=SESSION,
        account=account,
        positions=(Position(HELD, least, least, PRICE),),
        instruments=(_instrument(NEW), _instrument(HELD)),
        quotes=(_quote(NEW), _quote(HELD)),
        signals=(_signal(NEW, 1.0), _signal(HELD, 0.0)),
    )
    return base._replace(**changes)


def _instrument(symbol: str, sector: str | None = None) -> Instrument:
    return Instrument(
        symbol, "us_equity", True, False, True, Decimal(1), CENT, sector or f"sector {symbol}", f"group {symbol}", 0.3
    )


def _quote(symbol: str) -> Quote:
    return Quote(symbol, PRICE, PRICE, PRICE, NOW)


def _signal(symbol: str, score: float, stop: Decimal | None = None) -> Signal:
    return Signal(f"signal {symbol}", symbol, score, 1.0, "selftest", NOW, stop)


def _plain(rules: Rules) -> Scene:
    """The signal asks for a million times the capital: more than any limit allows."""
    return Scene(_snapshot(rules))


def _short(rules: Rules) -> Scene:
    signals = (_signal(NEW, -1.0), _signal(HELD, 0.0))
    return Scene(_snapshot(rules, signals=signals), {"position_sizing.allow_short": True})


def _tiny(rules: Rules) -> Scene:
    capital = EQUITY * Decimal(str(rules.position_sizing.capital_scaling))
    half = rules.position_sizing.min_trade_size / 2 / capital
    cheap = Quote(NEW, CENT, CENT, CENT, NOW)
    snapshot = _snapshot(rules, quotes=(cheap, _quote(HELD)))
    return Scene(snapshot, {"position_sizing.base_position_size": float(half)})


def _lost(rules: Rules) -> Scene:
    keep = 1 - Decimal(str(rules.risk_management.max_daily_loss))
    snapshot = _snapshot(rules)
    return Scene(snapshot._replace(account=snapshot.account._replace(equity=EQUITY * keep)))


def _down(rules: Rules) -> Scene:
    keep = 1 - Decimal(str(rules.risk_management.max_drawdown))
    snapshot = _snapshot(rules)
    account = snapshot.account._replace(equity=EQUITY * keep, last_equity=EQUITY * keep)
    return Scene(snapshot._replace(account=account))


def _stopped_far(rules: Rules) -> Scene:
    most = rules.risk_management.max_stop_distance
    distance = CENT if most is None else (1 - Decimal(str(most))) / 2  # beyond the limit, but still above zero
    signals = (_signal(NEW, 1.0, distance), _signal(HELD, 0.0))
    return Scene(_snapshot(rules, signals=signals))


def _no_sector(rules: Rules) -> Scene:
    unknown = _instrument(NEW)._replace(sector=None)
    return Scene(_snapshot(rules, instruments=(unknown, _instrument(HELD))))


def _own_sector(rules: Rules) -> Scene:
    name = next(iter(rules.risk_management.sector_limits))
    return Scene(_snapshot(rules, instruments=(_instrument(NEW, name), _instrument(HELD))))


def _day(rules: Rules) -> Scene:
    risk = rules.risk_management
    sent = risk.max_orders_per_day - int(risk.max_orders_per_day * risk.reserved_order_fraction)
    return Scene(_snapshot(rules, day=Day(sent, {})))


def _symbol(rules: Rules) -> Scene:
    most = rules.risk_management.max_orders_per_symbol_per_day
    return Scene(_snapshot(rules, day=Day(most, {NEW: most})))


def _many(rules: Rules) -> Scene:
    names = [f"{NEW}{n}" for n in range(rules.execution.max_orders_per_execution)]
    return Scene(
        _snapshot(
            rules,
            instruments=(*(_instrument(n) for n in names), _instrument(HELD)),
            quotes=(*(_quote(n) for n in names), _quote(HELD)),
            signals=(*(_signal(n, 1.0) for n in names), _signal(HELD, 0.0)),
        ),
        {"position_sizing.base_position_size": 0.001},
    )


def _full(rules: Rules) -> Scene:
    return _crowd(rules, (rules.risk_management.max_positions or 1) - 1)


def _alike(rules: Rules) -> Scene:
    scene = _crowd(rules, (rules.risk_management.max_correlated_positions or 1) - 1)
    alike = tuple(i._replace(correlation_group="group") for i in scene.snapshot.instruments)
    return Scene(scene.snapshot._replace(instruments=alike))


def _crowd(rules: Rules, count: int) -> Scene:
    names = [f"OLD{n}" for n in range(count)]
    snapshot = _snapshot(rules)
    return Scene(
        snapshot._replace(
            positions=(*(Position(n, Decimal(1), Decimal(1), PRICE) for n in names), *snapshot.positions),
            instruments=(*(_instrument(n) for n in names), *snapshot.instruments),
            quotes=(*(_quote(n) for n in names), *snapshot.quotes),
        )
    )


def _unexplained(rules: Rules) -> Scene:
    capital = EQUITY * Decimal(str(rules.position_sizing.capital_scaling))
    odd = (Decimal(str(rules.risk_management.max_frozen_exposure)) * capital + 1).to_integral_value() + 1
    snapshot = _snapshot(rules)
    return Scene(
        snapshot._replace(
            positions=(Position("ODD", odd, odd, PRICE), *snapshot.positions),
            instruments=(_instrument("ODD"), *snapshot.instruments),
            quotes=(_quote("ODD"), *snapshot.quotes),
            expected_positions={HELD: snapshot.positions[0].qty},
        )
    )


def _poor(rules: Rules) -> Scene:
    snapshot = _snapshot(rules)
    return Scene(snapshot._replace(account=snapshot.account._replace(buying_power=EQUITY, cash=EQUITY)))


def _late(rules: Rules) -> Scene:
    minutes = rules.risk_management.flat_by_minutes_before_close or 1
    at = SESSION.close - timedelta(minutes=minutes)
    snapshot = _snapshot(rules, as_of=at)
    return Scene(
        snapshot._replace(
            quotes=tuple(q._replace(at=at) for q in snapshot.quotes),
            signals=tuple(s._replace(issued_at=at) for s in snapshot.signals),
        )
    )


def _risk(key: str) -> str:
    return f"risk_management.{key}"


def _size(key: str) -> str:
    return f"position_sizing.{key}"


PLAN_PROBES: Final[Mapping[str, PlanProbe]] = {
    _size("max_position_size"): PlanProbe(_plain),
    _size("max_total_exposure"): PlanProbe(_plain),
    _size("max_long_exposure"): PlanProbe(_plain),
    _size("max_short_exposure"): PlanProbe(_short),
    _size("min_trade_size"): PlanProbe(_tiny),
    _size("max_trade_size"): PlanProbe(_plain),
    _size("max_order_value"): PlanProbe(_plain),
    _risk("max_daily_loss"): PlanProbe(_lost, off=lambda value: value >= 1),
    _risk("max_drawdown"): PlanProbe(_down, off=lambda value: value >= 1),
    _risk("max_position_risk"): PlanProbe(_plain),
    _risk("max_trade_heat"): PlanProbe(_plain),
    _risk("max_sector_exposure"): PlanProbe(_plain),
    _risk("sector_limits"): PlanProbe(_own_sector, off=lambda value: not value),
    _risk("max_unknown_sector_exposure"): PlanProbe(_no_sector),
    _risk("max_correlation_exposure"): PlanProbe(_plain),
    _risk("max_orders_per_day"): PlanProbe(_day, kept=(_risk("reserved_order_fraction"),)),
    _risk("max_orders_per_symbol_per_day"): PlanProbe(_symbol),
    "execution.max_orders_per_execution": PlanProbe(_many, off=lambda value: value == 0),
    _risk("max_frozen_exposure"): PlanProbe(_unexplained, halts=lambda _: True),
    _risk("buying_power_buffer"): PlanProbe(_poor, off=lambda value: value == 0),
    _risk("max_positions"): PlanProbe(_full),
    _risk("max_correlated_positions"): PlanProbe(_alike),
    _risk("max_stop_distance"): PlanProbe(_stopped_far, off=lambda value: value is None or value >= 1),
    _risk("max_overnight_leverage"): PlanProbe(_plain),
    _risk("flat_by_minutes_before_close"): PlanProbe(_late),
}
