"""Recorded bars in Parquet files: the same as in CSV files, mistakes explained, and pyarrow optional."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.exchange import market_data
from rebalancer.exchange.calendar import build_sessions, micros_of
from rebalancer.exchange.market.replay_files import read_recordings
from rebalancer.exchange.starter import ExchangeUnavailable
from tests.exchange.test_exchange_replay import DAYS, HEADER, OPEN, replaying

needs_pyarrow = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is optional")


def test_parquet_without_pyarrow_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is installed here or not: its import is blocked."""
    build_sessions()  # pandas has its own use for pyarrow, and is not what is tested
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "KO.parquet").write_bytes(b"PAR1")
    words = r"KO\.parquet: is a Parquet file, and pyarrow is not installed\n  hint: install pyarrow, or save it as CSV"
    with pytest.raises(BadDocument, match=words):
        read_recordings(tmp_path)
    with pytest.raises((ValueError, ExchangeUnavailable), match="pyarrow is not installed"):
        replaying(tmp_path)


def test_csv_files_need_no_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "KO.csv").write_text(HEADER + DAYS)
    assert list(read_recordings(tmp_path)[0]) == ["KO"]


_PLACES = {"timestamp": 0, "Date": 0, "symbol": 1, "ticker": 1, "open": 2, "o": 2, "high": 3, "h": 3, "low": 4, "l": 4,
           "close": 5, "c": 5, "volume": 6, "v": 6}  # fmt: skip
COLUMNS = {
    "several symbols": ["timestamp", "symbol", "open", "high", "low", "close", "volume"],
    "other names and order": ["v", "c", "l", "h", "o", "ticker", "Date"],
}


@needs_pyarrow
@pytest.mark.parametrize("kind", ["float", "decimal", "string"])
@pytest.mark.parametrize("names", COLUMNS)
@pytest.mark.parametrize("days", [False, True], ids=["minutes", "days"])
def test_csv_and_parquet_give_the_same_bars(tmp_path: Path, kind: str, names: str, days: bool) -> None:
    """The whole way: two exchanges over the two kinds of files serve the same bars, trades and quotes."""
    header = COLUMNS[names]
    rows = [row for symbol in ("ACME", "BTC/USD") for row in recorded_rows(symbol, days=days)]
    served = []
    for form in ("csv", "parquet"):
        directory = tmp_path / form
        directory.mkdir()
        write_rows(directory / f"bars.{form}", header, rows, kind)
        exchange = replaying(directory, start=datetime(2025, 3, 14, 20, 30, tzinfo=UTC))
        asked = {"start": "2025-03-10", "limit": "10000", "timeframe": "1Min" if not days else "1Day"}
        served.append(
            [
                market_data.page(exchange, page, {**asked, "symbols": symbol}, names_as)
                for page in ("bars", "trades", "quotes")
                for symbol, names_as in (("ACME", "stocks"), ("BTC/USD", "pairs"))
            ]
        )
        exchange.close()
    assert served[0] == served[1]
    made = [row for row in served[0][0]["bars"]["ACME"] if row["v"] > 4]
    assert [(row["o"], row["h"], row["l"], row["c"], row["v"]) for row in made] == [
        tuple(float(cell) for cell in row[2:]) for row in rows if row[1] == "ACME"
    ]


def recorded_rows(symbol: str, *, days: bool) -> list[tuple[datetime, str, *tuple[Decimal, ...]]]:
    """Five bars: time, symbol, open, high, low, close, volume."""
    step = timedelta(days=1) if days else timedelta(minutes=1)
    first = datetime(2025, 3, 10, tzinfo=UTC) if days else OPEN
    whole = [(Decimal(1000 + 3 * n), Decimal(1011 + 3 * n), Decimal(995 + n), Decimal(1004 + n)) for n in range(5)]
    return [
        (first + number * step, symbol, *(cents / 100 for cents in prices), Decimal(7000 + number))
        for number, prices in enumerate(whole)
    ]


def write_rows(path: Path, header: list[str], rows: list[tuple[Any, ...]], kind: str) -> None:
    """Columns in the header's order; numbers as floats, decimals or text."""
    columns = {name: [row[_PLACES[name]] for row in rows] for name in header}
    if path.suffix == ".csv":
        lines = [",".join(header)]
        lines += [",".join(_cell(columns[name][number]) for name in header) for number in range(len(rows))]
        path.write_text("\n".join(lines) + "\n")
        return
    import pyarrow
    import pyarrow.parquet

    make = {"float": float, "decimal": lambda one: one, "string": str}[kind]
    table = {name: [make(c) if isinstance(c, Decimal) else c for c in cells] for name, cells in columns.items()}
    pyarrow.parquet.write_table(pyarrow.table(table), path)


def _cell(value: object) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)


@needs_pyarrow
def test_parquet_columns_of_other_kinds(tmp_path: Path) -> None:
    """Dates, times of another zone, whole numbers, and columns that nobody asked for."""
    import pyarrow
    import pyarrow.parquet

    new_york = timezone(timedelta(hours=-4))
    for name, times in (
        ("KO", [date(2025, 3, 10), date(2025, 3, 11)]),
        ("ACME", [OPEN.astimezone(new_york), OPEN.astimezone(new_york) + timedelta(minutes=1)]),
    ):
        prices = {column: [10, 11] for column in ("open", "high", "low", "close")}
        pyarrow.parquet.write_table(
            pyarrow.table({"note": ["a", None], "time": times, **prices}), tmp_path / f"{name}.parquet"
        )
    found = read_recordings(tmp_path)[0]
    assert {name: (one.width, one.open.tolist(), one.volume.tolist()) for name, one in found.items()} == {
        "ACME": (60_000_000, [1000, 1100], [0, 0]),
        "KO": (0, [1000, 1100], [0, 0]),
    }
    assert found["ACME"].at[0] == micros_of(OPEN)


@needs_pyarrow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"close": None}, r"KO\.parquet:1: has no column close|KO\.parquet: has no column close"),
        ({"open": [1.0, None]}, r"KO\.parquet: row 2: open: None is not a number"),
        ({"open": [1.0, float("nan")]}, r"KO\.parquet: row 2: open: nan is not a number"),
        ({"low": [-1.0, 1.0]}, r"KO\.parquet: row 1: low: -1.0 is not a price above 0"),
        ({"timestamp": ["2025-03-10", "soon"]}, r"KO\.parquet: row 2: timestamp: 'soon' is not a time"),
        ({"timestamp": [None, None]}, r"KO\.parquet: row 1: timestamp: 'None' is not a time"),
        ({"timestamp": ["2025-03-11", "2025-03-10"]}, r"KO\.parquet: row 2: .* not in the order of time"),
    ],
)
def test_mistakes_in_parquet_name_file_row_and_column(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, Any] = {"timestamp": ["2025-03-10", "2025-03-11"]}
    columns |= {name: [1.0, 1.0] for name in ("open", "high", "low", "close")} | change
    table = pyarrow.table({name: cells for name, cells in columns.items() if cells is not None})
    pyarrow.parquet.write_table(table, tmp_path / "KO.parquet")
    with pytest.raises(BadDocument, match=words):
        read_recordings(tmp_path)


@needs_pyarrow
def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "KO.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(BadDocument, match=r"KO\.parquet: cannot be read"):
        read_recordings(tmp_path)
