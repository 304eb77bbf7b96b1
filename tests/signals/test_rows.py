"""One row: what is read, what is refused, and the message."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.facts import Signal
from rebalancer.core.values import time_text
from rebalancer.signals.signal_row import BadCell, signal_of_row
from tests.signals.files import NOW, WRITTEN, read, refusal

HEADER = "symbol,score,confidence\n"
ARGO = "symbol,action,confidence\n"


def test_full_row(tmp_path: Path) -> None:
    text = (
        "symbol,score,confidence,id,source,issued_at,entry_price,stop_price,target_price,x-why\n"
        "btc-usd,-0.25,0.9,s-1,desk.2,2026-11-20T10:34:00-05:00,90000,80000.50,1e5,because\n"
    )
    moment = datetime(2026, 11, 20, 15, 34, tzinfo=UTC)
    assert read(tmp_path, text) == (
        Signal("s-1", "BTC/USD", -0.25, 0.9, "desk.2", moment, Decimal("80000.50"), Decimal("1E+5")),
    )


def test_what_is_left_out_comes_from_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER + "BRK-B,1,.5\n") == (
        Signal("desk-cfd3c0b345325aaf", "BRK.B", 1.0, 0.5, "desk", WRITTEN),
    )


def test_actions_are_scores_with_percent(tmp_path: Path) -> None:
    found = read(tmp_path, ARGO + "A,buy,85\nB,Sell,100\nC,HOLD,50\nD, BUY ,0.9\n")
    assert [(s.symbol, s.score, s.confidence, s.hold) for s in found] == [
        ("A", 1.0, 0.85, False),
        ("B", -1.0, 1.0, False),
        ("C", 0.0, 0.5, True),
        ("D", 1.0, 0.009, False),
    ]


def test_what_asks_for_no_position_and_what_changes_nothing_need_no_confidence(tmp_path: Path) -> None:
    found = read(tmp_path, ARGO + "A,flat,\nB,Close,\nC,HOLD,\nD,FLAT,40\n")
    assert [(s.symbol, s.score, s.confidence, s.hold) for s in found] == [
        ("A", 0.0, 1.0, False),
        ("B", 0.0, 1.0, False),
        ("C", 0.0, 1.0, True),
        ("D", 0.0, 0.4, False),
    ]
    assert "confidence: is missing" in refusal(tmp_path, ARGO + "A,BUY,\n")


def test_a_hold_and_a_score_of_zero_are_two_opinions(tmp_path: Path) -> None:
    (hold,), (flat,) = read(tmp_path, ARGO + "A,HOLD,50\n"), read(tmp_path, ARGO + "A,FLAT,50\n")
    assert hold._replace(id=flat.id, hold=False) == flat
    assert hold.id != flat.id


def test_json_takes_numbers_and_texts(tmp_path: Path) -> None:
    rows = [
        {"symbol": "A", "score": 0.5, "confidence": 1, "stop_price": 189.99},
        {"symbol": "B", "score": "0.5", "confidence": "1", "stop_price": "189.99", "id": None, "x-a": {"b": []}},
    ]
    first, second = read(tmp_path, json.dumps(rows), "desk.json")
    assert (first.score, first.confidence, first.stop_price) == (second.score, second.confidence, second.stop_price)
    assert first.stop_price == Decimal("189.99")


@pytest.mark.parametrize("ticker", ["ON", "NO", "TRUE", "NAN", "NULL", "NONE", "INF", "E", "Y"])
def test_tickers_survive(ticker: str, tmp_path: Path) -> None:
    assert [s.symbol for s in read(tmp_path, HEADER + f"{ticker},1,1\n")] == [ticker]


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "\u0410APL",
        "A" * 300,
        "../../x",
        "=cmd()",
        "<script>",
        "A\u200b",
        "AAPL;",
        "1E5",
        "-A",
        "+A",
        "@A",
        "A B",
        "\x00",
    ],
)
def test_symbol_outside_the_allow_list_is_refused(symbol: str, tmp_path: Path) -> None:
    rows = [{"symbol": "A", "score": 1, "confidence": 1}, {"symbol": symbol, "score": 1, "confidence": 1}]
    assert refusal(tmp_path, json.dumps(rows, indent=1), "d.json").startswith("d.json:7: symbol: ")
    if symbol:
        place = "desk.csv:3" if symbol == "\0" else "desk.csv:3: symbol"  # a NUL is refused with its whole file
        assert refusal(tmp_path, HEADER + f"A,1,1\n{symbol},1,1\n").startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "A,1,1\n,1,1\n", "desk.csv:3: symbol: is missing\n  hint: every row needs a symbol"),
        (HEADER + "A,1.5,1\n", "desk.csv:2: score: 1.5 is outside -1 to 1\n  hint: from -1 (sell) to 1 (buy)"),
        (HEADER + "A,1,85\n", "desk.csv:2: confidence: 85 is outside 0 to 1\n  hint: from 0 to 1 beside a score: 0.85"),
        (
            HEADER + "A,1,-0.1\n",
            "desk.csv:2: confidence: -0.1 is outside 0 to 1\n  hint: from 0 to 1 beside a score: 0.85",
        ),
        (HEADER + "A,1,\n", "desk.csv:2: confidence: is missing\n  hint: from 0 to 1 beside a score: 0.85"),
        (
            ARGO + "A,BUY,101\n",
            "desk.csv:2: confidence: 101 is outside 0 to 100\n  hint: from 0 to 100 together with an action: 85",
        ),
        (
            ARGO + "A,LONG,50\n",
            "desk.csv:2: action: 'LONG' is not an action\n  hint: write BUY, SELL, FLAT, CLOSE or HOLD",
        ),
        (HEADER + 'A,"0,5",1\n', "desk.csv:2: score: '0,5' is not a number\n  hint: write decimals with a point: 0.85"),
        (HEADER + "A,nan,1\n", "desk.csv:2: score: 'nan' is not a number\n  hint: write a decimal number"),
        (HEADER + "A,inf,1\n", "desk.csv:2: score: 'inf' is not a number\n  hint: write a decimal number"),
        (HEADER + "A,\u0661,1\n", "desk.csv:2: score: '\u0661' is not a number\n  hint: write a decimal number"),
        (
            HEADER + "A,1e999999999,1\n",
            "desk.csv:2: score: 1e999999999 is outside -1 to 1\n  hint: from -1 (sell) to 1 (buy)",
        ),
        (
            HEADER + "A,,1\n",
            "desk.csv:2: score: is missing\n"
            "  hint: a row has either a score from -1 to 1 or an action BUY, SELL, FLAT, CLOSE or HOLD",
        ),
        (
            "symbol,score,action,confidence\nA,1,BUY,1\n",
            "desk.csv:2: score: stands together with an action\n"
            "  hint: a row has either a score from -1 to 1 or an action BUY, SELL, FLAT, CLOSE or HOLD",
        ),
        (
            "symbol,score,confidence,issued_at\nA,1,1,2026-11-20T15:35:00\n",
            "desk.csv:2: issued_at: '2026-11-20T15:35:00' is not a time\n"
            "  hint: write it with its offset: 2026-11-20T15:35:00Z",
        ),
        (
            "symbol,score,confidence,issued_at\nA,1,1,0001-01-01T00:00:00+14:00\n",
            "desk.csv:2: issued_at: '0001-01-01T00:00:00+14:00' is not a time\n"
            "  hint: write it with its offset: 2026-11-20T15:35:00Z",
        ),
        (
            "symbol,score,confidence,stop_price\nA,1,1,0\n",
            "desk.csv:2: stop_price: 0 is not a price\n  hint: above 0, at most 10000000, in USD",
        ),
        (
            "symbol,score,confidence,entry_price\nA,1,1,$5\n",
            "desk.csv:2: entry_price: '$5' is not a number\n  hint: write a decimal number",
        ),
        (
            "symbol,score,confidence,source\nA,1,1,a b\n",
            "desk.csv:2: source: 'a b' cannot be used\n  hint: use letters, digits, dots, dashes, underscores",
        ),
        (
            "symbol,score,confidence,id\nA,1,1,=1+1\n",
            "desk.csv:2: id: '=1+1' cannot be used\n  hint: use letters, digits, dots, dashes, underscores",
        ),
        (
            "symbol,score,confidance\nA,1,1\n",
            "desk.csv:1: 'confidance': unknown column\n  hint: did you mean 'confidence'?",
        ),
        ("symbol,score\nA,1\n", "desk.csv:1: confidence: the column is missing\n  hint: required: symbol, confidence"),
    ],
)
def test_mistake_is_refused(text: str, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"symbol": True, "score": 1, "confidence": 1}, "d.json:1: symbol: True is not a text"),
        ({"symbol": "A", "score": True, "confidence": 1}, "d.json:1: score: 'True' is not a number"),
        ({"symbol": "A", "score": [1], "confidence": 1}, "d.json:1: score: '[1]' is not a number"),
        ({"symbol": "A", "action": 1, "confidence": 1}, "d.json:1: action: '1' is not an action"),
        (
            {"symbol": "A", "score": 1, "confidence": 1, "issued_at": 1700000000},
            "d.json:1: issued_at: '1700000000' is not",
        ),
        ({"symbol": "A", "score": 1, "confidence": 1, "source": 7}, "d.json:1: source: '7' cannot be used"),
        ({"symbol": "A", "score": 1, "confidence": 1, "stop": 7}, "d.json:1: 'stop': unknown column"),
        ("AAPL", "d.json:1: is not a signal"),
    ],
)
def test_mistake_in_json_is_refused(row: object, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, json.dumps([row]), "d.json").startswith(message)


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity", "9" * 5000])
def test_number_that_is_none_is_refused(number: str, tmp_path: Path) -> None:
    text = f'{{"symbol": "A", "score": {number}, "confidence": 1}}\n'
    assert refusal(tmp_path, text, "d.jsonl").startswith("d.jsonl:1")


CELLS = st.dictionaries(
    st.sampled_from(
        ["symbol", "score", "action", "confidence", "id", "source", "issued_at", "stop_price", "target_price"]
    ),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 200),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["A", "BUY", "HOLD", "FLAT", "0.5", "85", "2026-11-20T15:34:00Z"]),
    ),
)


@given(CELLS)
def test_any_row_is_a_sound_signal_or_refused(cells: dict[str, object]) -> None:
    try:
        signal = signal_of_row(cells, "desk", NOW)
    except BadCell:
        return
    assert -1 <= signal.score <= 1
    assert 0 <= signal.confidence <= 1
    assert signal.issued_at.tzinfo is UTC
    assert signal.symbol
    assert signal.id
    assert all(price is None or price > 0 for price in (signal.stop_price, signal.target_price))
    assert signal.hold == (str(cells.get("action")).strip().upper() == "HOLD")
    written = {
        "symbol": signal.symbol,
        "score": signal.score,
        "confidence": signal.confidence,
        "id": signal.id,
        "source": signal.source,
        "issued_at": time_text(signal.issued_at),
        "stop_price": signal.stop_price and str(signal.stop_price),
        "target_price": signal.target_price and str(signal.target_price),
    }
    if signal.hold:
        del written["score"]
        written |= {"action": "hold", "confidence": cells.get("confidence")}
    assert signal_of_row(written, "other", WRITTEN) == signal
