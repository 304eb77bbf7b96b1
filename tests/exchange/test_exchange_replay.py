"""Recorded bars played back: what went in comes out, the same every time, and mistakes in files are explained."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.exchange import market_data
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.market.replay_files import read_recordings
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import ExchangeUnavailable, open_exchange
from rebalancer.exchange.streams.market_feed import MarketFeed

HEADER = "timestamp,open,high,low,close,volume\n"
OPEN = datetime(2025, 3, 10, 13, 30, tzinfo=UTC)  # a Monday in summer time
DAYS = "2025-03-07,100,101,99,100.5,5000\n2025-03-10,100.5,104,100,103,6000\n2025-03-11,103,103.5,98,99,7000\n"


def minute_lines(prices: list[tuple[int, int, int, int, int]], opened: datetime = OPEN) -> str:
    lines = []
    for number, (o, h, low, c, v) in enumerate(prices):
        at = opened + timedelta(minutes=number)
        cells = ",".join(f"{cents // 100}.{cents % 100:02d}" for cents in (o, h, low, c))
        lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{cells},{v}\n")
    return "".join(lines)


def replaying(directory: Path, **changes: Any) -> Exchange:
    return open_exchange(ExchangeOptions(replay=directory, speed=0, partial_fill_probability=0)._replace(**changes))


def bars(exchange: Exchange, symbol: str, frame: str, start: str) -> list[dict[str, Any]]:
    asked = {"symbols": symbol, "timeframe": frame, "start": start, "limit": "10000"}
    names = "pairs" if "/" in symbol else "stocks"
    return market_data.page(exchange, "bars", asked, names)["bars"].get(symbol, [])  # type: ignore[attr-defined]


BAR = st.tuples(*[st.integers(500, 60_000)] * 4, st.integers(1, 10**6)).map(
    lambda p: (p[0], max(p[:4]), min(p[:4]), p[3], p[4])
)


@settings(max_examples=20, deadline=None)
@given(st.lists(BAR, min_size=1, max_size=390))
def test_minute_bars_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, made: list[Any]) -> None:
    directory = tmp_path_factory.mktemp("replay")
    (directory / "ACME.csv").write_text(HEADER + minute_lines(made))
    exchange = replaying(directory)
    exchange.clock.advance(len(made) * 60)
    found = bars(exchange, "ACME", "1Min", "2025-03-10")[: len(made)]
    assert [(b["o"], b["h"], b["l"], b["c"]) for b in found] == [tuple(p / 100 for p in one[:4]) for one in made]
    volumes = [b["v"] for b in found]
    assert volumes == [one[4] for one in made]
    exchange.close()


def test_the_last_bar_of_a_session_is_whole_too(tmp_path: Path) -> None:
    (tmp_path / "ACME.csv").write_text(
        HEADER + minute_lines([(1000 + n, 1003 + n, 999 + n, 1001 + n, 50 + n) for n in range(390)])
    )
    exchange = replaying(tmp_path)
    exchange.clock.advance(7 * 3600)
    found = bars(exchange, "ACME", "1Min", "2025-03-10")
    assert [(b["o"], b["c"], b["v"]) for b in found] == [
        ((1000 + n) / 100, (1001 + n) / 100, 50 + n) for n in range(390)
    ]
    (day,) = bars(exchange, "ACME", "1Day", "2025-03-10")
    assert (day["o"], day["h"], day["l"], day["c"]) == (10.0, 13.92, 9.99, 13.9)
    assert day["v"] == sum(50 + n for n in range(390))
    exchange.close()


def test_daily_bars_come_out_as_they_went_in(tmp_path: Path) -> None:
    (tmp_path / "KO.csv").write_text(HEADER + DAYS)
    exchange = replaying(tmp_path, start=datetime(2025, 3, 11, 21, tzinfo=UTC))
    found = bars(exchange, "KO", "1Day", "2025-03-01")
    assert [(b["t"], b["o"], b["h"], b["l"], b["c"], b["v"]) for b in found if b["t"] >= "2025-03-07"] == [
        ("2025-03-07T05:00:00Z", 100.0, 101.0, 99.0, 100.5, 5000),
        ("2025-03-10T04:00:00Z", 100.5, 104.0, 100.0, 103.0, 6000),
        ("2025-03-11T04:00:00Z", 103.0, 103.5, 98.0, 99.0, 7000),
    ]
    assert [b["c"] for b in bars(exchange, "KO", "1Hour", "2025-03-11T13:00:00Z")][-1] == 99.0
    exchange.close()


def test_a_fresh_replay_begins_at_its_first_open_and_lists_only_what_was_recorded(tmp_path: Path) -> None:
    (tmp_path / "KO.csv").write_text(HEADER + DAYS)
    (tmp_path / "BTC-USD.csv").write_text(HEADER + "2025-03-10T00:00:00Z,80000,80010.5,79990,80001,0.5\n")
    exchange = replaying(tmp_path)
    assert exchange.clock.now() == datetime(2025, 3, 7, 14, 30, tzinfo=UTC)
    assert list(exchange.market.listings) == ["BTC/USD", "KO"]
    assert exchange.account()["cash"] == "100000"
    exchange.close()


def test_orders_fill_at_recorded_prices(tmp_path: Path) -> None:
    (tmp_path / "KO.csv").write_text(HEADER + DAYS)
    exchange = replaying(tmp_path, start=datetime(2025, 3, 10, 14, tzinfo=UTC))
    order = exchange.submit(
        {"symbol": "KO", "qty": 1, "side": "buy", "type": "limit", "limit_price": "100.01", "time_in_force": "day"}
    )
    exchange.clock.advance(8 * 3600)
    exchange.catch_up()
    stored = exchange.store.order("id", str(order["id"]))
    assert stored is not None
    assert (stored.status, stored.filled_value) == ("filled", Decimal("100.01"))  # the low, and half the spread
    assert exchange.market.last("KO", exchange.clock.micros()) == Decimal(103)
    exchange.close()


def test_crypto_goes_by_utc_days(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(
        "Date,Symbol,O,H,L,C,V\n2025-03-08,BTC/USD,80000,82000,79000,81000,1.5\n2025-03-09,BTC/USD,81000,81500,80000,80500,2\n"
    )
    exchange = replaying(tmp_path, start=datetime(2025, 3, 10, 1, tzinfo=UTC))
    found = bars(exchange, "BTC/USD", "1Day", "2025-03-08")
    assert [(b["t"], b["o"], b["h"], b["l"], b["c"], b["v"]) for b in found[:2]] == [
        ("2025-03-08T00:00:00Z", 80000.0, 82000.0, 79000.0, 81000.0, 1.5),
        ("2025-03-09T00:00:00Z", 81000.0, 81500.0, 80000.0, 80500.0, 2.0),
    ]
    exchange.close()


def test_the_stream_tells_the_same_twice(tmp_path: Path) -> None:
    (tmp_path / "ACME.csv").write_text(HEADER + minute_lines([(1000, 1010, 990, 1005, 7), (1005, 1020, 1000, 1001, 9)]))
    told = []
    for _ in range(2):
        exchange = replaying(tmp_path)
        feed = MarketFeed(exchange, "stocks")
        for channel in ("trades", "quotes", "bars"):
            feed.subscribe(channel, ["ACME"])
        exchange.clock.advance(120)
        told.append(json.dumps(feed.news(), default=str))
        exchange.close()
    assert told[0] == told[1]
    assert [one["p"] for one in json.loads(told[0]) if one["T"] == "t"] == [
        9.9,
        10.1,
        10.05,
        10.05,
        10.2,
        10.0,
        10.01,
        10.01,
    ]


def test_a_state_belongs_to_its_recording(tmp_path: Path) -> None:
    recorded, state = tmp_path / "bars", tmp_path / "state.db"
    recorded.mkdir()
    (recorded / "KO.csv").write_text(HEADER + DAYS)
    replaying(recorded, state=state).close()
    replaying(recorded, state=state).close()
    with pytest.raises(ValueError, match="with another replay"):
        open_exchange(ExchangeOptions(state=state))
    (recorded / "KO.csv").write_text(HEADER + DAYS.replace("103", "104"))
    with pytest.raises(ValueError, match=r"state\.db was made with another replay: give the same --replay"):
        replaying(recorded, state=state)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("KO.csv", "", r"KO\.csv:1: has no column timestamp"),
        ("KO.csv", "timestamp,open,high,low\n", r"KO\.csv:1: has no column close"),
        ("KO.csv", HEADER + "2025-03-10,1,1\n", r"KO\.csv:2: has 3 values"),
        ("KO.csv", HEADER + "2025-03-10,x,1,1,1,1\n", r"KO\.csv:2: open: 'x' is not a number"),
        ("KO.csv", HEADER + "2025-03-10,NaN,1,1,1,1\n", r"KO\.csv:2: open: 'NaN' is not a number"),
        ("KO.csv", HEADER + "2025-03-10,0,1,1,1,1\n", r"KO\.csv:2: open: '0' is not a price"),
        ("KO.csv", HEADER + "2025-03-10,3,2,1,1,1\n", r"KO\.csv:2: high: open and close do not lie"),
        ("KO.csv", HEADER + "2025-03-10,1,1,1,1,-5\n", r"KO\.csv:2: volume: '-5' is not a volume"),
        ("KO.csv", HEADER + "10.3.2025 14:00,1,1,1,1,1\n", r"KO\.csv:2: timestamp: .* is not a time with an offset"),
        ("KO.csv", HEADER + "2025-03-10 14:00:00,1,1,1,1,1\n", r"KO\.csv:2: timestamp: .* is not a time with"),
        ("KO.csv", HEADER + "2025-03-11,1,1,1,1,1\n2025-03-10,1,1,1,1,1\n", r"KO\.csv:3: .* not in the order of time"),
        ("K O.csv", HEADER + "2025-03-10,1,1,1,1,1\n", r"K O\.csv:2: symbol: 'K O' is not a symbol"),
        ("KO.csv", HEADER, r"holds no bars"),
        ("KO.csv", HEADER + "2025-03-10T14:00:00Z,1,1,1,1,1\n2025-03-10T14:00:01Z,1,1,1,1,1\n", "less than a minute"),
        ("KO.txt", HEADER, r"holds no \.csv and no \.parquet file"),
    ],
)
def test_mistakes_name_file_line_and_column(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadDocument, match=words):
        read_recordings(tmp_path)
    with pytest.raises((ValueError, ExchangeUnavailable), match=words):
        replaying(tmp_path)


def test_one_symbol_in_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "KO.csv").write_text(HEADER + DAYS)
    (tmp_path / "all.csv").write_text("symbol," + HEADER + "KO,2025-03-12,1,1,1,1,1\n")
    with pytest.raises(BadDocument, match=r"KO is in KO\.csv too"):
        read_recordings(tmp_path)


def test_bars_outside_every_session_are_refused(tmp_path: Path) -> None:
    (tmp_path / "KO.csv").write_text(HEADER + "2025-03-08,1,1,1,1,1\n")  # a Saturday
    with pytest.raises(ValueError, match="outside every trading session"):
        replaying(tmp_path)


def test_bars_of_an_hour_with_little_volume_have_minutes_without_any(tmp_path: Path) -> None:
    (tmp_path / "KO.csv").write_text(HEADER + "2025-03-10T14:00:00Z,10,12,9,11,3\n2025-03-10T15:00:00Z,11,11,11,11,0\n")
    exchange = replaying(tmp_path, start=datetime(2025, 3, 10, 19, tzinfo=UTC))
    found = bars(exchange, "KO", "1Min", "2025-03-10T14:00:00Z")
    assert {row["v"] for row in found[1:60]} == {0}
    assert [(row["vw"], row["n"]) for row in found[1:60]] == [(row["c"], 4) for row in found[1:60]]
    (hour, *_) = bars(exchange, "KO", "1Hour", "2025-03-10T14:00:00Z")
    assert [hour[key] for key in "ohlcv"] == [10.0, 12.0, 9.0, 11.0, 3]
    exchange.close()
