"""The sector file: strict, and absent is not an error."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.market_data.sectors import SectorRow, read_sectors

HEADER = "symbol,sector,correlation_group,source,as_of\n"


def test_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        "# mine\n"
        "symbol,sector,correlation_group,source,as_of,x-note\n"
        'on,Technology,,me,2026-11-20,"a, b"\n'
        "\n"
        "BRK-B,Financials (US),g1,me,2026-11-20,\n"
    )
    assert read_sectors(path) == {
        "ON": SectorRow("Technology", None, "me", date(2026, 11, 20)),
        "BRK.B": SectorRow("Financials (US)", "g1", "me", date(2026, 11, 20)),
    }


def test_group_column_is_optional(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("symbol,sector,source,as_of\nA,Health,me,2026-11-20\n")
    assert read_sectors(path) == {"A": SectorRow("Health", None, "me", date(2026, 11, 20))}


def test_missing_file_is_no_sectors_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read_sectors(tmp_path / "none.csv") == {}
    assert "every name counts as of unknown sector" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s.csv: is empty"),
        (HEADER, "s.csv:1: has a header and no rows"),
        (HEADER + "A,Tech,,me,2026-11-20", "s.csv:2: the last line has no line end"),
        (HEADER + "A,Tech,me,2026-11-20\n", "s.csv:2: has 4 columns and the header has 5"),
        (HEADER + 'A,"Tech,,me,2026-11-20\n', "s.csv:2: is not CSV: unexpected end of data"),
        (HEADER.replace(",", ";") + "A;Tech;;me;2026-11-20\n", "s.csv:1: the columns are not separated by commas"),
        ("symbol,sektor,source,as_of\nA,b,c,d\n", "s.csv:1: 'sektor': unknown column\n  hint: did you mean 'sector'?"),
        ("symbol,sector,as_of\nA,b,c\n", "s.csv:1: source: the column is missing"),
        ("symbol,symbol,sector,source,as_of\nA,A,b,c,d\n", "s.csv:1: symbol: the column appears twice"),
        ("# only a note\n", "s.csv: has no header"),
        (HEADER + "A,,,me,2026-11-20\n", "s.csv:2: sector: is empty"),
        (HEADER + ",Tech,,me,2026-11-20\n", "s.csv:2: symbol: is empty"),
        (HEADER + "=A(),Tech,,me,2026-11-20\n", "s.csv:2: symbol: '=A()' is not a symbol"),
        (HEADER + "A,<b>,,me,2026-11-20\n", "s.csv:2: sector: '<b>' is not a name"),
        (HEADER + "A,Unknown,,me,2026-11-20\n", "s.csv:2: sector: 'unknown' is reserved for missing data"),
        (HEADER + "A,Tech,,me,20261120\n", "s.csv:2: as_of: '20261120' is not a date"),
        (HEADER + "A,Tech,,me,2026-13-20\n", "s.csv:2: as_of: '2026-13-20' is not a date"),
        (HEADER + "BRK.B,T,,me,2026-11-20\nbrk-b,T,,me,2026-11-20\n", "s.csv:3: symbol: BRK.B stands in line 2 too"),
    ],
)
def test_mistake_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(BadDocument) as caught:
        read_sectors(path)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="is not a regular file"):
        read_sectors(tmp_path)
