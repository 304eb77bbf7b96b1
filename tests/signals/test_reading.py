"""Files and folders: what is read, what is ignored, what refuses everything."""

from __future__ import annotations

import json
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.ops.files import read_settled
from rebalancer.signals import read_all, read_signals
from rebalancer.signals.reading import ROWS_MAX, SIZE_MAX
from tests.signals.files import NOW, WRITTEN, read, refusal, write

HEADER = "symbol,score,confidence\n"
ROW = '{"symbol": "A", "score": 1, "confidence": 1}'


def test_all_three_formats_say_the_same(tmp_path: Path) -> None:
    rows = [{"symbol": "A", "score": 0.5, "confidence": 1}, {"symbol": "B", "score": -1, "confidence": 0.25}]
    lines = [json.dumps(row) for row in rows]
    found = [
        read(tmp_path, "﻿" + HEADER + "A,0.5,1\r\n\r\nB,-1,0.25\r\n"),
        read(tmp_path, json.dumps(rows), "desk.json"),
        read(tmp_path, json.dumps({"signals": rows, "x-note": "n"}), "desk.JSON"),
        read(tmp_path, "\n".join(lines), "desk.jsonl"),
        read(tmp_path, '{"rows": 2}\n' + "\n\n".join(lines) + "\n", "desk.jsonl"),
        read(tmp_path, "# rows: 2\n# more\n" + HEADER + "A,0.5,1\nB,-1,0.25\n"),
    ]
    assert len(found[0]) == 2
    assert found == [found[0]] * 6


def test_folder(tmp_path: Path) -> None:
    assert read_all(tmp_path, NOW) == ((), (), (), {}, {})
    write(tmp_path / "one.csv", HEADER + "A,1,1\n")
    write(
        tmp_path / "two.jsonl",
        '{"symbol": "A", "action": "SELL", "confidence": 50}\n{"symbol": "B", "action": "HOLD", "confidence": 1}\n',
    )
    for name in ("README.md", ".hidden.csv", "three.csv.tmp", "three.csv~", "notes.txt"):
        write(tmp_path / name, "nothing that could be read")
    (tmp_path / "old").mkdir()
    found = read_all(tmp_path, NOW)
    assert [(s.symbol, s.source, s.score, s.issued_at) for s in found.signals] == [
        ("A", "one", 1.0, WRITTEN),
        ("A", "two", -1.0, WRITTEN),
        ("B", "two", 0.0, WRITTEN),
    ]
    assert found.warnings == tuple(
        f"{tmp_path / n}: ignored, it is none of .csv, .tsv, .json, .jsonl, .parquet, .xlsx"
        for n in ("notes.txt", "old")
    )


def test_one_bad_file_refuses_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "good.csv", HEADER + "A,1,1\n")
    write(tmp_path / "worse.csv", HEADER + "A,2,1\n")
    with pytest.raises(BadDocument, match=r"worse\.csv:2: score"):
        read_signals(tmp_path, NOW)


def test_order_of_files_and_rows_does_not_matter(tmp_path: Path) -> None:
    first = read(tmp_path, HEADER + "B,1,1\nA,0.5,1\n")
    assert first == read(tmp_path, HEADER + "A,0.5,1\nB,1,1\n")
    assert [s.symbol for s in first] == ["A", "B"]


def test_same_row_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, HEADER + "A,1,1\nB,0,1\nA,1.0,1\n") == (
        "desk.csv:4: symbol: A has the same signal from desk at the same time in desk.csv:2\n"
        "  hint: keep one of both, or give them different times or sources"
    )


def test_same_row_in_two_files_counts_once(tmp_path: Path) -> None:
    row = "symbol,score,confidence,source\nA,1,1,desk\n"
    write(tmp_path / "one.csv", row)
    write(tmp_path / "two.csv", row)
    assert [s.symbol for s in read_signals(tmp_path, NOW)] == ["A"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADER + "A,1,1\nA,-1,1\n",
            "desk.csv:3: symbol: A has a different signal from desk at the same time in desk.csv:2\n"
            "  hint: keep one of both, or give them different times or sources",
        ),
        (HEADER + "A,1,1\nA,1,0.5\n", "desk.csv:3: symbol: A has a different signal"),
        ("symbol,action,confidence\nA,BUY,50\nA,HOLD,50\n", "desk.csv:3: symbol: A has a different signal"),
        ("symbol,action,score,confidence\nA,HOLD,,0\nA,,0,0\n", "desk.csv:3: symbol: A has a different signal"),
        ("symbol,score,confidence,stop_price\nA,1,1,5\nA,1,1,6\n", "desk.csv:3: symbol: A has a different signal"),
        (
            "symbol,score,confidence,id\nA,1,1,s\nB,1,1,s\n",
            "desk.csv:3: id: 's' stands for another signal in desk.csv:2\n  hint: an id belongs to one signal",
        ),
    ],
)
def test_contradiction_refuses_the_file(text: str, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).startswith(message)


def test_contradiction_between_files(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "symbol,score,confidence,source\nA,1,1,x\n")
    write(tmp_path / "b.json", '[\n {"symbol": "A", "score": 0.5, "confidence": 1, "source": "x"}]')
    with pytest.raises(BadDocument) as caught:
        read_signals(tmp_path, NOW)
    assert (caught.value.where, caught.value.problem) == (
        f"{tmp_path}/b.json:2: symbol",
        f"A has a different signal from x at the same time in {tmp_path}/a.csv:2",
    )


def test_same_opinion_under_two_ids_stays_two(tmp_path: Path) -> None:
    assert [s.id for s in read(tmp_path, "symbol,score,confidence,id\nA,1,1,s\nA,1,1,t\n")] == ["s", "t"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.csv", "", "d.csv: is empty"),
        ("d.csv", " \n\n", "d.csv: is empty"),
        ("d.csv", HEADER, "d.csv:1: has a header and no rows"),
        ("d.csv", HEADER + "A,1,1\nB,1", "d.csv:3: the last line has no line end"),
        ("d.csv", HEADER + "A,1,1\nB,1\n", "d.csv:3: has 2 columns and the header has 3"),
        ("d.csv", "# rows: 3\n" + HEADER + "A,1,1\n", "d.csv:1: announces 3 rows and has 1"),
        ("d.csv", HEADER.replace(",", "|") + "A|1|1\n", "d.csv:1: the columns are not separated by commas"),
        ("d.csv", HEADER + '"A,1,1\n', "d.csv:2: is not CSV: unexpected end of data"),
        ("d.csv", HEADER + '"A"B,1,1\n', "d.csv:2: is not CSV"),
        ("d.csv", HEADER + "A" * 200_000 + ",1,1\n", "d.csv:2: is not CSV: field larger than field limit"),
        ("d.csv", HEADER + "A,1,1\n#B,1,1\n", "d.csv:3: symbol: '#B' is not a symbol"),
        ("d.csv", HEADER.encode() + b"\xff,1,1\n", "d.csv:2: is not UTF-8"),
        ("d.json", "", "d.json: is empty"),
        ("d.json", f"[{ROW}", "d.json:1: is not JSON"),
        ("d.json", "{}", "d.json:1: is not a list of signals"),
        ("d.json", "7", "d.json:1: is not a list of signals"),
        ("d.json", f'{{"signals": [{ROW}], "signal": []}}', "d.json:1: 'signal': unknown column"),
        (
            "d.json",
            '[{"symbol": "A", "symbol": "B", "score": 1, "confidence": 1}]',
            "d.json:1: symbol: appears twice",
        ),
        ("d.json", "[" * 100_000, "d.json: is nested too deeply"),
        ("d.json", f'{{"x-n": [1], "signals":\n [{ROW},\n\n  7]}}', "d.json:4: is not a signal"),
        ("d.jsonl", f"{ROW}\n{ROW[:-1]}", "d.jsonl:2:1: is not JSON"),
        ("d.jsonl", f"{ROW}\n7\n", "d.jsonl:2: is not a signal"),
        ("d.jsonl", f'{{"rows": 2}}\n{ROW}\n', "d.jsonl:1: announces 2 rows and has 1"),
        ("d.jsonl", f'{{"rows": null}}\n{ROW}\n', "d.jsonl:1: 'rows': unknown column"),
        ("d.doc", HEADER, "d.doc: is not a signal file"),
        ("a b.csv", HEADER + "A,1,1\n", "a b.csv:2: source: the file name 'a b' cannot be a source"),
    ],
)
def test_broken_file_is_refused(name: str, text: str | bytes, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text, name).startswith(message)


def test_no_rows_can_be_meant(tmp_path: Path) -> None:
    assert read(tmp_path, "# rows: 0\n" + HEADER) == ()
    assert read(tmp_path, "[]", "d.json") == ()
    assert read(tmp_path, '{"rows": 0}\n', "d.jsonl") == ()


def test_too_many_rows_and_bytes(tmp_path: Path) -> None:
    lines = f'{{"rows": {ROWS_MAX + 1}}}\n' + f"{ROW}\n" * (ROWS_MAX + 1)
    assert refusal(tmp_path, lines, "d.jsonl").startswith(f"d.jsonl: brings the number of rows above {ROWS_MAX}")
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate(SIZE_MAX + 1)
    with pytest.raises(BadDocument, match=f"is larger than {SIZE_MAX} bytes"):
        read_signals(tmp_path / "big.csv", NOW)


def test_pipe_and_dangling_link_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(BadDocument, match="is not a regular file"):
        read_signals(tmp_path, NOW)
    (tmp_path / "pipe.csv").unlink()
    (tmp_path / "link.csv").symlink_to("nowhere.csv")
    with pytest.raises(BadDocument, match="cannot be read: No such file"):
        read_signals(tmp_path, NOW)


def test_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "d.csv", HEADER + "A,1,1\n")
    real = os.fstat
    seen: list[int] = []

    def writer_between(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        seen.append(descriptor)
        if len(seen) == 1:
            thread = threading.Thread(target=lambda: path.write_text(HEADER + "A,1,1\nB,1,1\n"))
            thread.start()
            thread.join()
        return found

    with monkeypatch.context() as patch:
        patch.setattr("rebalancer.ops.files.os.fstat", writer_between)
        with pytest.raises(BadDocument, match="changed while it was read"):
            read_settled(path, SIZE_MAX)
    assert [s.symbol for s in read_signals(path, NOW)] == ["A", "B"]


def test_a_fraction_beside_an_action_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", "symbol,action,confidence\nA,BUY,0.85\nB,BUY,85\nC,HOLD,0.5\n")
    assert read_all(path, NOW).warnings == (
        "1 signal has a confidence of at most 1 %, the first one of A; together with an action it is in percent: "
        "write 85, not 0.85",
    )


def test_times_in_the_future_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", HEADER + "A,1,1\n")
    assert read_all(path, WRITTEN).warnings == ()
    found = read_all(path, WRITTEN - timedelta(minutes=1))
    assert len(found.signals) == 1
    assert found.warnings == (f"1 signal is issued in the future, the first one {found.signals[0].id} of A",)
