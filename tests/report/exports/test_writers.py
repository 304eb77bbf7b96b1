"""CSV that spreadsheets open and never run; JSON that reads back; files that are there whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.cli.export import write_whole
from rebalancer.core.documents import BadDocument
from rebalancer.report.exports.tables import COLUMNS, ExportTable
from rebalancer.report.exports.writers import cell, csv_text, json_text

HOSTILE = ("=cmd|' /C calc'!A0", "+1+1", "-1+cmd", "@SUM(A1)", "\tx", "\rx", "\n=1", "＝1+1", "-", "--5", "-5\n")


def test_the_format_to_the_byte() -> None:
    at = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)
    rows = ((Decimal("-1.50"), at, date(2026, 11, 20), None, 'says "no",\nnot now', -0.25, 3),)
    found = csv_text(ExportTable("fills", ("a", "b", "c", "d", "e", "f", "g"), rows))
    assert found == ('a,b,c,d,e,f,g\r\n-1.5,2026-11-20T15:05:00Z,2026-11-20,,"says ""no"",\nnot now",-0.25,3\r\n')


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_a_formula(text: str) -> None:
    assert cell(text) == "'" + text


@pytest.mark.parametrize("number", [Decimal("-12.5"), -3, -1e-9, "-12.5", "-3"])
def test_negative_numbers_stay_numbers(number: Decimal | float | str) -> None:
    assert float(cell(number)) == float(number)


@given(st.lists(st.tuples(st.text(), st.decimals(allow_nan=False, allow_infinity=False, places=4)), max_size=8))
def test_every_row_reads_back(rows: list[tuple[str, Decimal]]) -> None:
    made = ExportTable("fills", ("text", "number"), tuple(rows))
    read = list(csv.reader(io.StringIO(csv_text(made), newline=""), strict=True))
    assert read[0] == ["text", "number"]
    assert [(text.removeprefix("'"), Decimal(number)) for text, number in read[1:]] == [
        (text.removeprefix("'"), number) for text, number in rows
    ]
    assert not any(text.startswith(("=", "+", "@", "\t", "\r")) for text, _ in read[1:])
    document = json.loads(json_text(made))
    assert [(row["text"], Decimal(row["number"])) for row in document["rows"]] == rows


def test_a_file_is_replaced_whole_and_nothing_is_left_when_it_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.csv"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["out.csv"])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadDocument, match="No space left"):
        write_whole(path, b"half")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["out.csv"])


def test_every_export_has_columns_of_its_own() -> None:
    assert all(len(set(columns)) == len(columns) for columns in COLUMNS.values())
