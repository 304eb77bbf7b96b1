"""Target weights and scores aligned to bars: nothing counts before its time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.research.instruction_files import InstructionHistory, read_instructions
from rebalancer.research.market import Market
from rebalancer.research.price_files import read_prices

NAN = float("nan")
DAYS = [f"2026-01-{day:02}" for day in (2, 5, 6, 7)]


def daily() -> Market:
    frame = pd.DataFrame({"A": [1.0, 1.1, 1.2, 1.3], "B": [2.0, 2.1, NAN, 2.3]}, index=pd.to_datetime(DAYS))
    return read_prices(frame).market


def minutes() -> Market:
    times = pd.to_datetime([f"2026-01-02T14:{minute}:00Z" for minute in (35, 40, 45)] + ["2026-01-05T14:35:00Z"])
    return read_prices(pd.DataFrame({"A": [1.0, 1.1, 1.2, 1.3], "B": [2.0, 2.1, 2.2, 2.3]}, index=times)).market


def read(folder: Path, text: str, market: Market, name: str = "targets.csv", **rules: object) -> InstructionHistory:
    path = folder / name
    path.write_text(text)
    return read_instructions(path, market, Rules.model_validate(rules))


def value(found: InstructionHistory) -> list[list[float]]:
    rows: list[list[float]] = found.aligned.instructions.value.tolist()
    return rows


def same(found: InstructionHistory, *expected: list[float]) -> None:
    np.testing.assert_array_equal(np.array(value(found)), np.array(expected))


def test_wide_weights_hold_until_the_next_row(tmp_path: Path) -> None:
    found = read(tmp_path, "date,B,A\n2026-01-05,0.4,0.6\n2026-01-06,,0.5\n2027-01-06,,0.1\n", daily())
    same(found, [NAN, NAN], [0.6, 0.4], [0.5, NAN], [0.5, NAN])
    assert found.aligned.changed.tolist() == [False, True, True, False]
    assert found.counts == {
        "instructions_after_last_bar": 1,
        "stale_scores": 0,
        "stale_targets": 0,
        "wanted_without_price": 0,
        "holds_without_score": 0,
    }
    assert found.warnings == ("1 instructions are later than the last bar and are not used",)


def test_a_complete_file_closes_what_it_does_not_name(tmp_path: Path) -> None:
    found = read(tmp_path, "# complete: true\ndate,A,B\n2026-01-05,0.6,0.4\n2026-01-06,0.5,\n", daily())
    same(found, [NAN, NAN], [0.6, 0.4], [0.5, 0], [0.5, 0])


def test_a_time_counts_from_the_first_bar_at_or_after_it(tmp_path: Path) -> None:
    text = "timestamp,A\n2026-01-02T14:35:01Z,0.1\n2026-01-02T14:39:00Z,0.2\n2026-01-02T14:45:00Z,0.3\n"
    found = read(tmp_path, text, minutes())
    same(found, [NAN, NAN], [0.2, NAN], [0.3, NAN], [0.3, NAN])
    same(read(tmp_path, "date,A\n2026-01-05,0.1\n", minutes()), *[[NAN, NAN]] * 3, [0.1, NAN])


def test_long_weights(tmp_path: Path) -> None:
    text = "date,symbol,weight\n2026-01-02,A,0.6\n2026-01-02,B,0.4\n2026-01-06,A,1\n"
    same(read(tmp_path, text, daily()), [0.6, 0.4], [0.6, 0.4], [1, NAN], [1, NAN])
    noted = text.replace("\n", ",x\n").replace("weight,x", "weight,note")  # read date by date
    same(read(tmp_path, noted, daily()), [0.6, 0.4], [0.6, 0.4], [1, NAN], [1, NAN])
    percent = read(tmp_path, "date,symbol,percent\n2026-01-02,A,60\n", daily())
    same(percent, *[[0.6, NAN]] * 4)
    with pytest.raises(BadDocument, match=r":4: symbol: A stands twice at 2026-01-02"):
        read(tmp_path, "date,symbol,weight\n2026-01-02,A,0.6\n2026-01-02,B,0.4\n2026-01-02,A,0.6\n", daily())


def test_weights_without_dates_count_from_the_first_bar(tmp_path: Path) -> None:
    found = read(tmp_path, "symbol,weight\nA,0.25\n", daily())
    same(found, *[[0.25, NAN]] * 4)
    assert found.warnings == ("the weights have no date: they count from the first bar",)
    document = {"schema": "rebalancer.targets/1", "as_of": "2026-01-05", "targets": [{"symbol": "B", "weight": "0.5"}]}
    same(read(tmp_path, json.dumps(document), daily(), "t.json"), [NAN, NAN], *[[NAN, 0.5]] * 3)


def test_weights_of_capital_become_weights_of_equity(tmp_path: Path) -> None:
    text = "# weights_of: capital\ndate,A\n2026-01-02,0.3\n"
    same(read(tmp_path, text, daily(), position_sizing={"capital_scaling": 2.0}), *[[0.6, NAN]] * 4)


def test_positions_of_pyfolio_are_known_at_the_end_of_their_day(tmp_path: Path) -> None:
    text = "date,A,B,cash\n2026-01-02,500,300,200\n2026-01-05,100,100,800\n"
    same(read(tmp_path, text, daily()), [0.5, 0.3], *[[0.1, 0.1]] * 3)
    same(read(tmp_path, text, minutes()), *[[NAN, NAN]] * 3, [0.5, 0.3])


def test_a_factor_is_ranked_on_every_date_and_known_at_its_end(tmp_path: Path) -> None:
    text = "date,asset,factor\n2026-01-02,A,1\n2026-01-02,B,2\n2026-01-06,A,5\n2026-01-06,B,4\n"
    found = read(tmp_path, text, daily(), signals={"max_age_minutes": 60})
    assert np.sign(value(found)).tolist()[::2] == [[-1, 1], [1, -1]]
    assert np.isnan(value(found)[1]).all()  # a day later the scores are too old
    assert found.counts["stale_scores"] == 4
    kept = read(tmp_path, text, daily(), signals={"max_age_minutes": 44_000})
    assert np.sign(value(kept)).tolist() == [[-1, 1], [-1, 1], [1, -1], [1, -1]]


SCORES = (
    "symbol,score,confidence,issued_at\nA,0.5,0.9,2026-01-02T14:36:00Z\nA,0.7,0.8,2026-01-02T14:41:00Z\n"
    "B,-1,1,2026-01-02T14:45:00Z\n"
)


def test_scores_count_from_their_time_and_grow_old(tmp_path: Path) -> None:
    found = read(tmp_path, SCORES, minutes(), "scores.csv")
    same(found, [NAN, NAN], [0.5, NAN], [0.7, -1], [NAN, NAN])
    confidence = found.aligned.instructions.confidence
    assert confidence is not None
    np.testing.assert_array_equal(confidence, [[NAN, NAN], [0.9, NAN], [0.8, 1], [NAN, NAN]])
    assert found.format == "scores"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("date,A,C,D\n2026-01-02,1,0.1,0\n", "1 names have no prices: C"),
        ("date,C\n2026-01-02,1\n", "has no name in common with the prices"),
        ("date,A\n2027-01-02,1\n", "begins after the last bar of the prices"),
        ("date,A\n2026-01-02,60\n", ":2: A: 60 is above 5: percent?"),
        ("date,A\n2026-01-02,x\n", ":2: A: 'x' is not a number"),
        ("date,A\n2026-01-05,1\n2026-01-02,1\n", ":3: date: 2026-01-02 is earlier"),
        ("date,A\n2026-01-02,inf\n", ":2: A: a weight is not finite"),
        ("symbol,score,confidence\nA,1,1\n", ":2: has no time"),
        ("date,asset,factor\n2026-01-02,A,1\n", "has 1 values of its newest date"),
    ],
)
def test_refusals(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadDocument) as caught:
        read(tmp_path, text, daily())
    assert expected in str(caught.value).split("\n")[0]


def test_a_name_without_prices_whose_weights_are_zero_is_left_out(tmp_path: Path) -> None:
    same(read(tmp_path, "date,A,C\n2026-01-02,1,0\n", daily()), *[[1, NAN]] * 4)


def test_weights_at_bars_without_a_price_are_counted(tmp_path: Path) -> None:
    assert read(tmp_path, "date,A,B\n2026-01-02,0.5,0.5\n", daily()).counts["wanted_without_price"] == 1


def test_frames() -> None:
    index = pd.to_datetime(["2026-01-02", "2026-01-06"])
    frame = pd.DataFrame({"A": [0.5, 0.25], "B": [0.5, 0.75]}, index=index)
    found = read_instructions(frame, daily(), Rules())
    same(found, [0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.25, 0.75])
    stacked = frame.rename_axis("date").reset_index().melt("date", var_name="symbol", value_name="weight")
    same(read_instructions(stacked, daily(), Rules()), [0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.25, 0.75])
