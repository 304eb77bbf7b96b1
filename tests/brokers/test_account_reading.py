"""What account, positions and clock become: whole values, and an error for what must not be guessed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.brokers.protocol import BrokerClock
from rebalancer.core.errors import BrokerUnavailable, WrongAccount
from rebalancer.core.facts import Account, Position, Session
from tests.brokers.making import CLOCK, scripted
from tests.support.scripted_server import reply

ACCOUNT: dict[str, Any] = {
    "id": "1d9eed04-be39-4e01-9b84-a48ac5bbafcf",
    "account_number": "PALPACA_123",
    "status": "ACTIVE",
    "cash": "122086.5",
    "equity": "123346.11",
    "last_equity": "122011.09751111286868",
    "buying_power": "245432.61",
    "multiplier": "2",
    "trading_blocked": False,
    "account_blocked": False,
    "trade_suspended_by_user": False,
    "shorting_enabled": True,
    "a_field_of_next_year": {"x": [1]},
}


def read_account(**changes: Any) -> Account:
    row = {key: value for key, value in {**ACCOUNT, **changes}.items() if value != "absent"}
    with scripted([reply(200, json.dumps(row))]) as (broker, _):
        return broker.account()


def test_account() -> None:
    assert read_account() == Account(
        id="PALPACA_123",
        equity=Decimal("123346.11"),
        last_equity=Decimal("122011.09751111286868"),
        peak_equity=Decimal("123346.11"),
        cash=Decimal("122086.5"),
        buying_power=Decimal("245432.61"),
        multiplier=Decimal(2),
        shorting_enabled=True,
    )


@pytest.mark.parametrize(
    ("changes", "restrictions"),
    [
        ({"trading_blocked": True}, ("trading_blocked",)),
        ({"account_blocked": True}, ("account_blocked",)),
        ({"trade_suspended_by_user": True}, ("trade_suspended_by_user",)),
        ({"status": "ACCOUNT_CLOSED_PENDING"}, ("status:ACCOUNT_CLOSED_PENDING",)),
        ({"status": "a new word"}, ("status:a new word",)),
        ({"status": "PAPER_ONLY"}, ()),
        ({"trading_blocked": True, "status": "REJECTED"}, ("trading_blocked", "status:REJECTED")),
    ],
)
def test_restrictions(changes: dict[str, Any], restrictions: tuple[str, ...]) -> None:
    assert read_account(**changes).restrictions == restrictions


@pytest.mark.parametrize("key", ["equity", "last_equity"])
@pytest.mark.parametrize("value", ["absent", None, "", "0", "-1", "NaN", "inf", "1e13", "ten", True, [], {}])
def test_an_equity_that_cannot_be_is_no_equity(key: str, value: Any) -> None:
    with pytest.raises(BrokerUnavailable, match=key):
        read_account(**{key: value})


@pytest.mark.parametrize(
    "key",
    ["cash", "buying_power", "multiplier", "status", "trading_blocked", "account_blocked", "trade_suspended_by_user"],
)
@pytest.mark.parametrize("value", ["absent", None, []])
def test_a_missing_field_that_limits_need_is_no_account(key: str, value: Any) -> None:
    with pytest.raises(BrokerUnavailable, match=key):
        read_account(**{key: value})


def test_shorting_is_off_unless_the_broker_says_on() -> None:
    assert read_account(shorting_enabled="absent").shorting_enabled is False


@pytest.mark.parametrize(("wanted", "fits"), [("PALPACA_123", True), (ACCOUNT["id"], True), ("PA9", False)])
def test_the_configured_account_is_the_only_one(wanted: str, fits: bool) -> None:
    with scripted([reply(200, json.dumps(ACCOUNT))], account_id=wanted) as (broker, _):
        if fits:
            assert broker.account().id == "PALPACA_123"
        else:
            with pytest.raises(WrongAccount, match="PA9"):
                broker.account()


def position(**changes: Any) -> dict[str, Any]:
    row = {"symbol": "AAPL", "asset_class": "us_equity", "side": "long", "qty": "2", "qty_available": "2"}
    return {**row, "avg_entry_price": "174.78", "current_price": None, **changes}


def read_positions(*rows: Any) -> tuple[Position, ...]:
    with scripted([reply(200, json.dumps(rows))]) as (broker, _):
        return broker.positions()


def test_positions() -> None:
    assert read_positions(
        position(symbol="MSFT", side="short", qty="-5", qty_available="3"),
        position(),
        position(symbol="TSLA", side="short", qty="5", qty_available="-5"),
        position(symbol="BTCUSD", asset_class="crypto", qty="0.9975", qty_available="0.5", avg_entry_price="61000.5"),
        position(symbol="AAPL261218C00200000", asset_class="us_option"),
        position(symbol="717ESC015", avg_entry_price=None),
    ) == (
        Position("717ESC015", Decimal(2), Decimal(2), Decimal(0)),
        Position("AAPL", Decimal(2), Decimal(2), Decimal("174.78")),
        Position("BTC/USD", Decimal("0.9975"), Decimal("0.5"), Decimal("61000.5")),
        Position("MSFT", Decimal(-5), Decimal(-3), Decimal("174.78")),
        Position("TSLA", Decimal(-5), Decimal(-5), Decimal("174.78")),
    )


@pytest.mark.parametrize(
    "rows",
    [
        [position(qty=None)],
        [position(qty="NaN")],
        [position(qty="0")],
        [position(qty="-2")],
        [position(qty_available=None)],
        [position(asset_class="us_stock")],
        [position(asset_class=None)],
        [position(symbol="")],
        [position(), position()],
        [position(), None],
        [position(symbol="BTCUSD", asset_class="crypto"), position(symbol="BTC/USD", asset_class="crypto")],
    ],
)
def test_positions_that_cannot_be_read_are_not_left_out(rows: list[Any]) -> None:
    with pytest.raises(BrokerUnavailable, match="list of positions"):
        read_positions(*rows)


def read_clock(**changes: Any) -> BrokerClock:
    with scripted([reply(200, json.dumps({**json.loads(CLOCK), **changes}))]) as (broker, _):
        return broker.clock()


def test_clock_open() -> None:
    assert read_clock() == BrokerClock(
        datetime(2026, 11, 20, 15, 35, 2, 123456, UTC),
        Session(True, datetime(2026, 11, 20, 14, 30, tzinfo=UTC), datetime(2026, 11, 20, 21, tzinfo=UTC)),
    )


def test_clock_on_a_day_that_closes_early_in_summer_time() -> None:
    assert read_clock(timestamp="2026-07-03T10:00:00-04:00", next_close="2026-07-03T13:00:00-04:00").session == Session(
        True, datetime(2026, 7, 3, 13, 30, tzinfo=UTC), datetime(2026, 7, 3, 17, tzinfo=UTC)
    )


def test_clock_closed_tells_the_next_session() -> None:
    closed = {"is_open": False, "timestamp": "2026-11-20T17:00:00-05:00", "next_close": "2026-11-23T16:00:00-05:00"}
    assert read_clock(**closed).session == Session(
        False, datetime(2026, 11, 23, 14, 30, tzinfo=UTC), datetime(2026, 11, 23, 21, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"is_open": None},
        {"is_open": "true"},
        {"timestamp": "2026-11-20T10:35:02"},
        {"timestamp": 5},
        {"next_close": "2026-11-20T10:00:00-05:00"},
        {"is_open": False},  # next_open would lie behind next_close
    ],
)
def test_clock_that_contradicts_itself(changes: dict[str, Any]) -> None:
    with pytest.raises(BrokerUnavailable, match="clock"):
        read_clock(**changes)
