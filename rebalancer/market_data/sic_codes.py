"""Sectors from SIC codes, the public industry codes that the SEC gives to every filer.

The sector words are our own, those of `config/sectors.csv`; of several ranges that hold a code the narrowest counts.
Government and shells have no sector: they stay unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from csv import reader
from datetime import date
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.values import symbol_of
from rebalancer.ops.csv_table import CsvRow, read_table

CODE_MOST: Final = 9999
SYMBOLS: Final = ("symbol", "ticker")
CODES: Final = ("sic", "sic_code", "siccode")

RANGES: Final[tuple[tuple[int, int, str], ...]] = (
    (100, 999, "Staples"),  # farming, fishing
    (1000, 1499, "Materials"),  # mining
    (1200, 1399, "Energy"),  # coal, oil and gas
    (1500, 1799, "Industry"),  # construction
    (1531, 1531, "Retail"),  # builders of houses for sale
    (2000, 2199, "Staples"),  # food, tobacco
    (2200, 2399, "Retail"),  # textiles, clothes
    (2400, 2499, "Materials"),  # wood
    (2500, 2599, "Retail"),  # furniture
    (2600, 2699, "Materials"),  # paper
    (2700, 2799, "Communication"),  # publishing
    (2800, 2899, "Materials"),  # chemicals
    (2830, 2836, "Health Care"),  # drugs
    (2840, 2844, "Staples"),  # soap, cosmetics
    (2900, 2999, "Energy"),  # refining
    (3000, 3399, "Materials"),  # rubber, stone, metals
    (3021, 3021, "Retail"),  # shoes
    (3100, 3199, "Retail"),  # leather
    (3400, 3999, "Industry"),  # products of metal, machines
    (3570, 3579, "Technology"),  # computers
    (3630, 3639, "Retail"),  # household appliances
    (3650, 3679, "Technology"),  # audio, telephones, semiconductors
    (3700, 3719, "Retail"),  # cars
    (3750, 3759, "Retail"),  # motorcycles
    (3820, 3829, "Technology"),  # instruments
    (3826, 3826, "Health Care"),  # instruments of laboratories
    (3840, 3859, "Health Care"),  # medical instruments
    (3860, 3869, "Technology"),  # photography
    (3870, 3879, "Retail"),  # watches
    (3900, 3999, "Retail"),  # toys, jewellery
    (4000, 4799, "Industry"),  # transport
    (4600, 4619, "Energy"),  # pipelines
    (4800, 4899, "Communication"),  # telephone, radio, television
    (4900, 4999, "Utilities"),
    (4922, 4922, "Energy"),  # gas transmission
    (4950, 4959, "Industry"),  # waste
    (5000, 5199, "Industry"),  # wholesale
    (5045, 5045, "Technology"),
    (5047, 5047, "Health Care"),
    (5050, 5059, "Materials"),
    (5122, 5122, "Health Care"),
    (5140, 5149, "Staples"),
    (5160, 5169, "Materials"),
    (5170, 5179, "Energy"),
    (5180, 5189, "Staples"),
    (5200, 5999, "Retail"),
    (5331, 5331, "Staples"),  # variety stores
    (5400, 5499, "Staples"),  # food stores
    (5912, 5912, "Staples"),  # drug stores
    (6000, 6799, "Finance"),
    (6221, 6221, "Commodity Fund"),
    (6324, 6324, "Health Care"),  # medical service plans
    (6500, 6599, "Real Estate"),
    (6798, 6798, "Real Estate"),  # real estate investment trusts
    (7000, 7299, "Retail"),  # hotels, personal services
    (7300, 7399, "Industry"),  # business services
    (7310, 7319, "Communication"),  # advertising
    (7370, 7379, "Technology"),  # software, data processing
    (7500, 7699, "Industry"),
    (7800, 7899, "Communication"),  # films
    (7900, 7999, "Retail"),  # amusement
    (8000, 8099, "Health Care"),
    (8100, 8999, "Industry"),
    (8200, 8299, "Retail"),  # education
    (8731, 8731, "Health Care"),  # biological research
)


class SicSector(NamedTuple):
    """One symbol with its code and the sector that follows from it; None where none does."""

    symbol: str
    code: int
    sector: str | None


def sector_of_code(code: int) -> str | None:
    """The sector of a SIC code; None for government, shells and what is no code."""
    holding = [(last - first, sector) for first, last, sector in RANGES if first <= code <= last]
    return min(holding)[1] if holding else None


def read_codes(text: str, source: str) -> tuple[SicSector, ...]:
    """Read a CSV file with a symbol and a SIC code in each row, as the SEC and data vendors give them: columns `symbol`
    or `ticker`, and `sic`, `sic_code` or `siccode`; others are ignored. A row without a code is left out. Raises
    BadDocument naming file, line and column."""
    header = _header(text)
    symbol, code = _column(header, SYMBOLS, source), _column(header, CODES, source)
    rows = read_table(text, source, (symbol, code), header)
    found: dict[str, SicSector] = {}
    for row in rows:
        where = f"{source}:{row.line}"
        name = _symbol(row, symbol, where)
        if code not in row.cells:
            continue
        number = _code(row.cells[code], f"{where}: {code}")
        one = SicSector(name, number, sector_of_code(number))
        if found.setdefault(name, one) != one:
            raise BadDocument(f"{where}: {symbol}", f"{name} has another code above", "keep one row")
    return tuple(found[name] for name in sorted(found))


def _header(text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return tuple(cell.strip().lower() for cell in next(iter(reader(lines[:1])), []))


def _column(header: Iterable[str], names: tuple[str, ...], source: str) -> str:
    found = [name for name in header if name in names]
    if len(found) == 1:
        return found[0]
    problem = "no such column" if not found else "several such columns"
    raise BadDocument(f"{source}:1: {names[0]}", problem, f"have exactly one column named {' or '.join(names)}")


def _symbol(row: CsvRow, column: str, where: str) -> str:
    try:
        return symbol_of(row.cells.get(column, "").replace("-", "."))  # the SEC writes BRK-B
    except ValueError as error:
        raise BadDocument(f"{where}: {column}", str(error), "write it as AAPL or BRK.B") from None


def _code(text: str, where: str) -> int:
    digits = text.removesuffix(".0")  # as a spreadsheet saves it
    if not (digits.isascii() and digits.isdigit() and 0 <= int(digits) <= CODE_MOST and len(digits) <= len("0100")):
        raise BadDocument(where, f"{text[:20]!r} is no SIC code", "write its four digits, such as 3571")
    return int(digits)


def sector_lines(known: Iterable[SicSector], as_of: date) -> list[str]:
    """The rows of a sectors file for the symbols that have a sector."""
    return [f"{one.symbol},{one.sector},,SIC {one.code:04d},{as_of}" for one in known if one.sector is not None]
