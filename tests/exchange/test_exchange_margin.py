"""Margin calls, restrictions, the day-trading rule of old, and names that turn hard to borrow overnight."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.exchange import margin_watch
from rebalancer.exchange.borrow_plan import BorrowChange
from rebalancer.exchange.borrowing import schedule_borrowing
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.margin import MarginWatch
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.positions import close_position, get_position
from rebalancer.exchange.records import get_asset
from rebalancer.exchange.replacement import replace_order
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import DAY, FORBIDDEN, HOUR, UNPROCESSABLE, held, kinds, live, refused, resting, send, state

RESTRICTED = (403, FORBIDDEN, "account is restricted to liquidation only")
PROTECTED = (403, 40310100, "trade denied due to pattern day trading protection")
FRIDAY = date(2026, 11, 20).toordinal()


def transfer(exchange: Exchange, dollars: int) -> None:
    with exchange.request() as at:
        exchange.books.fund(at, Decimal(dollars), f"transfer {at}")


def leveraged(exchange: Exchange, withdrawn: int) -> None:
    """About 190 000 USD of stock, and less equity than there was."""
    held(exchange, "360")
    held(exchange, "300", "JPM")
    transfer(exchange, -withdrawn)


def test_a_shortfall_at_the_close_is_a_call_and_a_deposit_meets_it(exchange: Exchange) -> None:
    leveraged(exchange, 60_000)
    assert exchange.watch == MarginWatch()
    exchange.clock.advance(6 * HOUR)
    exchange.account()
    numbers = exchange.numbers(exchange.sessions.last_closed(exchange.caught_up).close)
    shortfall = numbers.maintenance_margin - numbers.equity
    assert shortfall > 1000
    assert exchange.watch == MarginWatch(FRIDAY, str(shortfall.normalize()))
    assert exchange.account()["admin_configurations"] == {}
    transfer(exchange, 60_000)
    exchange.clock.advance(3 * DAY)
    exchange.account()
    assert exchange.watch == MarginWatch()


def test_a_small_shortfall_is_no_call(exchange: Exchange) -> None:
    leveraged(exchange, 0)
    exchange.catch_up()
    numbers = exchange.numbers(exchange.sessions.current(exchange.caught_up).close)  # type: ignore[union-attr] # open
    spare = numbers.equity - numbers.maintenance_margin
    transfer(exchange, -round(spare) - 500)
    exchange.clock.advance(6 * HOUR)
    exchange.account()
    assert exchange.watch == MarginWatch()


def test_an_unmet_call_restricts_the_account_to_closing_orders_for_90_days(tmp_path: Path) -> None:
    options = ExchangeOptions(tmp_path / "state.db", speed=0, partial_fill_probability=0)
    exchange = open_exchange(options)
    leveraged(exchange, 60_000)
    exchange.clock.advance(6 * DAY)  # closes of Friday, Monday to Wednesday: three since the call
    assert exchange.account()["admin_configurations"] == {}
    exchange.clock.advance(5 * DAY)  # the half day and Monday: five
    exchange.close()
    exchange = open_exchange(options)
    account = exchange.account()
    assert account["admin_configurations"] == {"restrict_to_liquidation_reasons": {"unspecified": True}}
    assert (account["status"], account["trading_blocked"]) == ("ACTIVE", False)
    transfer(exchange, 200_000)
    assert refused(lambda: send(exchange, qty="1")) == RESTRICTED
    assert refused(lambda: send(exchange, "sell", "KO", qty="1")) == RESTRICTED
    assert close_position(exchange, "JPM", {"qty": "10"})["position_intent"] == "sell_to_close"
    exchange.clock.advance(87 * DAY)
    assert refused(lambda: send(exchange, qty="1")) == RESTRICTED
    exchange.clock.advance(4 * DAY)
    assert send(exchange, qty="1")["side"] == "buy"
    exchange.close()


def test_a_position_above_600_percent_of_equity_restricts_until_released(exchange: Exchange) -> None:
    held(exchange, "700")
    order = resting(exchange, symbol="KO", limit_price="20", qty="5")
    transfer(exchange, -80_000)
    exchange.clock.advance(6 * HOUR)
    reasons = {"restrict_to_liquidation_reasons": {"position_to_equity_ratio": True}}
    assert exchange.account()["admin_configurations"] == reasons
    transfer(exchange, 500_000)
    exchange.clock.advance(200 * DAY)
    assert refused(lambda: send(exchange, qty="1")) == RESTRICTED
    margin_watch.release(exchange)
    assert send(exchange, qty="1")["side"] == "buy"
    assert state(exchange, order)["status"] == "canceled"  # of old age


def test_a_replacement_that_opens_is_refused_too(exchange: Exchange) -> None:
    order = resting(exchange, symbol="KO", limit_price="20", qty="5")
    exchange.watch = MarginWatch(reason="position_to_equity_ratio")
    assert refused(lambda: replace_order(exchange, str(order["id"]), {"qty": 4})) == RESTRICTED


@pytest.mark.parametrize("check", ["entry", "exit", "both"])
def test_the_fourth_day_trade_of_a_small_account_is_refused_under_the_old_rule(check: str) -> None:
    options = ExchangeOptions(speed=0, partial_fill_probability=0, cash=Decimal(24_000), legacy_day_trading=True)
    exchange = open_exchange(options)
    assert exchange.configure({"pdt_check": check})["pdt_check"] == check
    held(exchange, "3", "JPM")
    for _ in range(3):
        held(exchange, "1")
        held(exchange, "1", side="sell")
    assert exchange.account()["daytrade_count"] == 3
    crypto = {"qty": None, "notional": "50", "time_in_force": "gtc"}
    assert send(exchange, symbol="BTC/USD", **crypto)["status"] == "pending_new"
    if check == "exit":
        assert send(exchange, qty="1")["status"] == "pending_new"
    else:
        assert refused(lambda: send(exchange, qty="1")) == PROTECTED
    if check == "entry":
        assert send(exchange, "sell", "JPM", qty="1")["status"] == "pending_new"
    else:
        assert refused(lambda: send(exchange, "sell", "JPM", qty="1")) == PROTECTED
    exchange.clock.advance(3 * DAY)
    assert send(exchange, "sell", "JPM", qty="1")["status"] == "pending_new"  # bought on another day
    exchange.close()


def test_without_the_legacy_switch_nobody_counts_day_trades() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0, cash=Decimal(24_000)))
    for _ in range(6):
        held(exchange, "1")
        held(exchange, "1", side="sell")
    assert len(kinds(exchange, "FILL")) == 12


def test_a_name_turns_hard_to_borrow_overnight(tmp_path: Path) -> None:
    options = ExchangeOptions(tmp_path / "state.db", speed=0, partial_fill_probability=0, charges=True)
    exchange = open_exchange(options)
    held(exchange, "100", "KO", "sell")
    held(exchange, "5", "NKE")
    waiting = [
        resting(exchange, side="sell", symbol="KO", limit_price="999"),
        resting(exchange, side="sell", symbol="NKE", limit_price="999", qty="5"),
        resting(exchange, side="sell", symbol="PG", limit_price="999"),
    ]
    schedule_borrowing(exchange, BorrowChange(FRIDAY + 1, "KO", easy=False))
    with pytest.raises(ValueError, match="has begun"):
        schedule_borrowing(exchange, BorrowChange(FRIDAY, "KO", easy=False))
    with pytest.raises(ValueError, match="not an equity"):
        schedule_borrowing(exchange, BorrowChange(FRIDAY + 1, "BTC/USD", easy=False))
    assert get_asset(exchange, "KO")["borrow_status"] == "easy_to_borrow"
    exchange.clock.advance(13 * HOUR)  # 23:05
    assert [state(exchange, one)["status"] for one in waiting] == ["new"] * 3
    exchange.close()
    exchange = open_exchange(options)
    exchange.clock.advance(HOUR)
    assert [state(exchange, one)["status"] for one in waiting] == ["canceled", "new", "new"]
    asset = get_asset(exchange, "KO")
    assert (asset["borrow_status"], asset["shortable"], asset["easy_to_borrow"]) == ("hard_to_borrow", False, False)
    words = 'asset "KO" cannot be sold short'
    assert refused(lambda: send(exchange, "sell", "KO")) == (422, UNPROCESSABLE, words)
    assert get_position(exchange, "KO")["qty"] == "-100"
    exchange.clock.advance(2 * DAY)
    assert {row["symbol"] for row in kinds(exchange, "FEE") if row["activity_sub_type"] == "BRW"} == {"KO"}
    exchange.close()


def test_a_hard_name_can_turn_easy(exchange: Exchange) -> None:
    live(exchange)
    schedule_borrowing(exchange, BorrowChange(FRIDAY + 3, "AMC", easy=True))
    exchange.clock.advance(3 * DAY)
    held(exchange, "10", "AMC", "sell")
    assert get_position(exchange, "AMC")["qty"] == "-10"
