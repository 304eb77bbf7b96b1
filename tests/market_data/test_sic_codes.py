"""Sectors from SIC codes: our own words, strict files, and a sectors file whose own rows always win."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rebalancer.cli.sectors import import_sectors
from rebalancer.core.documents import BadDocument
from rebalancer.market_data.sectors import read_sectors
from rebalancer.market_data.sic_codes import RANGES, SicSector, read_codes, sector_of_code

KNOWN = {
    3571: "Technology", 7372: "Technology", 3674: "Technology", 2834: "Health Care", 6324: "Health Care",
    6021: "Finance", 6798: "Real Estate", 1311: "Energy", 2911: "Energy", 4911: "Utilities", 4922: "Energy",
    2080: "Staples", 5331: "Staples", 5411: "Staples", 5651: "Retail", 3711: "Retail", 3721: "Industry",
    4512: "Industry", 4813: "Communication", 7841: "Communication", 1040: "Materials", 6221: "Commodity Fund",
    9721: None, 0: None, 9995: None,
}  # fmt: skip


def test_well_known_codes_have_the_sector_that_people_expect() -> None:
    assert {code: sector_of_code(code) for code in KNOWN} == KNOWN


def test_the_words_are_those_of_the_shipped_file_and_the_narrowest_range_counts() -> None:
    shipped = {row.sector for row in read_sectors(Path(__file__).parents[2] / "config" / "sectors.csv").values()}
    assert {sector for _, _, sector in RANGES} <= shipped
    for code in range(10_000):
        holding = sorted((last - first, sector) for first, last, sector in RANGES if first <= code <= last)
        assert sector_of_code(code) == (holding[0][1] if holding else None)
        assert len(holding) < 2 or holding[0][0] != holding[1][0], f"{code} has two narrowest ranges"


def test_a_file_of_the_sec_is_read() -> None:
    rows = ("320193,Apple Inc.,AAPL,3571", "1067983,BERKSHIRE,BRK-B,6331.0", "1,Shell,SHEL,", "2,Farm,FRM,0100")
    text = "\n".join(["cik,name,ticker,sic", *rows, ""])
    assert read_codes(text, "f.csv") == (
        SicSector("AAPL", 3571, "Technology"),
        SicSector("BRK.B", 6331, "Finance"),
        SicSector("FRM", 100, "Staples"),
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("symbol,code\nAAPL,1\n", "f.csv:1: sic: no such column"),
        ("symbol,ticker,sic\nA,A,1\n", "f.csv:1: symbol: several such columns"),
        ("symbol,sic\nAAPL,computers\n", "f.csv:2: sic: 'computers' is no SIC code"),
        ("symbol,sic\nAAPL,35712\n", "f.csv:2: sic: '35712' is no SIC code"),
        ("symbol,sic\nAAPL,3571\nAAPL,2911\n", "f.csv:3: symbol: AAPL has another code above"),
        ("symbol,sic\nno symbol,3571\n", "f.csv:2: symbol:"),
        ("symbol,sic\nAAPL,3571", "f.csv:2: the last line has no line end"),
        ("", "f.csv:1: symbol: no such column"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, where: str) -> None:
    with pytest.raises(BadDocument) as error:
        read_codes(text, "f.csv")
    assert where in str(error.value)


def test_rows_are_printed_and_written_and_given_ones_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    own = tmp_path / "config" / "sectors.csv"
    own.write_text("# mine\nsymbol,sector,source,as_of\nAAPL,Fruit,me,2026-01-02\n")
    (tmp_path / "config" / "execution.yaml").write_text("sectors_file: config/sectors.csv\n")
    codes = tmp_path / "codes.csv"
    codes.write_text("symbol,sic\nAAPL,3571\nXOM,2911\nTAX,9311\n")
    day = date(2026, 11, 30)
    assert import_sectors(None, codes, write=False, as_of=day) == 0
    said = capsys.readouterr()
    assert said.out == (
        "symbol,sector,correlation_group,source,as_of\n"
        "AAPL,Technology,,SIC 3571,2026-11-30\nXOM,Energy,,SIC 2911,2026-11-30\n"
    )
    assert "1 symbol without a sector, so of sector unknown: TAX (9311)" in said.err
    for added in (1, 0):
        assert import_sectors(None, codes, write=True, as_of=day) == 0
        assert f"{added} row" in capsys.readouterr().err
    assert own.read_text() == (
        "# mine\nsymbol,sector,source,as_of\nAAPL,Fruit,me,2026-01-02\nXOM,Energy,SIC 2911,2026-11-30\n"
    )
    assert {s: row.sector for s, row in read_sectors(own).items()} == {"AAPL": "Fruit", "XOM": "Energy"}
