"""Records of the account: switches, history and activities."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.history import portfolio_history
from rebalancer.exchange.records import get_asset, list_activities
from tests.exchange.helpers import DAY, HOUR, held, kinds, live, refused, send


def test_configurations_without_and_with_the_fields_of_old(exchange: Exchange) -> None:
    assert exchange.configurations() == {
        "suspend_trade": False, "no_shorting": False, "fractional_trading": True, "max_margin_multiplier": "4",
        "trade_confirm_email": "all", "ptp_no_exception_entry": False, "max_options_trading_level": 0,
        "disable_overnight_trading": False,
    }  # fmt: skip
    assert exchange.configure({"trade_confirm_email": "none"})["trade_confirm_email"] == "none"
    old = {"pattern_day_trader", "daytrade_count", "daytrading_buying_power"}
    assert not old & exchange.account().keys()
    live(exchange, legacy_day_trading=True)
    assert exchange.configurations().items() >= {"dtbp_check": "entry", "pdt_check": "entry"}.items()
    assert {key: exchange.account()[key] for key in old} == {
        "pattern_day_trader": False, "daytrade_count": 0, "daytrading_buying_power": "0",
    }  # fmt: skip
    for _ in range(4):
        held(exchange)
        held(exchange, side="sell")
    account = exchange.account()
    assert (account["pattern_day_trader"], account["daytrade_count"]) == (True, 4)
    exchange.clock.advance(10 * DAY)
    assert exchange.account()["daytrade_count"] == 0


CONFIGURATION = {
    "suspend_trade": False, "no_shorting": False, "fractional_trading": True, "max_margin_multiplier": "4",
    "trade_confirm_email": "all", "ptp_no_exception_entry": False, "max_options_trading_level": 0,
    "disable_overnight_trading": False,
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("check", ["entry", "exit", "both"])
def test_the_checks_of_old_are_taken_and_can_be_read(exchange: Exchange, check: str, *, legacy: bool) -> None:
    """With the legacy switch they are always sent, without it only when they are not what they always were."""
    live(exchange, legacy_day_trading=legacy)
    shown = {"pdt_check": check, "dtbp_check": check} if legacy or check != "entry" else {}
    assert exchange.configure({"pdt_check": check, "dtbp_check": check}) == {**CONFIGURATION, **shown}
    nothing = dict.fromkeys((*CONFIGURATION, "pdt_check", "dtbp_check"), "")
    assert exchange.configure(nothing) == exchange.configure(dict.fromkeys(nothing)) == {**CONFIGURATION, **shown}
    assert exchange.configure({"max_options_trading_level": 3}) == {
        **CONFIGURATION, **shown, "max_options_trading_level": 3,
    }  # fmt: skip
    assert exchange.account()["options_trading_level"] == 0


def test_assets_tell_where_they_trade(exchange: Exchange) -> None:
    attributes = {name: get_asset(exchange, name)["attributes"] for name in ("AAPL", "NVR", "BTCUSD", "TWTR")}
    assert attributes == {
        "AAPL": ["fractional_eh_enabled", "overnight_tradable"], "NVR": [], "BTCUSD": [], "TWTR": [],
    }  # fmt: skip


def test_daily_history_is_what_the_closes_were_and_adds_up(exchange: Exchange) -> None:
    held(exchange, "100")
    exchange.clock.advance(5 * DAY)
    found = portfolio_history(exchange, {"period": "1W", "timeframe": "1D", "cashflow_types": "ALL"})
    equity, stamps = found["equity"], found["timestamp"]
    assert isinstance(equity, list)
    assert isinstance(stamps, list)
    days = [exchange.store.day_equity_before(date.fromordinal(d).toordinal() + 1) for d in
            range(date(2026, 11, 20).toordinal(), date(2026, 11, 25).toordinal())]  # fmt: skip
    closes = [float(round(row[1], 2)) for row in dict.fromkeys(days) if row]
    assert equity[-len(closes) - 1 : -1] == closes
    assert equity[-1] == float(str(exchange.account()["equity"]))
    assert found["base_value"] == 100_000.0
    assert found["profit_loss"] == [round(value - 100_000, 2) for value in equity]
    assert found["timeframe"] == "1D"


def test_a_deposit_is_a_flow_and_no_profit(exchange: Exchange) -> None:
    exchange.clock.advance(HOUR)
    with exchange.request() as at:
        exchange.books.fund(at, Decimal(5000), "extra")
    exchange.clock.advance(HOUR)
    found = portfolio_history(exchange, {"period": "1D", "timeframe": "1H", "cashflow_types": "CSD"})
    equity, profit = found["equity"], found["profit_loss"]
    assert isinstance(equity, list)
    assert isinstance(profit, list)
    assert (equity[0], equity[-1], set(profit)) == (100_000.0, 105_000.0, {0.0})
    flows = found["cashflow"]
    assert isinstance(flows, dict)
    assert sum(flows["CSD"]) == 5000
    assert kinds(exchange, "CSD")[-1]["net_amount"] == "5000"


@pytest.mark.parametrize("reporting", ["market_hours", "extended_hours", "continuous"])
def test_intraday_history_ends_at_the_present(exchange: Exchange, reporting: str) -> None:
    held(exchange, "100")
    exchange.clock.advance(3 * HOUR)
    query = {"period": "1D", "timeframe": "15Min", "intraday_reporting": reporting}
    found = portfolio_history(exchange, query)
    stamps, equity = found["timestamp"], found["equity"]
    assert isinstance(stamps, list)
    assert isinstance(equity, list)
    assert stamps == sorted(set(stamps))
    assert {b - a for a, b in pairwise(stamps) if b - a < 3600} == {900}
    assert equity[-1] == float(str(exchange.account()["equity"]))
    assert len({*equity}) > 5


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"period": "1X"}, "invalid period: 1X"),
        ({"timeframe": "2D"}, "invalid timeframe: 2D"),
        ({"period": "3M", "timeframe": "1H"}, "intraday timeframes are limited to 30 days"),
        ({"start": "2026-11-01", "end": "2026-11-02", "period": "1D"},
         "only two of start, end and period can be specified"),
        ({"start": "2026-12-01"}, "start must be before end"),
        ({"pnl_reset": "never"}, "invalid pnl_reset"),
    ],
)  # fmt: skip
def test_wrong_history_requests(exchange: Exchange, query: dict[str, str], words: str) -> None:
    assert refused(lambda: portfolio_history(exchange, query)) == (422, 40010001, words)


def test_activities_are_filtered_by_category_type_order_and_date(exchange: Exchange) -> None:
    held(exchange)
    exchange.clock.advance(3 * DAY)
    order = send(exchange, qty="1")
    exchange.clock.advance(1)

    def found(**query: str) -> list[object]:
        return [row["activity_type"] for row in list_activities(exchange, None, query)]

    assert found(category="trade_activity") == ["FILL", "FILL"]
    assert found(category="non_trade_activity") == ["CSD"]
    assert found(order_id=str(order["id"])) == ["FILL"]
    assert found(date="2026-11-20") == ["FILL"]
    assert found(after="2026-11-21") == ["FILL"]
    assert [row["symbol"] for row in list_activities(exchange, "FILL", {"page_size": "1"})] == ["AAPL"]
    assert refused(lambda: found(category="odd"))[2] == "invalid category"
    both = "category and activity_types cannot be combined"
    assert refused(lambda: found(category="trade_activity", activity_types="DIV"))[2] == both
