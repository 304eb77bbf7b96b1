"""What the broker's objects become: whole values, and an error for what must not be guessed."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.facts import Account, Instrument, Position, Quote, Session
from rebalancer.outcomes import OrderState
from rebalancer.world.brokers import state_of
from rebalancer.world.brokers.order_reading import STATUS_WORDS
from rebalancer.world.ports import Activity, BrokerClock, BrokerOrder, BrokerUnavailable, Fill, WrongAccount
from tests.brokers.making import CLOCK, an_order, order_object, scripted
from tests.support.scripted_server import Seen, answer, reply

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


@pytest.mark.parametrize("word", sorted(STATUS_WORDS | {"a_word_of_next_year", ""}))
def test_every_status_word_has_a_state(word: str) -> None:
    final = {
        "filled": OrderState.FILLED,
        "canceled": OrderState.CANCELED,
        "expired": OrderState.EXPIRED,
        "replaced": OrderState.REPLACED,
        "rejected": OrderState.REFUSED,
    }
    assert state_of(word) is final.get(word, OrderState.OPEN)


def test_orders() -> None:
    rows = [
        order_object(a_field_of_next_year=1),
        order_object(
            id="2",
            client_order_id="c-2",
            symbol="BTC/USD",
            asset_class="crypto",
            qty=None,
            notional="200.55",
            type="limit",
            limit_price="61000.5",
            filled_qty="0.00321",
            filled_avg_price="60999.1",
            status="replaced",
            filled_at="2026-11-20T10:36:00-05:00",
            replaced_by="3",
            submitted_at=None,
        ),
        order_object(id="4", symbol="AAPL261218C00200000", asset_class="us_option"),
        order_object(id="5", symbol="", asset_class="", order_class="mleg"),
        order_object(id="6", client_order_id="c-6", status="a_new_word"),
    ]
    first = BrokerOrder(
        id="7b08df51-c1ac-453c-99f9-323a5f075f0d",
        client_order_id=an_order().client_order_id,
        symbol="AAPL",
        asset_class="us_equity",
        side="buy",
        type="market",
        qty=Decimal(12),
        notional=None,
        limit_price=None,
        filled_qty=Decimal(0),
        filled_avg_price=None,
        status="pending_new",
        state=OrderState.OPEN,
        submitted_at=datetime(2026, 11, 20, 15, 35, 3, 577215, UTC),
        filled_at=None,
    )
    second = BrokerOrder(
        id="2",
        client_order_id="c-2",
        symbol="BTC/USD",
        asset_class="crypto",
        side="buy",
        type="limit",
        qty=None,
        notional=Decimal("200.55"),
        limit_price=Decimal("61000.5"),
        filled_qty=Decimal("0.00321"),
        filled_avg_price=Decimal("60999.1"),
        status="replaced",
        state=OrderState.REPLACED,
        submitted_at=datetime(2026, 11, 20, 15, 35, 3, 664468, UTC),
        filled_at=datetime(2026, 11, 20, 15, 36, tzinfo=UTC),
        replaced_by="3",
    )
    third = first._replace(id="6", client_order_id="c-6", status="a_new_word")
    with scripted([reply(200, json.dumps(rows))]) as (broker, server):
        assert broker.orders(None) == (first, second, third)
    assert server.requests[0].path == "/v2/orders?status=open&direction=asc&limit=500"


@pytest.mark.parametrize(
    "changes", [{"id": None}, {"side": "hold"}, {"qty": "x"}, {"asset_class": "shares"}, {"status": 1}]
)
def test_an_order_that_cannot_be_read_is_not_left_out(changes: dict[str, Any]) -> None:
    with (
        scripted([reply(200, json.dumps([order_object(), order_object(**changes)]))]) as (broker, _),
        pytest.raises(BrokerUnavailable, match="list of orders"),
    ):
        broker.orders(None)


def test_instruments() -> None:
    equity = {
        "class": "us_equity",
        "status": "active",
        "symbol": "AAPL",
        "exchange": "A NEW ONE",
        "tradable": True,
        "fractionable": True,
        "shortable": True,
        "attributes": ["a_new_one"],
    }
    pair = {
        "class": "crypto",
        "status": "active",
        "symbol": "BTC/USD",
        "tradable": True,
        "fractionable": True,
        "shortable": True,
        "min_trade_increment": "0.000000001",
        "price_increment": "0.01",
    }
    equities = [
        {**equity, "easy_to_borrow": True},
        {**equity, "symbol": "BRK.B", "borrow_status": "easy_to_borrow", "fractionable": False},
        {**equity, "symbol": "GVH", "borrow_status": "hard_to_borrow"},
        {**equity, "symbol": "OLD", "easy_to_borrow": False, "tradable": False},
        {**equity, "symbol": "GONE", "status": "inactive"},
        {**equity, "symbol": "ODD", "tradable": None},
        {**equity, "symbol": "717ESC015"},
        {**equity, "symbol": "X", "class": "a_new_class"},
    ]
    pairs = [
        pair,
        {**pair, "symbol": "SHIB/USDT", "fractionable": False},
        {**pair, "symbol": "ETH/USD", "price_increment": None},
    ]
    with scripted([reply(200, json.dumps(equities)), reply(200, json.dumps(pairs))]) as (broker, server):
        got = broker.instruments()
    one, cent, tiny = Decimal(1), Decimal("0.01"), Decimal("1e-9")
    assert got == (
        Instrument("AAPL", "us_equity", True, True, True, one, cent),
        Instrument("BRK.B", "us_equity", True, False, True, one, cent),
        Instrument("BTC/USD", "crypto", True, True, False, tiny, cent),
        Instrument("GVH", "us_equity", True, True, False, one, cent),
        Instrument("OLD", "us_equity", False, True, False, one, cent),
        Instrument("SHIB/USDT", "crypto", True, False, False, tiny, cent),
    )
    assert [seen.path for seen in server.requests] == [
        "/v2/assets?status=active&asset_class=us_equity",
        "/v2/assets?status=active&asset_class=crypto",
    ]


def test_assets_of_which_nothing_is_understood_are_no_empty_list() -> None:
    with (
        scripted([reply(200, '[{"class":"stocks"}]')]) as (broker, _),
        pytest.raises(BrokerUnavailable, match="list of assets"),
    ):
        broker.instruments()


AT = "2026-11-20T15:35:00.5Z"
SNAPSHOTS = """{
 "AAPL": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 189.99, "ap": 190.01},
          "latestTrade": {"t": "2026-11-20T15:34:59Z", "p": 190.1}},
 "MSFT": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 0, "ap": 400.1},
          "latestTrade": {"t": "2026-11-20T15:35:01Z", "p": 4e2}},
 "NVDA": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 0, "ap": null},
          "latestTrade": {"t": "2026-11-20T15:30:00Z", "p": 0.1}},
 "HALT": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 0, "ap": 0}, "latestTrade": null},
 "NULL": null,
 "ODD": {"latestQuote": {"t": "yesterday", "bp": 1, "ap": 2}},
 "UNASKED": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 1, "ap": 2}}
}"""
CRYPTO = '{"snapshots":{"BTC/USD":{"latestQuote":{"t":"2026-11-20T15:35:00.5Z","bp":61000.123456789,"ap":61001}}}}'


def test_quotes() -> None:
    asked = ["MSFT", "AAPL", "NVDA", "HALT", "NULL", "ODD", "GONE", "BTC/USD", "717ESC015", "AAPL"]
    with scripted([reply(200, SNAPSHOTS), reply(200, CRYPTO)]) as (broker, server):
        got = broker.quotes(asked)
    half, second = datetime(2026, 11, 20, 15, 35, 0, 500000, UTC), timedelta(seconds=1)
    assert got == (
        Quote("AAPL", Decimal("189.99"), Decimal("190.01"), Decimal("190.1"), half),
        Quote("BTC/USD", Decimal("61000.123456789"), Decimal(61001), None, half),
        Quote("MSFT", None, Decimal("400.1"), Decimal(400), half + second / 2),
        Quote("NVDA", None, None, Decimal("0.1"), datetime(2026, 11, 20, 15, 30, tzinfo=UTC)),
    )
    assert [seen.path for seen in server.requests] == [
        "/v2/stocks/snapshots?symbols=AAPL%2CGONE%2CHALT%2CMSFT%2CNULL%2CNVDA%2CODD&feed=iex",
        "/v1beta3/crypto/us/snapshots?symbols=BTC%2FUSD",
    ]


def test_quotes_of_nothing_ask_nothing() -> None:
    with scripted([]) as (broker, server):
        assert broker.quotes([]) == ()
    assert server.requests == []


def test_many_symbols_take_as_few_calls_as_urls_allow() -> None:
    names = [f"S{chr(65 + i % 26)}{chr(65 + i // 26 % 26)}{chr(65 + i // 676)}" for i in range(5000)]

    def snapshots(seen: Seen) -> Any:
        symbols = seen.path.partition("symbols=")[2].partition("&")[0].split("%2C")
        return {name: {"latestTrade": {"t": AT, "p": 1}} for name in symbols}

    with scripted([answer(snapshots)], repeat_last=True, read_timeout_seconds=5) as (broker, server):
        assert [quote.symbol for quote in broker.quotes(names)] == sorted(names)
    assert len(server.requests) == 3  # 5000 x 7 bytes
    assert all(len(seen.path) < 12_200 for seen in server.requests)


def test_a_symbol_that_the_data_host_rejects_costs_only_itself() -> None:
    rejected = reply(400, '{"message":"invalid symbol: NVDA"}')
    rest = json.dumps({name: row for name, row in json.loads(SNAPSHOTS).items() if name in ("AAPL", "MSFT")})
    with scripted([rejected, reply(200, rest)]) as (broker, server):
        assert [quote.symbol for quote in broker.quotes(["AAPL", "NVDA", "MSFT"])] == ["AAPL", "MSFT"]
    assert [seen.path.partition("symbols=")[2] for seen in server.requests] == [
        "AAPL%2CMSFT%2CNVDA&feed=iex",
        "AAPL%2CMSFT&feed=iex",
    ]


def test_daily_closes() -> None:
    def bar(at: str, close: Any) -> dict[str, Any]:
        return {"t": at, "o": 1, "h": 1, "l": 1, "c": close, "v": 1, "n": 1, "vw": None}

    stocks = [
        {
            "bars": {"AAPL": [bar("2026-11-17T05:00:00Z", 1.1), bar("2026-11-18T05:00:00Z", 1.2)]},
            "next_page_token": "p",
        },
        {
            "bars": {
                "AAPL": [bar("2026-11-19T05:00:00Z", 1.3), bar("2026-11-20T05:00:00Z", 9.9)],
                "MSFT": [bar("2026-11-18T05:00:00Z", 2.2), bar("2026-11-19T05:00:00Z", 0)],
            },
            "next_page_token": None,
        },
    ]
    crypto = {"bars": {"BTC/USD": [bar(f"2026-11-{day}T00:00:00Z", day) for day in range(15, 21)]}}
    steps = [reply(200, CLOCK), *[reply(200, json.dumps(page)) for page in (*stocks, crypto)]]
    with scripted(steps) as (broker, server):
        got = broker.daily_closes(["MSFT", "BTC/USD", "AAPL", "GONE"], 5)
    assert got.symbols == ("AAPL", "BTC/USD", "GONE", "MSFT")
    assert got.days == (date(2026, 11, 17), date(2026, 11, 18), date(2026, 11, 19))
    assert {name: [None if math.isnan(close) else close for close in row] for name, row in got.closes.items()} == {
        "AAPL": [1.1, 1.2, 1.3],
        "BTC/USD": [17.0, 18.0, 19.0],
        "GONE": [None, None, None],
        "MSFT": [None, 2.2, None],
    }
    first = "/v2/stocks/bars?symbols=AAPL%2CGONE%2CMSFT&timeframe=1Day&start=2026-11-05&end=2026-11-20&limit=10000"
    assert [seen.path for seen in server.requests[1:]] == [
        f"{first}&adjustment=all&feed=iex",
        f"{first}&adjustment=all&feed=iex&page_token=p",
        "/v1beta3/crypto/us/bars?symbols=BTC%2FUSD&timeframe=1Day&start=2026-11-05&end=2026-11-20&limit=10000",
    ]


def test_bars_whose_pages_repeat_are_no_bars() -> None:
    page = reply(200, '{"bars":{},"next_page_token":"p"}')
    with (
        scripted([reply(200, CLOCK), page], repeat_last=True) as (broker, _),
        pytest.raises(BrokerUnavailable, match="repeats"),
    ):
        broker.daily_closes(["AAPL"], 3)


def test_activities() -> None:
    fill = {
        "activity_type": "FILL",
        "id": "20261120103509981::a",
        "type": "fill",
        "qty": "2",
        "price": "174.78",
        "side": "buy",
        "symbol": "AAPL",
        "order_id": "o-1",
        "transaction_time": "2026-11-20T15:35:09.981482Z",
    }
    rows = [
        fill,
        {**fill, "id": "b", "side": "sell_short", "symbol": "BTCUSD"},
        {"activity_type": "DIV", "id": "c", "date": "2026-11-19", "net_amount": "1.02", "symbol": "T", "qty": "2"},
        {"activity_type": "FEE", "id": "d", "date": "2026-11-19", "net_amount": "-0.03", "a_new_field": 1},
    ]
    after = datetime(2026, 11, 19, 21, tzinfo=UTC)
    with scripted([reply(200, json.dumps(rows))]) as (broker, server):
        fills, others = broker.activities(after)
    at = datetime(2026, 11, 20, 15, 35, 9, 981482, UTC)
    assert fills == (
        Fill("20261120103509981::a", "o-1", "AAPL", Decimal(2), Decimal("174.78"), at),
        Fill("b", "o-1", "BTC/USD", Decimal(-2), Decimal("174.78"), at),
    )
    assert others == (
        Activity("c", "DIV", "T", Decimal(2), Decimal("1.02"), date(2026, 11, 19)),
        Activity("d", "FEE", None, Decimal(0), Decimal("-0.03"), date(2026, 11, 19)),
    )
    assert server.requests[0].path == (
        "/v2/account/activities?after=2026-11-19T21%3A00%3A00Z&direction=asc&page_size=100"
    )
