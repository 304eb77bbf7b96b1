"""Crypto fees: who is maker, who is taker, and what 30 days of volume change."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.crypto_fees import TIERS, tier_of
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.positions import get_position
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import DAY, cents, last, send, state

BTC = {"symbol": "BTC/USD", "time_in_force": "gtc"}


def kept(exchange: Exchange, bought: str) -> Decimal:
    """The fraction of a purchase that arrives."""
    return Decimal(str(get_position(exchange, "BTCUSD")["qty"])) / Decimal(bought)


def test_a_limit_order_that_waits_for_its_price_pays_as_maker(exchange: Exchange) -> None:
    order = send(
        exchange, qty="0.1", type="limit", limit_price=cents(last(exchange, "BTC/USD") * Decimal("0.995")), **BTC
    )
    exchange.clock.advance(1)
    assert state(exchange, order)["status"] == "new"
    exchange.clock.advance(5 * DAY)
    assert state(exchange, order)["status"] == "filled"
    assert kept(exchange, "0.1") == 1 - Decimal("0.0015")


@pytest.mark.parametrize("kind", [{"type": "market"}, {"type": "limit", "limit_price": "200000"}])
def test_an_order_that_trades_on_arrival_pays_as_taker(exchange: Exchange, kind: dict[str, str]) -> None:
    send(exchange, qty="0.1", **kind, **BTC)
    exchange.clock.advance(1)
    assert kept(exchange, "0.1") == 1 - Decimal("0.0025")


def test_the_tier_follows_the_volume_of_the_30_days_before_the_day(tmp_path: Path) -> None:
    options = ExchangeOptions(tmp_path / "state.db", speed=0, partial_fill_probability=0, cash=Decimal(1_000_000))
    exchange = open_exchange(options)
    send(exchange, qty="2", **BTC)
    exchange.clock.advance(1)
    assert exchange.account()["crypto_tier"] == 1
    before = kept(exchange, "2")
    assert before == 1 - Decimal("0.0025")
    exchange.close()
    exchange = open_exchange(options)
    assert exchange.account()["crypto_tier"] == 1  # what happened today counts tomorrow, restart or not
    exchange.clock.advance(DAY)
    assert exchange.account()["crypto_tier"] == 2
    send(exchange, qty="1", **BTC)
    exchange.clock.advance(1)
    assert Decimal(str(get_position(exchange, "BTCUSD")["qty"])) == 2 * before + 1 - Decimal("0.0022")
    exchange.clock.advance(31 * DAY)
    assert exchange.account()["crypto_tier"] == 1
    exchange.close()


def test_the_table_is_the_published_one() -> None:
    volumes = (0, 99_999, 100_000, 500_000, 1_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000)
    found = [tier_of(Decimal(volume)) for volume in volumes]
    assert [tier.number for tier in found] == [1, 1, 2, 3, 4, 5, 6, 7, 8]
    assert [(tier.maker * 10_000, tier.taker * 10_000) for tier in TIERS] == [
        (15, 25), (12, 22), (10, 20), (8, 18), (5, 15), (2, 13), (2, 12), (0, 10),
    ]  # fmt: skip
