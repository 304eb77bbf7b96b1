"""Prices from files: every form, and a clear refusal of what cannot be used."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.research.bar_times import moment_at
from rebalancer.research.price_files import PriceHistory, between, read_prices

WIDE = "date,MSFT,AAPL\n2026-01-02,10,1\n2026-01-05,11,2\n2026-01-06,,3\n"
NAN = float("nan")


def read(folder: Path, text: str, name: str = "prices.csv") -> PriceHistory:
    path = folder / name
    path.write_text(text)
    return read_prices(path)


def times(history: PriceHistory) -> list[str]:
    return [moment_at(ns).isoformat() for ns in history.market.times.tolist()]


def test_wide_days_stand_for_the_close_in_new_york(tmp_path: Path) -> None:
    found = read(tmp_path, WIDE)
    market = found.market
    assert (market.symbols, found.is_daily) == (("AAPL", "MSFT"), True)
    assert times(found) == ["2026-01-02T21:00:00+00:00", "2026-01-05T21:00:00+00:00", "2026-01-06T21:00:00+00:00"]
    np.testing.assert_array_equal(market.close, [[1, 10], [2, 11], [3, NAN]])
    assert (market.open, market.volume) == (None, None)
    assert market.day.tolist() == [date(2026, 1, day).toordinal() for day in (2, 5, 6)]
    assert market.is_last_of_day.tolist() == [True, True, True]
    assert found.counts == {"missing_prices": 1, "bars_without_prices": 0, "suspected_splits": 1}
    assert "AAPL 1:2" in found.warnings[1]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2026-01-02T14:35:00Z", "2026-01-02T14:40:00Z", "2026-01-02T14:35:00+00:00"),
        ("2026-01-02T09:35:00-05:00", "2026-01-02T09:40:00-05:00", "2026-01-02T14:35:00+00:00"),
        ("2026-01-02 09:35:00", "2026-01-02 09:40:00", "2026-01-02T14:35:00+00:00"),
        ("2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-02T21:00:00+00:00"),
        ("2026-01-02T05:00:00Z", "2026-01-05T05:00:00Z", "2026-01-02T21:00:00+00:00"),
        ("20260102", "20260105", "2026-01-02T21:00:00+00:00"),
    ],
)
def test_times(first: str, second: str, expected: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"timestamp,A\n{first},1\n{second},1.1\n")
    assert times(found)[0] == expected
    assert found.is_daily == ("21:00" in expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("date,A\n2026-01-02,1\n2026-01-02,2\n", ":3: date: 2026-01-02 stands twice"),
        ("date,A\n2026-01-05,1\n2026-01-02,2\n", ":3: date: 2026-01-02 is earlier than the row before it"),
        ("date,A,B\n2026-01-02,1,2\n2026-01-05,0,2\n", ":3: A: 0 is not a price above 0"),
        ("date,A,B\n2026-01-02,1,2\n2026-01-05,2,-3\n", ":3: B: -3 is not a price above 0"),
        ("date,A\n2026-01-02,one\n", ":2: A: 'one' is not a number"),
        ("date,A\n2026-01-02,inf\n", ":2: A: a price is not finite"),
        ("date,A\n02/01/2026,1\n", ":2: date: 02/01/2026 can be read two ways"),
        ("date,A\n1767366000,1\n", ":2: date: '1767366000' is not a time"),
        ("timestamp,A\n2026-01-02T14:35:00Z,1\n2026-01-02 14:40:00,1\n", ":3: timestamp: 2026-01-02 14:40:00 has no"),
        ("timestamp,A\n2026-01-02T14:35:00Z,1\n2026-01-05,1\n", ":3: timestamp: 2026-01-05 is a day"),
        ("date,A\n,1\n", ":2: date: has no time"),
        ("date,A,A\n2026-01-02,1,1\n", ":1: 'A': stands twice"),
        ("date,A,a\n2026-01-02,1,1\n", "'a': A has two columns"),
        ("date,A,B\n2026-01-02,1\n", ":2: has 2 columns and the header has 3"),
        ("date,A,B\n2026-01-02,1,\n", ": B: has no price at all"),
        ("name,A\n2026-01-02,1\n", "'name': is not a column of times"),
        ("date,A\n", ":1: has a header and no rows"),
        ("", ": is empty"),
        ("timestamp,symbol,close\n2026-01-05,A,1\n2026-01-02,A,1\n", ":3: A: its time is earlier than the row"),
        ("timestamp,symbol,close\n2026-01-05,A,1\n2026-01-05,A,1\n", ":3: A: its time stands twice"),
        ("timestamp,symbol,close\n2026-01-05,AПPL,1\n", ":2: symbol: 'AПPL' holds letters"),
        ("timestamp,symbol,open\n2026-01-05,A,1\n", ": has no column close"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadDocument) as caught:
        read(tmp_path, text)
    where, problem = str(tmp_path / "prices.csv"), str(caught.value).split("\n")[0]
    assert problem.startswith(where)
    assert expected in problem
    assert caught.value.hint


def test_semicolons_comments_and_decimal_commas(tmp_path: Path) -> None:
    found = read(tmp_path, "# from a spreadsheet\ndate;A;B\n2026-01-02;1,5;2\n2026-01-05;1,25;2,5\n\n")
    np.testing.assert_array_equal(found.market.close, [[1.5, 2], [1.25, 2.5]])


LONG = (
    "timestamp,symbol,open,close,volume\n2026-01-02,B,9,10,100\n2026-01-02,A,1,1.5,7\n2026-01-05,A,2,2.5,8\n"
    "2026-01-06,B,12,13,300\n"
)


def check_long(found: PriceHistory) -> None:
    market = found.market
    assert market.symbols == ("A", "B")
    np.testing.assert_array_equal(market.close, [[1.5, 10], [2.5, NAN], [NAN, 13]])
    np.testing.assert_array_equal(market.open, [[1, 9], [2, NAN], [NAN, 12]])
    np.testing.assert_array_equal(market.volume, [[7, 100], [8, NAN], [NAN, 300]])
    assert found.counts["missing_prices"] == 2


def test_long_rows(tmp_path: Path) -> None:
    check_long(read(tmp_path, LONG))


def test_alpaca_bars(tmp_path: Path) -> None:
    def bar(day: int, opened: float, close: float, volume: int) -> dict[str, object]:
        at = f"2026-01-{day:02}T05:00:00Z"
        return {"t": at, "o": opened, "h": 20, "l": 1, "c": close, "v": volume, "n": 1, "vw": 2}

    bars = {"A": [bar(2, 1, 1.5, 7), bar(5, 2, 2.5, 8)], "B": [bar(2, 9, 10, 100), bar(6, 12, 13, 300)]}
    check_long(read(tmp_path, json.dumps({"bars": bars, "next_page_token": None}), "bars.json"))
    more = read(tmp_path, json.dumps({"bars": bars["A"], "symbol": "A", "next_page_token": "x"}), "bars.json")
    assert "next_page_token" in more.warnings[-1]


def test_a_folder_has_a_symbol_in_each_file(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(
        "timestamp,open,high,low,close,volume\n2026-01-02,1,2,1,1.5,7\n2026-01-05,2,3,1,2.5,8\n"
    )
    (tmp_path / "B.csv").write_text(
        "timestamp,open,high,low,close,volume\n2026-01-02,9,10,9,10,100\n2026-01-06,12,13,12,13,300\n"
    )
    check_long(read_prices(tmp_path))


def test_frames_and_parquet(tmp_path: Path) -> None:
    days = pd.to_datetime(["2026-01-02", "2026-01-05", "2026-01-06"])
    frame = pd.DataFrame({"MSFT": [10, 11, None], "AAPL": [1.0, 2, 3]}, index=days)
    frame.to_parquet(tmp_path / "prices.parquet")
    for found in (read_prices(frame), read_prices(tmp_path / "prices.parquet"), read_prices(frame.tz_localize("UTC"))):
        np.testing.assert_array_equal(found.market.close, [[1, 10], [2, 11], [3, NAN]])
        assert times(found)[0] == "2026-01-02T21:00:00+00:00"


def test_adjusted_closes_are_used(tmp_path: Path) -> None:
    text = "date,open,high,low,close,adj close,volume\n2026-01-02,100,110,90,100,50,1\n2026-01-05,52,55,50,54,54,1\n"
    found = read(tmp_path, text, "NVDA.csv")
    np.testing.assert_array_equal(found.market.close, [[50], [54]])
    np.testing.assert_array_equal(found.market.open, [[50], [52]])


def test_volume_weighted_averages(tmp_path: Path) -> None:
    text = "timestamp,symbol,close,vwap\n2026-01-02,AAA,100,99\n2026-01-05,AAA,102,101.5\n"
    found = between(read(tmp_path, text), date(2026, 1, 5), None)
    assert found.market.vwap is not None
    np.testing.assert_array_equal(found.market.vwap, [[101.5]])
    text = "date,open,high,low,close,adj close,vwap\n2026-01-02,100,110,90,100,50,98\n"
    adjusted = read(tmp_path, text, "NVDA.csv").market
    assert adjusted.vwap is not None
    np.testing.assert_array_equal(adjusted.vwap, [[49]])


def test_between_includes_both_days(tmp_path: Path) -> None:
    found = read(tmp_path, WIDE)
    assert times(between(found, date(2026, 1, 5), date(2026, 1, 5))) == ["2026-01-05T21:00:00+00:00"]
    with pytest.raises(BadDocument, match="leave no bar"):
        between(found, date(2027, 1, 1), None)


def test_a_split_is_counted(tmp_path: Path) -> None:
    found = read(tmp_path, "date,NVDA\n2024-06-07,1208.88\n2024-06-10,121.79\n2024-06-11,120.91\n")
    assert found.counts["suspected_splits"] == 1
    assert found.warnings == (
        f"1 steps look like unadjusted splits, the first NVDA 10:1 at {tmp_path / 'prices.csv'}:3: use "
        "adjusted prices, or give the splits with --actions",
    )
