"""The world of one seed: what it trades by which rules, what goes wrong and how often. Swarm: each seed switches on a
random subset of the faults, at random rates, so that rare combinations come up and common ones do not hide them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from rebalancer.core.facts import Signal
from rebalancer.core.rules import Rules
from rebalancer.exchange.faults.rules import Rule
from rebalancer.exchange.state import Behaviour
from tests.sim.draws import stream
from tests.sim.venue import Wire
from tests.support.rig import rules as wide_rules

POOL = (
    "AAPL", "MSFT", "NVDA", "JPM", "V", "XOM", "CVX", "KO", "WMT", "COST", "JNJ", "UNH", "CAT", "HON", "DUK", "NEE",
)  # fmt: skip
# Mondays to Fridays, half days, both changes of the clocks, a holiday next door, the last of a year.
DAYS = (
    "2026-11-20", "2026-11-19", "2026-11-25", "2026-11-27", "2025-03-07", "2025-10-31", "2025-07-02", "2025-07-03",
    "2026-12-23", "2026-12-24", "2025-12-31", "2026-02-27", "2024-02-28", "2026-11-17",
)  # fmt: skip
POSTS = ("not_sent", "lost", "booked_lost", "late", "twice", "429", "5xx", "malformed", "truncated")
OTHERS = ("not_sent", "lost", "429", "5xx", "malformed", "truncated")
ACTIONS = (
    "crash", "kill", "deposit", "withdraw", "human_trade", "human_cancel", "human_order", "split", "dividend", "halt",
    "config", "skew", "old_copy", "disk_full", "disk_locked", "outage", "double_fire", "missing_fires", "sleep",
    "odd_signals", "restart",
)  # fmt: skip


EXECUTES = (0.0, 0.0, 0.2, 0.5)


class Scenario(NamedTuple):
    """Everything that is decided before the first cycle."""

    seed: int
    start: datetime
    symbols: tuple[str, ...]
    rules: Rules
    behaviour: Behaviour
    wire: Wire
    venue_faults: tuple[Rule, ...]
    actions: dict[str, float]
    cycles: int
    twin: bool
    rivals: int  # instances on one machine that start at once
    cash: Decimal
    limits: str
    executes: float = 0.0  # how likely a further request comes by `execute` between two slots


def scenario_of(seed: int) -> Scenario:
    """The world of a seed."""
    d = stream(seed, "scenario")
    calm = d.random() < 0.1  # some histories have nothing but crashes in them, some nothing at all
    actions = {} if calm and d.random() < 0.3 else _some(d, ACTIONS, 0.35, (0.02, 0.06, 0.15))
    if d.random() < 0.7:
        actions["crash"] = d.choice((0.05, 0.15, 0.35))
    day = datetime.fromisoformat(d.choice(DAYS)).replace(tzinfo=UTC)
    start = day + timedelta(minutes=d.choice((14 * 60 + 20, 15 * 60, 16 * 60, 17 * 60 + 30, 19 * 60, 20 * 60 + 30)))
    twin = d.random() < 0.06
    limits = d.choice(("wide", "tight", "default", "wide"))
    return Scenario(
        seed=seed,
        start=start,
        symbols=tuple(sorted(d.sample(POOL, d.randint(4, 8)))),
        rules=rules_of(d, limits),
        behaviour=Behaviour(
            fill_latency_seconds=d.choice((0.0, 0.04, 0.04, 0.5, 5.0, 15.0, 45.0)),
            partial_fill_probability=d.choice((0.0, 0.1, 0.5)),
            multiplier=d.choice((1, 2, 2, 4)),
            charges=d.random() < 0.3,
        ),
        wire=Wire(
            posts={} if calm else _some(d, POSTS, 0.35, (0.02, 0.1, 0.3)),
            others={} if calm else _some(d, OTHERS, 0.25, (0.005, 0.02, 0.1)),
            latency_seconds=d.choice((0.01, 0.05, 0.4)),
        ),
        venue_faults=() if calm else venue_faults(d),
        actions=actions,
        cycles=d.randint(10, 80),
        twin=twin,
        rivals=1 if twin else d.choice((1, 1, 1, 1, 2, 3)),
        cash=Decimal(d.choice((5_000, 30_000, 100_000, 100_000, 1_000_000))),
        limits=limits,
        executes=0.0 if twin else stream(seed, "how many executes").choice(EXECUTES),
    )


def rules_of(d: random.Random, limits: str) -> Rules:
    """Random rules: wide ones, the defaults, or ones that bind all the time."""
    changes: dict[str, Any] = {
        "execution__order_type": d.choice(("market", "market", "limit")),
        "execution__phase_timeout_seconds": d.choice((5, 30)),
        "execution__cancel_timeout_seconds": d.choice((2, 10)),
        "execution__unsignalled_positions": d.choice(("hold", "hold", "exit")),
        "position_sizing__allow_short": d.random() < 0.25,
        "position_sizing__fractional": d.random() < 0.2,
        "position_sizing__capital_scaling": d.choice((1.0, 2.0, 2.0)),
        "position_sizing__method": d.choice(("fixed_fraction", "proportional", "inverse_volatility", "equal")),
        "broker__total_timeout_seconds": d.choice((10, 30)),
        "broker__read_timeout_seconds": d.choice((5, 20)),
        "risk_management__on_breach": d.choice(("reduce_only", "flatten")),
    }
    if limits == "tight":
        changes |= {
            "execution__max_orders_per_execution": d.choice((1, 3, 6)),
            "risk_management__max_orders_per_day": d.choice((8, 20, 60)),
            "risk_management__max_orders_per_symbol_per_day": d.choice((2, 4, 10)),
            "risk_management__max_sector_exposure": d.choice((0.1, 0.2)),
            "risk_management__max_correlation_exposure": d.choice((0.1, 0.3)),
            "position_sizing__max_total_exposure": d.choice((0.2, 0.5)),
            "position_sizing__max_position_size": d.choice((0.04, 0.08)),
            "position_sizing__max_trade_size": d.choice(("2000", "8000")),
            "risk_management__max_daily_loss": d.choice((0.003, 0.02)),
        }
    if limits == "default":
        plain = {name: value for name, value in changes.items() if not name.startswith("risk_management")}
        document: dict[str, dict[str, Any]] = {"broker": {"requests_per_minute": 10_000}}
        for name, value in plain.items():
            section, _, key = name.partition("__")
            document.setdefault(section, {})[key] = value
        return Rules.model_validate(document)
    return wide_rules(**changes)


def venue_faults(d: random.Random) -> tuple[Rule, ...]:
    """Faults inside the exchange."""
    rate = d.choice((0.02, 0.1, 0.3))
    few = d.choice((0.01, 0.03))
    lag = d.choice((2.0, 10.0, 60.0))
    reason = d.choice(
        ("buying_power", "wash_trade", "day_trading", "not_tradable", "duplicate_id", "cannot_short", "internal")
    )
    account = "/v2/account"
    human = {"symbol": "AAPL", "qty": "3", "side": d.choice(("buy", "sell")), "type": "market", "time_in_force": "day"}
    odd = {"field": "status", "value": "held_up"}
    rules = [
        Rule("partial", "partial_fill", probability=rate),
        Rule("race", "cancel_race", probability=d.choice((0.3, 1.0)), parameters={"partial": d.random() < 0.5}),
        Rule("venue", "venue_reject", probability=rate),
        Rule("stale", "stale_quote", probability=rate, parameters={"seconds": 900.0}),
        Rule("old", "stale_price", probability=few, parameters={"seconds": 90_000.0}),
        Rule("crossed", "crossed_quote", probability=rate),
        Rule("zero", "zero_quote", probability=few),
        Rule("absurd", "absurd_quote", probability=few, parameters={"factor": d.choice((100.0, 0.01))}),
        Rule("plag", "positions_lag", "GET", "/v2/positions", probability=rate, parameters={"seconds": lag}),
        Rule("olag", "orders_lag", "GET", "/v2/orders*", probability=rate, parameters={"seconds": lag}),
        Rule("flags", "account_flags", "*", "/v2/*", probability=few, parameters={"set": {"trading_blocked": True}}),
        Rule("skew", "clock_skew", "*", "/v2/*", probability=few, parameters={"seconds": d.choice((-20.0, 25.0))}),
        Rule("refuse", "refuse", "POST", "/v2/orders", probability=rate, parameters={"reason": reason}),
        Rule("equity", "set_field", "GET", account, probability=few, parameters={"field": "equity", "value": "0"}),
        Rule("wild", "set_field", "GET", account, probability=few, parameters={"field": "equity", "value": "1e15"}),
        Rule("power", "set_field", "GET", account, probability=few, parameters={"field": "buying_power", "value": "0"}),
        Rule("word", "unknown_enum", "GET", "/v2/orders*", probability=few, parameters=odd),
        Rule("gap", "missing_field", "GET", "/v2/positions", probability=few, parameters={"field": "qty"}),
        Rule("human", "human_trade", "POST", "/v2/orders", probability=few, parameters={"order": human}),
    ]  # fmt: skip
    return tuple(rule for rule in rules if d.random() < 0.2)


def signals_of(
    d: random.Random, symbols: tuple[str, ...], now: datetime, number: int, *, odd: bool
) -> tuple[Signal, ...]:
    """The opinions of one cycle; odd ones are stale, doubled, unsure, about nothing, or contradict themselves."""
    found = []
    for symbol in symbols:
        if d.random() < 0.15:
            continue
        score = d.choice((1.0, 1.0, 0.6, 0.3, 0.0, 0.0, -0.5, -1.0))
        age = timedelta(seconds=1)
        confidence = 1.0
        if odd:
            age = d.choice((age, age, timedelta(hours=3), timedelta(seconds=-600)))
            confidence = d.choice((1.0, 1.0, 0.5, 0.01))
        found.append(Signal(f"s{number}-{symbol}", symbol, score, confidence, "external", now - age))
        if odd and d.random() < 0.1:
            found.append(found[-1] if d.random() < 0.5 else found[-1]._replace(id=f"t{number}-{symbol}", score=-score))
        if odd and d.random() < 0.02:
            found.append(found[-1]._replace(score=0.123))
    if odd and d.random() < 0.2:
        found.append(Signal(f"s{number}-x", "ZZZZ", 1.0, 1.0, "external", now))
    return tuple(found)


def _some(d: random.Random, names: tuple[str, ...], share: float, rates: tuple[float, ...]) -> dict[str, float]:
    return {name: d.choice(rates) for name in names if d.random() < share}
