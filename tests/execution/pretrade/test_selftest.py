"""The self-test covers every limit there is, agrees with limits that work, and notices those that do not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.facts import Snapshot, TradingCosts
from rebalancer.core.rules import Rules
from rebalancer.execution.pretrade import verdict
from rebalancer.execution.pretrade.selftest import PROBES, pretrade_selftest
from rebalancer.market_data.statistics import correlation_groups
from rebalancer.planning import plan
from rebalancer.session import selftest
from rebalancer.session.selftest import PLAN_PROBES, limit_selftest

D = Decimal
SECTIONS = ("gate", "position_sizing", "risk_management")
EVERY_LIMIT_SET = {
    "position_sizing": {"max_long_exposure": 0.5, "max_short_exposure": 0.2},
    "risk_management": {
        "sector_limits": {"Technology": 0.2}, "max_unknown_sector_exposure": 0.1, "max_positions": 20,
        "max_correlated_positions": 5,
        "max_stop_distance": 0.1, "flat_by_minutes_before_close": 15,
    },
}  # fmt: skip
# Numbers that are no limits: each with two values that must not give the same plan.
PARAMETERS: Mapping[str, tuple[Any, Any]] = {
    "position_sizing.capital_scaling": (1.0, 2.0),
    "position_sizing.base_position_size": (0.05, 0.1),
    "position_sizing.volatility_target": (0.2, 0.3),
    "position_sizing.crypto_floor": (None, 1.0),
    "position_sizing.volatility_scale_min": (0.4, 0.6),
    "position_sizing.volatility_scale_max": (1.2, 1.6),
    "position_sizing.no_trade_band.absolute": (0.001, 0.3),
    "position_sizing.no_trade_band.relative": (0.01, 1.0),
    "position_sizing.no_trade_band.risk_aversion": (100.0, 0.5),
    "risk_management.reserved_order_fraction": (0.0, 1.0),
    "risk_management.default_stop_distance": (0.03, 0.5),
    "risk_management.assumed_volatility": (1.0, 5.0),
    "risk_management.overnight_glide_minutes": (60, 0),
}
BY_READING = {"risk_management.correlation_threshold"}  # used where groups are made, before any plan


def numeric_keys() -> set[str]:
    """Every key of the three sections that a person sets to a number, alone or by name."""
    found: set[str] = set()
    for section in SECTIONS:
        model: BaseModel = getattr(Rules(), section)
        for name, value in model.model_dump().items():
            if isinstance(value, dict) and name == "no_trade_band":
                found |= {f"{section}.{name}.{key}" for key, one in value.items() if not isinstance(one, str)}
            elif not isinstance(value, (str, bool)):
                found.add(f"{section}.{name}")
    return found


def test_every_numeric_key_is_a_limit_that_is_tried_or_a_parameter_that_is_used() -> None:
    limits = {key for key in (*PROBES, *PLAN_PROBES) if key.split(".")[0] in SECTIONS}
    assert limits.isdisjoint(PARAMETERS)
    assert numeric_keys() == limits | set(PARAMETERS) | BY_READING


def test_every_limit_holds_as_configured_by_default() -> None:
    rows = limit_selftest(Rules())
    assert [row for row in rows if not row.holds] == []
    assert {row.limit for row in rows if row.halts} == {
        "gate.max_orders_per_minute", "plan: risk_management.max_frozen_exposure"
    }  # fmt: skip


def test_every_limit_holds_when_all_of_them_are_set() -> None:
    rows = limit_selftest(Rules.model_validate(EVERY_LIMIT_SET))
    assert [row for row in rows if not row.holds] == []
    assert [row.limit for row in rows] == [*PROBES, *(f"plan: {key}" for key in PLAN_PROBES)]


@settings(max_examples=15, deadline=None)
@given(
    share=st.sampled_from([0.01, 0.37, 1.0]),
    count=st.integers(0, 40),
    money=st.sampled_from(["250", "9999.99", "1000000"]),
    scaling=st.sampled_from([0.5, 1.0, 4.0]),
)
def test_every_limit_holds_whatever_its_value(share: float, count: int, money: str, scaling: float) -> None:
    rules = Rules.model_validate(
        {
            "execution": {"max_orders_per_execution": count},
            "position_sizing": {
                "capital_scaling": scaling, "max_position_size": share, "max_total_exposure": share,
                "max_long_exposure": share, "max_short_exposure": share, "max_trade_size": money,
                "max_order_value": money,
            },
            "risk_management": {
                "max_daily_loss": share, "max_drawdown": share, "max_position_risk": share, "max_trade_heat": share,
                "max_sector_exposure": share, "sector_limits": {"Technology": share}, "max_orders_per_day": count,
                "max_correlation_exposure": share, "max_orders_per_symbol_per_day": count, "max_positions": count,
                "max_correlated_positions": count,
                "max_unknown_sector_exposure": share, "max_frozen_exposure": share, "max_stop_distance": share,
                "max_overnight_leverage": share, "flat_by_minutes_before_close": 1 + count,
            },
            "gate": {
                "max_order_quantity": money, "max_orders_per_minute": count, "max_price_move": share,
                "duplicate_window_seconds": 1 + count,
            },
            "quotes": {"max_spread": share, "max_age_seconds": 1 + count},
        }
    )  # fmt: skip
    assert [row for row in limit_selftest(rules) if not row.holds] == []


@pytest.mark.parametrize("key", PROBES)
def test_a_check_that_is_missing_is_noticed(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    name = {"quote": "fresh_quote"}.get(PROBES[key].refusal, PROBES[key].refusal)
    for checks in ("GUARDS", "CEILINGS"):
        left = tuple(check for check in getattr(verdict, checks) if check.__name__ != name)
        monkeypatch.setattr(verdict, checks, left)
    assert [row.limit for row in pretrade_selftest(Rules()) if not row.refused and row.limit == key] == [key]


def test_a_check_that_stops_reductions_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "GUARDS", (*verdict.GUARDS, *verdict.CEILINGS))
    stopped = [row.limit for row in pretrade_selftest(Rules()) if not row.holds]
    assert stopped == ["risk_management.max_orders_per_day", "execution.max_orders_per_execution"]


@pytest.mark.parametrize("key", PLAN_PROBES)
def test_a_plan_that_ignores_a_limit_is_noticed(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    section, name = key.split(".")

    def deaf(snapshot: Snapshot, rules: Rules) -> Any:
        wide = selftest.PLAN_WIDE[section][name]
        return plan(
            snapshot, rules.model_copy(update={section: getattr(rules, section).model_copy(update={name: wide})})
        )

    monkeypatch.setattr(selftest, "plan", deaf)
    rules = Rules.model_validate(EVERY_LIMIT_SET)
    assert [row.limit for row in limit_selftest(rules) if not row.refused] == [f"plan: {key}"]


@pytest.mark.parametrize("key", PARAMETERS)
def test_every_parameter_changes_a_plan(key: str) -> None:
    rules = Rules.model_validate({"position_sizing": {"max_trade_size": "10000000", "max_order_value": "10000000"}})
    first, second = (plan(scene(key), with_value(rules, key, value)).orders for value in PARAMETERS[key])
    assert first != second


def with_value(rules: Rules, key: str, value: Any) -> Rules:
    document = rules.model_dump()
    *path, name = key.split(".")
    place = document
    for part in path:
        place = place[part]
    place[name] = value
    if key.startswith("position_sizing.volatility_scale"):
        document["risk_management"]["max_position_risk"] = 1.0
    if key == "risk_management.overnight_glide_minutes":
        document["risk_management"]["max_overnight_leverage"] = 0.05
    if name == "risk_aversion":
        place["width"] = "cost"
    return Rules.model_validate(document)


def scene(key: str) -> Snapshot:
    """A snapshot in which this parameter matters."""
    base = selftest._snapshot(Rules())
    new, held = base.instruments
    if key == "position_sizing.volatility_scale_min":
        new = new._replace(volatility=3.0)
    if key == "position_sizing.volatility_scale_max":
        new = new._replace(volatility=0.01)
    if key == "risk_management.assumed_volatility":
        new = new._replace(volatility=None)
    if key == "position_sizing.crypto_floor":
        new = new._replace(asset_class="crypto", fractionable=True, lot=D("0.0001"))
        dear = base.quotes[0]._replace(bid=D(20_000), ask=D(20_000), last=D(20_000))
        base = base._replace(quotes=(dear, *base.quotes[1:]))
    base = base._replace(instruments=(new, held))
    if key == "risk_management.reserved_order_fraction":
        return base._replace(day=base.day._replace(orders_sent=50))
    if key.startswith("position_sizing.no_trade_band"):
        held = D(160_000 if key.endswith("risk_aversion") else 15_000)
        some = base.positions[0]._replace(symbol=selftest.NEW, qty=held, qty_available=held)
        costs = TradingCosts(base.as_of.date(), 40, 200.0)
        return base._replace(positions=(*base.positions, some), trading_costs=costs)
    return base


def test_the_correlation_threshold_makes_groups() -> None:
    prices = np.random.default_rng(7).normal(size=(2, 120))
    moves = {"AAA": prices[0], "BBB": prices[0] + prices[1]}  # correlated by about 0.7
    days = tuple(date(2026, 1, 1) + timedelta(days=n) for n in range(120))
    closes = {symbol: tuple((100 * np.exp(np.cumsum(m * 0.01))).tolist()) for symbol, m in moves.items()}
    daily = DailyCloses(("AAA", "BBB"), days, closes)
    assert len(set(correlation_groups(daily, 0.3).values())) == 1
    assert len(set(correlation_groups(daily, 0.95).values())) != 1


def test_an_unknown_limit_is_an_error() -> None:
    with pytest.raises(ValidationError, match="max_orders_per_minit"):
        Rules.model_validate({"gate": {"max_orders_per_minit": 5}})
