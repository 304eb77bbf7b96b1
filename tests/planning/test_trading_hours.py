"""Coins around the clock: what trades while stocks do not, and what is left as it is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.facts import Instrument, Position, Session, Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.values import symbol_of
from rebalancer.planning import plan
from tests.planning.examples import NOW, book, instrument, quote, rules, signal, snapshot

D = Decimal
COIN = "BTC/USD"
AROUND = {"session": {"crypto_around_the_clock": True}}
NIGHT = Session(False, NOW + timedelta(hours=12), NOW + timedelta(hours=18))
ENDING = Session(True, NOW - timedelta(hours=6), NOW + timedelta(seconds=30))


def coin(**changes: Any) -> Instrument:
    return instrument(COIN, asset_class="crypto", lot=D("0.000001"), fractionable=True, shortable=False, **changes)


def world(session: Session, **changes: Any) -> Snapshot:
    """A share and a coin, both wanted; the share's quote is hours old, as it is by night."""
    facts = {
        "instruments": (instrument("A"), coin()),
        "quotes": (quote("A", at=NOW - timedelta(hours=5)), quote(COIN)),
        "signals": (signal("A"), signal(COIN)),
        "session": session,
    }
    return snapshot(**{**facts, **changes})


@pytest.mark.parametrize("session", [NIGHT, ENDING])
def test_by_night_coins_trade_and_stocks_do_not(session: Session) -> None:
    decided = plan(world(session), rules(**AROUND))
    assert decided.outcome is CycleOutcome.COMPLETED
    assert [(o.symbol, o.side, o.time_in_force) for o in decided.orders] == [(COIN, "buy", "gtc")]
    assert {v.symbol: v.outcome for v in decided.verdicts} == {
        "A": Outcome.REJECTED_NOT_TRADABLE,
        COIN: Outcome.PLANNED,
    }


@pytest.mark.parametrize(
    ("session", "outcome"),
    [(NIGHT, CycleOutcome.SKIPPED_MARKET_CLOSED), (ENDING, CycleOutcome.SKIPPED_TOO_LATE)],
)
def test_without_the_rule_or_without_coins_nothing_trades(session: Session, outcome: CycleOutcome) -> None:
    assert plan(world(session), rules()).outcome is outcome
    stocks = world(session, instruments=(instrument("A"),), signals=(signal("A"),))
    assert plan(stocks, rules(**AROUND)).outcome is outcome


def test_held_stocks_stay_and_take_their_room() -> None:
    """90 000 of 100 000 USD of capital are in a share: the gross cap leaves nothing for coins."""
    held = world(NIGHT, positions=book(A="1590"), expected_positions={"A": D(1590)})
    decided = plan(held, rules(**AROUND))
    assert decided.orders[1:] == ()
    bought = sum(o.notional for o in decided.orders)
    assert bought <= D(80_000) - 1590 * D(50)


def test_in_market_hours_nothing_is_different() -> None:
    day = world(Session(True, NOW - timedelta(hours=1), NOW + timedelta(hours=5)), quotes=(quote("A"), quote(COIN)))
    assert plan(day, rules(**AROUND)).orders == plan(day, rules()).orders


def test_a_coin_that_is_held_can_be_sold_by_night() -> None:
    held = (Position(COIN, D("12.5"), D("12.5"), D(48)),)
    decided = plan(world(NIGHT, positions=held, signals=(signal(COIN, 0.0),)), rules(**AROUND))
    assert [(o.symbol, o.side, o.qty) for o in decided.orders] == [(COIN, "sell", D("12.5"))]


SPELLINGS = [("BTC-USD", COIN), ("BTC/USD", COIN), ("BTCUSD", COIN), ("btcusd", COIN), ("ETHUSDT", "ETH/USDT"),
             ("AAPL", "AAPL"), ("GOOGL", "GOOGL"), ("BRK-B", "BRK.B")]  # fmt: skip


@pytest.mark.parametrize(("text", "symbol"), SPELLINGS)
def test_how_pairs_may_be_spelt(text: str, symbol: str) -> None:
    assert symbol_of(text) == symbol
