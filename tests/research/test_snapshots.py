"""Live planning on rebuilt snapshots: it plans as the closed form says, and never with what comes later."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.codec import rules_text, snapshot_text
from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Account, Position, Quote, Session
from rebalancer.core.rules import Rules
from rebalancer.core.snapshot import Snapshot
from rebalancer.market_data.sectors import SectorRow
from rebalancer.market_data.statistics import correlation_groups, volatilities
from rebalancer.planning import plan
from rebalancer.research.bar_times import moment_at
from rebalancer.research.market import CostModel, Instructions, Market, SimulatedAccount
from rebalancer.research.presets import with_preset
from rebalancer.research.price_files import rows_of
from rebalancer.research.reference_columns import linked, reference_columns
from rebalancer.research.snapshots import price_decimals, price_of, session_at, snapshot_at
from tests.research.setups import random_market, random_weights, setup_of
from tests.research.stand_in import replayed
from tests.research.truncation import cut, looks_ahead

NAN = float("nan")


def test_bare_without_costs_grows_as_the_weights_say() -> None:
    market = random_market(60, 5)
    weights = random_weights(market)
    result, _ = replayed(setup_of(market, weights))
    returns = market.close[1:] / market.close[:-1] - 1
    expected = 100_000 * np.cumprod(np.append(1.0, 1 + (weights[:-1] * returns).sum(axis=1)))
    np.testing.assert_allclose(result.equity, expected, rtol=1e-6)


@pytest.mark.parametrize("gross", [0.5, 1.0, 2.5])
def test_bare_reaches_every_weight_at_every_bar(gross: float) -> None:
    market = random_market(20, 8, seed=3)
    weights = random_weights(market, gross=gross)
    result, run = replayed(setup_of(market, weights))
    assert {found.outcome for found in run.plans.values()} == {"COMPLETED"}
    assert result.outcomes == {"PLANNED": 160}
    held = {
        s: float(q * price_of(float(market.close[-1][i])))
        for i, s in enumerate(market.symbols)
        for q in [run.shares[s]]
    }
    np.testing.assert_allclose(list(held.values()), weights[-1] * result.equity[-1], rtol=1e-6)


def test_a_snapshot_is_a_whole_one() -> None:
    market = random_market(60, 3, gaps=0.0)
    market.close[59, 1] = NAN
    weights = np.tile([0.5, 0.25, NAN], (60, 1))
    sectors = {"SAA": SectorRow("Technology", "g1", "x", date(2024, 1, 1))}
    setup = setup_of(market, weights, sectors=sectors)
    account = SimulatedAccount(
        Decimal(1000), {"SAB": Decimal("2.5"), "SAC": Decimal(-1)}, Decimal(900), Decimal(2000), 3, {"SAB": 3}
    )
    found = snapshot_at(setup, 59, account)
    prices = [price_of(float(p)) for p in (market.close[59, 0], market.close[58, 1], market.close[59, 2])]
    equity = 1000 + Decimal("2.5") * prices[1] - prices[2]
    gross = Decimal("2.5") * prices[1] + prices[2]
    as_of = moment_at(int(market.times[59]))
    assert found.account == Account(
        "backtest", equity, Decimal(900), Decimal(2000), Decimal(1000), 1000 * equity - gross, Decimal(1000), True
    )
    assert found.positions == (
        Position("SAB", Decimal("2.5"), Decimal("2.5"), prices[1]),
        Position("SAC", Decimal(-1), Decimal(-1), prices[2]),
    )
    assert found.quotes == (
        Quote("SAA", prices[0], prices[0], prices[0], as_of),
        Quote("SAB", None, None, prices[1], as_of),
        Quote("SAC", prices[2], prices[2], prices[2], as_of),
    )
    assert [(s.symbol, s.target) for s in found.signals] == [("SAA", Decimal("0.5")), ("SAB", Decimal("0.25"))]
    assert [(i.sector, i.correlation_group) for i in found.instruments] == [
        ("Technology", "g1"),
        (None, None),
        (None, None),
    ]
    assert all(i.volatility is not None for i in found.instruments)
    outcomes = {v.symbol: str(v.outcome) for v in plan(found, setup.rules).verdicts}
    assert outcomes == {"SAA": "PLANNED", "SAB": "REJECTED_NO_PRICE"}
    assert Snapshot.from_json(snapshot_text(found)) == found


def test_scores_become_signals() -> None:
    market = random_market(3, 2)
    said = Instructions("scores", np.array([[NAN, NAN], [0.5, -1], [NAN, NAN]]), np.full((3, 2), 0.9))
    setup = setup_of(market, said.value, preset=None)._replace(instructions=said)
    found = snapshot_at(setup, 1, SimulatedAccount(Decimal(100_000)))
    assert [(s.symbol, s.score, s.confidence, s.target) for s in found.signals] == [
        ("SAA", 0.5, 0.9, None),
        ("SAB", -1.0, 0.9, None),
    ]
    assert plan(found, setup.rules).outcome == "COMPLETED"


def test_sessions() -> None:
    inside = session_at(datetime(2026, 11, 20, 15, 35, tzinfo=UTC), 60)
    assert inside == Session(True, datetime(2026, 11, 20, 14, 30, tzinfo=UTC), datetime(2026, 11, 20, 21, tzinfo=UTC))
    half = session_at(datetime(2026, 11, 27, 17, 0, tzinfo=UTC), 60)
    assert half.close == datetime(2026, 11, 27, 18, tzinfo=UTC)
    for moment in (
        datetime(2026, 11, 20, 21, tzinfo=UTC),
        datetime(2026, 11, 21, 15, tzinfo=UTC),
        datetime(2026, 11, 27, 18, 30, tzinfo=UTC),
        datetime(2026, 11, 20, 3, tzinfo=UTC),
    ):
        session = session_at(moment, 60)
        assert session.open <= moment < session.close
        assert (session.close - moment).total_seconds() == 60


def test_reference_columns_are_the_live_statistics_of_earlier_days() -> None:
    market = random_market(200, 6, gaps=0.02)
    market.close[:, 1] = market.close[:, 0] * 1.5
    found = reference_columns(market, {}, Rules())
    for day in (0, 40, 41, 42, 126, 189):
        days = tuple(date.fromordinal(int(d)) for d in market.day[:day])
        closes = DailyCloses(
            market.symbols, days, {s: tuple(market.close[:day, i].tolist()) for i, s in enumerate(market.symbols)}
        )
        live = volatilities(closes)
        np.testing.assert_allclose(
            found.volatility[day], [live.get(s, NAN) for s in market.symbols], atol=2e-6, equal_nan=True
        )
        if day % 21 == 0:
            groups = correlation_groups(closes, Rules().risk_management.correlation_threshold)
            named = [market.symbols[i] if i >= 0 else None for i in found.cluster[day].tolist()]
            assert named == [groups.get(s) for s in market.symbols]


def test_groups_link_through_others() -> None:
    draw = np.random.default_rng(5)
    a, b = draw.normal(size=(2, 60))
    returns = np.column_stack([a, a + 0.9 * b, b + 0.5 * a, draw.normal(size=60)])
    assert linked(returns, 0.6).tolist() == [0, 0, 0, 3]


def test_nothing_depends_on_what_comes_later() -> None:
    market = random_market(90, 4, gaps=0.05)
    weights = random_weights(market)
    costs = CostModel(half_spread_bps=2)
    for preset, fill in (("bare", "same_close"), (None, "next_close")):
        whole, run = replayed(setup_of(market, weights, preset=preset, fill=fill, costs=costs))  # type: ignore[arg-type]
        for bar in (0, 1, 43, 70, 88):
            short, part = replayed(
                setup_of(cut(market, bar), weights[: bar + 1], preset=preset, fill=fill, costs=costs)  # type: ignore[arg-type]
            )
            assert {t: p.to_json() for t, p in run.plans.items() if t <= bar} == {
                t: p.to_json() for t, p in part.plans.items()
            }
            assert whole.equity[: bar + 1].tolist() == short.equity.tolist()


def momentum(market: Market) -> Instructions:
    value = np.full(market.close.shape, NAN)
    value[5:] = np.sign(market.close[5:] - market.close[:-5])
    return Instructions("scores", value)


def centred(market: Market) -> Instructions:
    """A planted look-ahead: the mean is of all bars."""
    return Instructions("scores", np.sign(market.close - market.close.mean(axis=0)))


def tomorrow(market: Market) -> Instructions:
    """A planted look-ahead of one bar."""
    value = np.full(market.close.shape, NAN)
    value[:-1] = np.sign(market.close[1:] - market.close[:-1])
    return Instructions("scores", value)


def test_a_planted_look_ahead_is_caught() -> None:
    market = random_market(60, 3)
    bars = range(6, 59, 7)
    assert looks_ahead(momentum, market, bars) == []
    assert looks_ahead(centred, market, bars)
    assert looks_ahead(tomorrow, market, bars) == list(bars)


def test_bare_is_text_and_a_fixed_point() -> None:
    rules, terms = with_preset(Rules(), "bare")
    assert with_preset(rules, "bare")[0] == rules
    assert '"capital_scaling":1.0' in rules_text(rules)
    assert terms.venue.collar_high == 1
    with pytest.raises(BadDocument, match="there is no preset 'naked'"):
        with_preset(Rules(), "naked")


def test_prices_keep_their_decimals() -> None:
    assert [price_of(123.456789012), price_of(0.0123456789012, 9)] == [Decimal("123.456789"), Decimal("0.012345679")]
    market = random_market(3, 3)
    market.close[1] = [0.005, 0.005, NAN]
    market.close[2, 1] = 5000
    assert price_decimals(market).tolist() == [9, 6, 6]


def test_rows_keep_the_ends_of_days() -> None:
    market = random_market(4, 1)
    assert rows_of(market, slice(1, 3)).is_last_of_day.tolist() == [True, True]
