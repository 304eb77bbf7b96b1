"""Every format: files of the libraries themselves, spellings that mean the same, and what can be read two ways."""

# ruff: noqa: E501 - the tables are read line by line

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.core.rules import Rules
from rebalancer.signals.formats.cells import moment_of, number_of, number_style
from rebalancer.signals.formats.csv_grid import csv_grid
from rebalancer.signals.formats.read_file import Context, read_grid
from rebalancer.signals.reading import DEFAULT_UNIT, WeightUnit
from rebalancer.signals.signal_row import BadCell
from tests.signals.files import NOW, WRITTEN, write
from tests.signals.formats import SAVED, opened, read, refusal, told

SIXTY_FORTY = {"SPY": "0.6", "AGG": "0.4"}
POSITIONS = {"AAPL": "0.604424570487", "KO": "0.160225935514"}
RANKS = {"AAPL": "0.5167", "AGG": "0.075", "KO": "-0.075", "MSFT": "-0.5167", "SPY": "-0.025", "XOM": "0.025"}
LIBRARIES = {
    "pandas_long.csv": ("targets_long", SIXTY_FORTY),
    "pandas_german.csv": ("targets_long", SIXTY_FORTY),
    "pandas_long.parquet": ("targets_long", SIXTY_FORTY),
    "pandas_long.xlsx": ("targets_long", SIXTY_FORTY),
    "pandas_records.json": ("targets_long", SIXTY_FORTY),
    "pandas_series.csv": ("targets_long", SIXTY_FORTY),
    "pandas_wide.csv": ("targets_wide", SIXTY_FORTY),
    "pandas_wide.parquet": ("targets_wide", SIXTY_FORTY),
    "pandas_wide.xlsx": ("targets_wide", SIXTY_FORTY),
    "pandas_wide_zone.csv": ("targets_wide", SIXTY_FORTY),
    "openpyxl_percent.xlsx": ("targets_long", SIXTY_FORTY),
    "bt_weights.csv": ("targets_wide", {"SPY": "0.598490720434543", "AGG": "0.4011133308540278"}),
    "pyfolio_positions.csv": ("pyfolio", POSITIONS),
    "pyfolio_positions.parquet": ("pyfolio", POSITIONS),
    "alphalens_factor.csv": ("alphalens", RANKS),
    "alphalens_factor.parquet": ("alphalens", RANKS),
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_files_that_the_libraries_saved(name: str) -> None:
    assert told(opened(SAVED / name)) == LIBRARIES[name]


def test_every_saved_file_is_tried() -> None:
    assert {path.name for path in SAVED.glob("*.*")} - {"make.py", "pandas_unnamed.csv"} == set(LIBRARIES)


def test_a_series_without_a_name_can_be_read_two_ways() -> None:
    with pytest.raises(BadDocument, match=r":1: the file can be read two ways: target weights, or scores"):
        opened(SAVED / "pandas_unnamed.csv")


OTHERS = [
    ("d.csv", "numerai_ticker,signal\nAAPL US,0.75\nMSFT US,0.1\n", ("numerai", {"AAPL": "0.50", "MSFT": "-0.8"})),
    ("d.csv", "symbol,score,confidence\nAAPL,0.5,1\n", ("scores", {"AAPL": "0.5"})),
    ("d.csv", "Ticker;Score;Confidence\nAAPL;0,5;1\n", ("scores", {"AAPL": "0.5"})),
    ("d.csv", "datetime,instrument,score\n2026-11-20,A,1\n2026-11-20,B,2\n", ("alphalens", {"A": "-0.075", "B": "0.075"})),
    ("d.csv", "date,symbol,weight\n2026-11-19,A,1\n2026-11-20,B,0.5\n2027-01-01,C,1\n", ("targets_long", {"B": "0.5"})),
    ("d.csv", "date,A,B,C\n2026-11-19,1,,\n2026-11-20,0,0.5,\n", ("targets_wide", {"A": "0", "B": "0.5"})),
    ("d.csv", "date,Equity(8554 [SPY]),cash\n2026-11-20,3000,1000\n", ("pyfolio", {"SPY": "0.750000000000"})),
    ("d.csv", "date,SPY,cash\n2026-11-20,0.6,0.4\n", ("pyfolio", {"SPY": "0.600000000000"})),
    ("d.txt", "buy AAPL 0.8\n\nSELL msft\nclose KO\n", ("tradingview", {"AAPL": "1.0", "MSFT": "-1.0", "KO": "0.0"})),
    ("d.json", {"ticker": "NASDAQ:AAPL", "action": "buy", "contracts": 5, "close": 1.2}, ("tradingview", {"AAPL": "1.0"})),
    ("d.json", {"ticker": "AAPL", "action": "sell", "market_position": "flat"}, ("tradingview", {"AAPL": "0"})),
    ("d.json", [{"ticker": "BTCUSD", "action": "close"}], ("tradingview", {"BTC/USD": "0.0"})),
    (
        "d.json",
        {
            "weights": [
                {"type": "cash", "percent": "10"},
                {"type": "asset", "symbol": "AAPL", "percent": "45"},
                {"type": "asset", "symbol": "KO", "percent": 45},
            ]
        },
        ("alpaca_portfolio", {"AAPL": "0.45", "KO": "0.45"}),
    ),
    (
        "d.json",
        {
            "schema": "rebalancer.targets/1",
            "as_of": "2026-11-20",
            "weights_of": "capital",
            "targets": [{"symbol": "SPY", "weight": "0.60"}, {"symbol": "CASH", "weight": 0.1}],
        },
        ("targets_long", {"SPY": "0.60", "CASH": "0.1"}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "expected"), OTHERS)
def test_other_formats(name: str, content: object, expected: object, tmp_path: Path) -> None:
    assert told(read(tmp_path, content if isinstance(content, str) else json.dumps(content), name)) == expected


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, "# complete: true\n# mine\n\nsymbol,weight\n\nSPY,0.6\nAGG,0.4\n")
    assert ([row.line for row in found.rows], found.complete) == ([6, 7], True)
    assert [row.line for row in opened(SAVED / "openpyxl_percent.xlsx").rows] == [2, 3]
    assert [row.line for row in opened(SAVED / "pandas_long.parquet").rows] == [1, 2]
    assert [row.line for row in opened(SAVED / "pandas_records.json").rows] == [1, 2]


def test_an_alert_is_a_whole_signal(tmp_path: Path) -> None:
    alert = {"ticker": "AAPL", "action": "buy", "confidence": 0.8, "id": "a-1", "timenow": "2026-11-20T15:34:00Z"}
    found = read(tmp_path, json.dumps(alert), "tv.json")
    issued = datetime(2026, 11, 20, 15, 34, tzinfo=UTC)
    assert [row.signal for row in found.rows] == [Signal("a-1", "AAPL", 1.0, 0.8, "tv", issued)]
    flat = read(tmp_path, json.dumps(alert | {"market_position": "flat", "action": "sell"}), "tv.json")
    assert [row.signal for row in flat.rows] == [Signal.of_target("a-1", "AAPL", Decimal(0), "tv", issued)]
    assert [row.kind for row in flat.rows] == ["target"]


def test_a_portfolio_of_alpaca_says_what_is_not_applied(tmp_path: Path) -> None:
    weights = [{"type": "asset", "symbol": "AAPL", "percent": "100"}]
    conditions = [{"type": "drift_band", "sub_type": "absolute", "percent": "5"}]
    found = read(
        tmp_path, json.dumps({"weights": weights, "rebalance_conditions": conditions, "cooldown_days": 7}), "p.json"
    )
    assert found.warnings == (
        "rebalance_conditions is not applied: set position_sizing.no_trade_band and execution.interval_minutes",
        "cooldown_days is not applied: set execution.interval_minutes",
    )


AMBIGUOUS = [
    ("symbol,weight\nA,60%\nB,0.4\n", "some weights have a per cent sign and others have none: 0.4 can be read two ways: 40 %, or 0.4 %"),
    ("symbol,percent\nA,60%\nB,40%\n", "the column percent can be read two ways: its signs repeat what it says, or per cent of per cent; leave the signs out, or call it weight"),
    ('symbol,weight\nA,"1,234"\n', "desk.csv: 1,234 can be read two ways: 1234, or 1.234"),
    ("symbol;weight\nA;1.234\nB;0,5\n", "2: weight: 1.234 can be read two ways: 1234, or 1.234"),
    ("symbol;weight\nA;0.5\nB;0,5\n", "desk.csv: the file can be read two ways: with decimal commas, as in 0,5, or with decimal points, as in 0.5"),
    ("date,A\n03/04/2026,0.5\n", "desk.csv:2: date: 03/04/2026 can be read two ways: 3 April 2026, or 4 March 2026"),
    ("date,A\n25/12/2026,0.5\n", "desk.csv:2: date: '25/12/2026' is a date in a local form"),
    ("symbol,score,confidence,issued_at\nA,1,1,03/04/2026\n", "2: issued_at: 03/04/2026 can be read two ways: 3 April 2026, or 4 March 2026"),
    ("symbol,weight,score\nA,0.5,1\n", "desk.csv:1: the file can be read two ways: target weights, by its weights, or scores, by its scores or confidences"),
    ("symbol,weight,percent\nA,0.5,50\n", "desk.csv:1: the weight can be read two ways: fractions in the column weight, or per cent in the column percent"),
    ("symbol,ticker,weight\nA,B,0.5\n", "desk.csv:1: the symbol can be read two ways: the column symbol, or the column ticker"),
    ("symbol,signal\nA,0.5\n", "desk.csv:1: the column signal can be read two ways: Numerai's, from 0 to 1, or a score from -1 to 1"),
    ("symbol,target_percent\nA,0.5\n", "desk.csv:1: the column target_percent can be read two ways: fractions, as in 0.25, or per cent, as in 25"),
    ("date,symbol,score\n2026-11-20,A,1\n", "desk.csv:1: the file can be read two ways: a factor, to be ranked, or scores whose confidence is missing"),
    ("date,SPY,cash\n2026-11-20,0.6,0.3\n", "desk.csv:2: the file can be read two ways: positions in USD, or target weights that sum to 0.9"),
    ("symbol,weight\nCash,0.5\n", "2: symbol: CASH can be read two ways: money that is not invested, or the stock with this ticker"),
    ("symbol;weight,x\nA;0.5,x\n", "desk.csv:1: the header can be read two ways: columns separated by commas, or columns separated by semicolons"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), AMBIGUOUS)
def test_what_can_be_read_two_ways_is_refused_with_both(text: str, reason: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == reason


BAD = [
    ("symbol,weight\nA,nan\n", "2: weight: 'nan' is not finite"),
    ("symbol,weight\nA,-inf\n", "2: weight: '-inf' is not finite"),
    ("symbol,weight\nA,\n", "2: weight: is missing"),
    ("symbol,weight\n,0.5\n", "2: symbol: is missing"),
    ("symbol,weight\nA,#REF!\n", "2: weight: '#REF!' is the error of a formula"),
    ("symbol,weight\nA,half\n", "2: weight: 'half' is not a number"),
    ("symbol,weight\nA,60\n", "2: weight: 60 is above 5: percent?; the weights sum to 60, above 20: percent? Then call the column percent"),
    ("symbol,weight\n" + "".join(f"A{k},4.5\n" for k in range(5)), "the weights sum to 22.5, above 20: percent? Then call the column percent"),
    ("symbol,weight\nA,0.5\nA,0.5\n", "2: symbol: A stands in line 3 too; 3: symbol: A stands in line 2 too"),
    ("symbol,weight\nBRK.B,0.5\nBRK-B,0.4\n", "2: symbol: BRK.B stands in line 3 too; 3: symbol: BRK.B stands in line 2 too"),
    ("symbol,weight\nАGG,0.5\n", "2: symbol: 'АGG' holds letters that only look like those of a symbol (U+0410 CYRILLIC CAPITAL LETTER A)"),
    ("symbol,weight\nА,nan\n", "2: symbol: 'А' holds letters that only look like those of a symbol (U+0410 CYRILLIC CAPITAL LETTER A); weight: 'nan' is not finite"),
    ("symbol,score,confidence\nA,1,85\n", "2: confidence: 85 is outside 0 to 1"),
    ("symbol,score,confidence\nA,1,1\nA,1,1\n", "3: symbol: A has the same signal from desk at the same time in desk.csv:2"),
    ("symbol,score,confidence\nA,1,1\nA,-1,1\n", "3: symbol: A has a different signal from desk at the same time in desk.csv:2"),
    ("symbol,score,confidence\nA,NaN,1\n", "2: score: 'NaN' is not a number"),
    ("numerai_ticker,signal\nA,1.5\n", "2: signal: 1.5 is outside 0 to 1"),
    ("date,A\n2027-01-01,0.5\n", "desk.csv: every date is in the future, the first one 2027-01-01T05:00:00+00:00"),
    ("date,A\n2026-11-20 10:00:00,0.5\n", "desk.csv:2: date: '2026-11-20 10:00:00' has no time zone"),
    ("date,A\n2026-13-01,0.5\n", "desk.csv:2: date: '2026-13-01' is not a date"),
    ("date,A,A\n2026-11-20,0.5,0.5\n", "desk.csv:1: 'A': A has two columns"),
    ("date,A\n2026-11-20,0.5\n2026-11-20,0.6\n", "desk.csv: has 2 rows of its newest date"),
    ("date,A,cash\n2026-11-20,-5000,1000\n", "desk.csv:2: positions and cash sum to -4000"),
    ("date,asset,factor\n2026-11-20,A,1\n", "desk.csv: has 1 values of its newest date, and a rank takes two"),
    ("date,asset,factor\n2026-11-20,A,inf\n2026-11-20,B,1\n", "2: factor: 'inf' is not finite"),
    ("symbol,weight,shares\nA,0.5,10\n", "desk.csv:1: 'shares': unknown column beside target weights"),
    ("symbol,weight\n", "desk.csv:1: has a header and no rows"),
    ("# complete: true\n# rows: 0\nsymbol,weight\n", "desk.csv: is complete and has no rows: every position would be closed"),
    ("# complete: yes\nsymbol,weight\nA,0.5\n", "desk.csv: complete: 'yes' is neither true nor false"),
    ("# complet: true\nsymbol,weight\nA,0.5\n", "desk.csv:1: complet: unknown statement"),
    ("# weights_of: cash\nsymbol,weight\nA,0.5\n", "desk.csv: weights_of: 'cash' is unknown"),
    ("# rows: 2\nsymbol,weight\nA,0.5\n", "desk.csv:1: announces 2 rows and has 1"),
    ("symbol,weight\nA,0.", "desk.csv:2: the last number has no end"),
    ("symbol,weight\nA,0,5\n", "desk.csv:2: has 3 columns and the header has 2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_bad_input_is_refused_with_every_reason(text: str, reason: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == reason


BAD_JSON = [
    ({"SPY": 0.6}, "d.json: the file can be read two ways: target weights by symbol, or scores by symbol"),
    ({"schema": "rebalancer.targets/2", "targets": []}, "d.json: schema: 'rebalancer.targets/2' is unknown"),
    ({"schema": "rebalancer.targets/1", "targets": [], "complete": True}, "d.json: is complete and has no rows: every position would be closed"),
    ({"schema": "rebalancer.targets/1", "targets": [], "complete": "yes"}, "d.json: complete: is neither true nor false"),
    ({"schema": "rebalancer.targets/1", "targets": [{"symbol": "A", "wieght": 1}]}, "d.json: targets[0]: 'wieght': unknown column"),
    ({"schema": "rebalancer.targets/1", "as_of": "2027-01-01", "targets": [{"symbol": "A", "weight": 1}]}, "d.json: as_of: 2027-01-01T05:00:00+00:00 is in the future"),
    ({"weights": [{"type": "asset", "symbol": "A", "percent": "90"}]}, "d.json: weights: sum to 90 per cent, not to 100"),
    ({"ticker": "A", "action": "buy", "confidence": 85}, "1: confidence: 85 is outside 0 to 1"),
    ({"ticker": "A", "action": "hope"}, "1: action: 'hope' is not an action"),
    ({"ticker": "A", "action": "sell", "market_position": "long"}, "1: action: the alert can be read two ways: sell, by its action, or still long, by its position"),
    ({"ticker": "A", "symbol": "B", "action": "buy"}, "1: ticker: the alert can be read two ways: about B, or about A"),
    ([{"symbol": "A", "weight": 0.5, "score": 1}], "d.json: the file can be read two ways: target weights, by its weights, or scores, by its scores or confidences"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "reason"), BAD_JSON)
def test_bad_json_is_refused_with_every_reason(document: object, reason: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, json.dumps(document), "d.json") == reason


@pytest.mark.parametrize("name", ["d.xlsx", "d.parquet"])
@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 no workbook", b"PAR1 nothing PAR1"])
def test_damaged_binary_files_are_refused(name: str, body: bytes, tmp_path: Path) -> None:
    assert refusal(tmp_path, body, name).startswith(f"{name}: is not ")


def test_a_sum_above_one_is_readable_and_said(tmp_path: Path) -> None:
    found = read(tmp_path, "symbol,weight\nSPY,4\nAGG,5\n")
    assert told(found) == ("targets_long", {"SPY": "4", "AGG": "5"})
    assert found.warnings == ("the weights sum to 9 of equity, more than 1; what the caps do not allow is scaled down",)


def test_everything_may_be_closed_if_that_is_said_twice(tmp_path: Path) -> None:
    found = read(tmp_path, "# complete: true\n# close_all: true\nsymbol,weight\n")
    assert (found.rows, found.complete, found.close_all) == ((), True, True)


symbols = st.sampled_from(["SPY", "AGG", "BRK.B", "KO", "XOM", "BTC/USD"])
books = st.dictionaries(symbols, st.integers(0, 9999).map(lambda n: Decimal(n) / 10_000), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(books, st.data())
def test_law_spellings_of_one_book_read_the_same(book: dict[str, Decimal], data: st.DataObject) -> None:
    """Any mixture of separator, decimal mark, per cent, names, marks and line ends says the same."""
    pick = data.draw
    separator = pick(st.sampled_from([",", ";", "\t"]))
    comma = separator != "," and pick(st.booleans())
    unit = pick(st.sampled_from(["fraction", "sign", "sign with space", "column"]))
    head = (
        "Percent"
        if unit == "column"
        else pick(st.sampled_from(["weight", "Weight", " WEIGHT ", "Target Weight", "target-weight"]))
    )
    name = pick(st.sampled_from(["symbol", "Symbol", "Ticker", "TICKER", "asset"]))
    end = pick(st.sampled_from(["\n", "\r\n", "\r"]))

    def number(value: Decimal) -> str:
        value = value if unit == "fraction" else value * 100
        text = f"{value.normalize():f}"
        if comma:
            text = text.replace(".", ",")
        elif "." in text and len(text.partition(".")[2]) == 3:
            text += "0"  # 1.234 with three decimals could be a thousand elsewhere; not in a file of decimal points
        return text + {"sign": "%", "sign with space": " %"}.get(unit, "")

    def spelled(symbol: str) -> str:
        odd = {"BRK.B": ["BRK-B", "brk.b", "BRK/B"], "BTC/USD": ["BTC-USD", "BTCUSD"]}.get(
            symbol, [symbol.lower(), f" {symbol} "]
        )
        return str(pick(st.sampled_from([symbol, *odd])))

    rows = [[name, head]] + [[spelled(s), number(w)] for s, w in book.items()]
    if pick(st.booleans()):
        rows.insert(pick(st.integers(1, len(rows))), ["", ""])
    lines = [separator.join(row) + (separator * pick(st.integers(0, 2))) for row in rows]
    text = (
        ("\ufeff" if pick(st.booleans()) else "")
        + (f"sep={separator}{end}" if pick(st.booleans()) else "")
        + end.join(lines)
    )
    text += end if pick(st.booleans()) else ""
    grid = csv_grid(text.removeprefix("\ufeff"), "desk.csv")
    found = read_grid(grid, "desk", Context(NOW), NOW)
    assert found.problems == ()
    assert {row.symbol: row.value for row in found.rows if row.problem is None} == book


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_law_no_text_crashes(text: str) -> None:
    for head in ("symbol,weight\n", "date,SPY\n", "date,asset,factor\n", "numerai_ticker,signal\n", ""):
        with suppress(BadDocument):
            read_grid(csv_grid(head + text, "desk.csv"), "desk", Context(NOW), NOW)


@settings(max_examples=300, deadline=None)
@given(st.decimals(-10_000, 10_000, allow_nan=False, places=6), st.sampled_from([".", ","]))
def test_law_a_number_is_read_as_it_was_written_or_refused_with_both_readings(value: Decimal, mark: str) -> None:
    text = f"{value:f}".replace(".", mark)
    assert number_of(text, number_style([text]), "weight").value == value


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 31), st.integers(1, 12), st.sampled_from("/.-"))
def test_law_a_local_date_is_never_guessed(day: int, month: int, mark: str) -> None:
    with pytest.raises(BadCell, match=r"two ways|local form|is not a date"):
        moment_of(f"{day:02}{mark}{month:02}{mark}2026", "date")


def test_frames_are_read_by_their_shape() -> None:
    from rebalancer.signals.formats.frames import grid_of_frame

    days = pd.to_datetime(["2026-11-19", "2026-11-20"])
    index = pd.MultiIndex.from_product([days, ["A", "B"]], names=["date", "asset"])
    frames = {
        "targets_long": pd.DataFrame({"symbol": ["A", "B"], "weight": [0.5, 0.25]}),
        "targets_wide": pd.DataFrame({"A": [1.0, 0.5], "B": [math.nan, 0.25]}, index=days),
        "pyfolio": pd.DataFrame({"A": [1.0, 2000.0], "B": [1.0, 1000.0], "cash": [1.0, 1000.0]}, index=days),
        "alphalens": pd.Series([1.0, 2.0, 3.0, 4.0], index=index, name="factor"),
        "scores": pd.DataFrame({"symbol": ["A"], "score": [0.5], "confidence": [1.0]}),
    }
    found = {name: told(read_grid(grid_of_frame(f, "f"), "f", Context(NOW), WRITTEN)) for name, f in frames.items()}
    assert found == {
        "targets_long": ("targets_long", {"A": "0.5", "B": "0.25"}),
        "targets_wide": ("targets_wide", {"A": "0.5", "B": "0.25"}),
        "pyfolio": ("pyfolio", {"A": "0.500000000000", "B": "0.250000000000"}),
        "alphalens": ("alphalens", {"A": "-0.075", "B": "0.075"}),
        "scores": ("scores", {"A": "0.5"}),
    }


def test_the_unit_without_rules_is_that_of_the_default_rules() -> None:
    assert WeightUnit.of(Rules()) == DEFAULT_UNIT
    assert DEFAULT_UNIT.converted(Decimal("0.3"), "capital") == Decimal("0.6")
    assert WeightUnit("capital", Decimal(2)).converted(Decimal("0.3"), "equity") == Decimal("0.15")


def test_a_mapping_reads_any_json(tmp_path: Path) -> None:
    mapping = {
        "rows": "$.data[*]", "symbol": "$.pair", "action": "$['type']", "action.entry": "BUY", "confidence": "$.n[0]",
    }  # fmt: skip
    text = json.dumps(
        {"data": [{"pair": "BTC/USD", "type": "entry", "n": [80]}, {"pair": "ETH/USD", "type": "SELL", "n": [10]}]}
    )
    found = read(tmp_path, text, "bot-1.json", {"bot": mapping})
    assert told(found) == ("mapping:bot", {"BTC/USD": "1.0", "ETH/USD": "-1.0"})
    weights = read(tmp_path, '{"s": "SPY", "w": 0.6}', "mine.json", {"mine": {"symbol": "$.s", "target": "$.w"}})
    assert told(weights) == ("mapping:mine", {"SPY": "0.6"})


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"symbol": "$.a", "weight": "$.w"}, "signals.mappings.bot.weight: unknown field"),
        ({"symbol": "$.a[?(@.x)]", "target": "$.w"}, "signals.mappings.bot.symbol: is no path"),
        ({"target": "$.w"}, "signals.mappings.bot: names no symbol"),
        ({"symbol": "$.a", "target": "$.w", "score": "$.s"}, "signals.mappings.bot: names a target and a score"),
        ({"rows": "$.none[*]", "symbol": "$.a", "target": "$.w"}, "signals.mappings.bot.rows finds no row"),
        ({"symbol": "$.l[*]", "target": "$.w"}, "row 1: symbol: has 2 values"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(mapping: dict[str, str], reason: str, tmp_path: Path) -> None:
    write(tmp_path / "bot.json", '{"a": "SPY", "w": 0.6, "l": ["A", "B"]}')
    with pytest.raises(BadDocument) as caught:
        opened(tmp_path / "bot.json", {"bot": mapping})
    assert reason in str(caught.value)
