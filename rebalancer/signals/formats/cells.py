"""Numbers, dates and symbols as spreadsheets and libraries write them: tolerant of the form, strict about the meaning.

A number may have a decimal comma, separators of thousands, and a per cent sign. Which mark is the decimal one is
decided for the whole file (`number_style`): `1,234` alone could be either. A date is a day (2026-11-20) or a time with
its offset; 03/04/2026 is refused, because it is two days.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from rebalancer.core.new_york import from_new_york
from rebalancer.core.values import decimal_near, decimal_of, symbol_of, utc, utc_of
from rebalancer.signals.formats.signal_file import SeveralReadings
from rebalancer.signals.local_dates import local_date_problem
from rebalancer.signals.signal_row import BadCell

Cell = str | int | float | Decimal | date | None
DecimalMark = Literal[".", ","]

NUMBER_LENGTH_MAX: Final = 40
_PLAIN: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_COMMA_DECIMAL: Final = re.compile(r"[-+]?(?:(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),[0-9]+|,[0-9]+)")
_THOUSANDS: Final = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_EITHER: Final = re.compile(r"[-+]?[1-9][0-9]{0,2}([.,])[0-9]{3}")  # 1,234 and 1.234: a thousand, or one and a bit
_SEVERAL_DOTS: Final = re.compile(r"[-+]?[0-9]{1,3}(?:\.[0-9]{3}){2,}")
_NOT_FINITE: Final = {"nan", "inf", "infinity", "-inf", "-infinity", "+inf", "+infinity"}
_ABSENT: Final = {"#n/a", "#ref!", "#value!", "#div/0!", "#name?", "#null!", "#num!"}
_DAY: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_NAIVE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)")
_VENUE: Final = re.compile(r"[A-Z]{2,12}:(?=.)")  # NASDAQ:AAPL
_ZIPLINE: Final = re.compile(r"Equity\([0-9]+(?: \[([^\]]+)\])?\)")  # Equity(8554 [SPY])
_COUNTRY: Final = re.compile(r" (?:US|UN|UW|UQ)(?: Equity)?", re.IGNORECASE)  # AAPL US, of Numerai and Bloomberg


class CellNumber(NamedTuple):
    """A number and whether it was written with a per cent sign; the value is then not divided by 100 yet."""

    value: Decimal
    is_percent: bool


def number_style(cells: Iterable[Cell]) -> DecimalMark:
    """The decimal mark of a file. Raises BadCell, naming both readings, when its numbers do not tell."""
    comma = point = unclear = ""
    for cell in cells:
        text = _bare(cell) if isinstance(cell, str) else ""
        if "," not in text and "." not in text:
            continue
        if _EITHER.fullmatch(text):
            unclear = unclear or (text if "," in text else "")
        elif _COMMA_DECIMAL.fullmatch(text):
            comma = comma or text
        elif _THOUSANDS.fullmatch(text) or (_PLAIN.fullmatch(text) and "." in text):
            point = point or text
    if comma and point:
        both = SeveralReadings("the file", f"with decimal commas, as in {comma}", f"with decimal points, as in {point}")
        raise BadCell("", str(both), "write all numbers with a decimal point: 0.25")
    if unclear and not comma and not point:
        raise BadCell("", str(_readings(unclear)), "write it without separators of thousands: 1234 or 1.234")
    return "," if comma else "."


def number_of(cell: Cell, mark: DecimalMark, column: str) -> CellNumber:
    """A finite number. Raises BadCell naming what is wrong."""
    if isinstance(cell, (bool, date)):
        raise BadCell(column, f"{str(cell)[:40]} is not a number", "write a decimal number: 0.25")
    if isinstance(cell, (int, float, Decimal)):
        try:
            return CellNumber(decimal_near(cell) if isinstance(cell, float) else decimal_of(cell), False)
        except ValueError:
            raise BadCell(column, f"{cell} is not finite", "write a finite number") from None
    if cell is None or not cell.strip():
        raise BadCell(column, "is missing", "write a number, or leave the row out")
    text, is_percent = _bare(cell), cell.rstrip().endswith("%")
    if text.lower() in _NOT_FINITE:
        raise BadCell(column, f"{cell.strip()[:40]!r} is not finite", "write a finite number")
    if text.lower() in _ABSENT:
        raise BadCell(column, f"{text[:40]!r} is the error of a formula", "mend the formula, or write the number")
    plain = _plain(text, mark, column)
    if plain is None or len(text) > NUMBER_LENGTH_MAX:
        raise BadCell(column, f"{cell.strip()[:40]!r} is not a number", "write a decimal number: 0.25")
    return CellNumber(decimal_of(plain), is_percent)


def _bare(text: str) -> str:
    """The text of a number without its per cent sign and the spaces around it."""
    return text.strip().removesuffix("%").strip()


def _plain(text: str, mark: DecimalMark, column: str) -> str | None:
    """The number as Python writes it; None when it is none. Raises BadCell for one that can be read two ways."""
    if mark == ",":
        if _EITHER.fullmatch(text) and "." in text:
            raise BadCell(column, str(_readings(text)), "write it without separators of thousands")
        if _COMMA_DECIMAL.fullmatch(text) or _SEVERAL_DOTS.fullmatch(text):
            return text.replace(".", "").replace(",", ".")
        return text if _PLAIN.fullmatch(text) and "." not in text else None
    if _PLAIN.fullmatch(text):
        return text
    if _EITHER.fullmatch(text):
        raise BadCell(column, str(_readings(text)), "write it without separators of thousands")
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else None


def _readings(text: str) -> SeveralReadings:
    return SeveralReadings(text, text.replace(",", "").replace(".", ""), text.replace(",", "."))


def is_date_like(cell: Cell) -> bool:
    """Whether a cell looks like a date, readable or not."""
    if isinstance(cell, date):
        return True
    if not isinstance(cell, str):
        return False
    text = cell.strip()
    return any(p.fullmatch(text) for p in (_DAY, _NAIVE)) or local_date_problem(text) is not None or _is_rfc(text)


def moment_of(cell: Cell, column: str) -> datetime:
    """A day (its start in New York) or a time with its offset, as aware UTC. Raises BadCell, with both readings for a
    date such as 03/04/2026."""
    if isinstance(cell, datetime):
        if cell.tzinfo is not None:
            return utc(cell)
        if cell.time() == time(0):
            return from_new_york(cell.date(), time(0))
        raise BadCell(column, f"{cell} has no time zone", "write a day, or a time such as 2026-11-20T15:35:00Z")
    if isinstance(cell, date):
        return from_new_york(cell, time(0))
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise BadCell(column, "is missing", "write a day such as 2026-11-20")
    return _moment_of_text(str(cell).strip(), column)


def _moment_of_text(text: str, column: str) -> datetime:
    local = local_date_problem(text)
    if local is not None:
        raise BadCell(column, local, "write it as 2026-04-03")
    try:
        day = _DAY.fullmatch(text)
        if day is not None:
            return from_new_york(date(*map(int, day.groups())), time(0))
        naive = _NAIVE.fullmatch(text)
        if naive is None:
            return utc_of(text)
        if not naive[2].strip("0:."):
            return from_new_york(date.fromisoformat(naive[1]), time(0))
    except (ValueError, OverflowError):
        raise BadCell(column, f"{text[:40]!r} is not a date", "write it as 2026-11-20") from None
    raise BadCell(column, f"{text[:40]!r} has no time zone", "write a day, or a time such as 2026-11-20T15:35:00Z")


def _is_rfc(text: str) -> bool:
    try:
        utc_of(text)
    except (ValueError, OverflowError):
        return False
    return True


def cell_symbol(cell: Cell, column: str = "symbol") -> str:
    """The canonical symbol. Besides the forms of `symbol_of` it takes NASDAQ:AAPL, `AAPL US` and Equity(24 [AAPL]).
    Raises BadCell, naming letters that only look like those of a symbol."""
    if isinstance(cell, bool):
        raise BadCell(column, f"{cell} is a truth value", "format the cells of the symbols as text")
    if isinstance(cell, (date, int, float, Decimal)):
        raise BadCell(column, f"{str(cell)[:40]} is not a text", "format the cells of the symbols as text")
    if cell is None or not cell.strip():
        raise BadCell(column, "is missing", "every row needs a symbol")
    try:
        return _symbol(cell.strip())
    except ValueError as error:
        raise BadCell(column, _look_alike(cell.strip()) or str(error), "write it as AAPL, BRK.B or BTC/USD") from None


@lru_cache(maxsize=4096)
def _symbol(text: str) -> str:
    zipline = _ZIPLINE.fullmatch(text)
    if zipline is not None and zipline[1]:
        text = zipline[1]
    text = _VENUE.sub("", text, count=1)
    ending = _COUNTRY.search(text)
    if ending is not None and ending.end() == len(text):
        text = text[: ending.start()]
    return symbol_of(text)


def _look_alike(text: str) -> str:
    """Which letters of a symbol are not Latin ones; "" when all are."""
    odd = [letter for letter in text if not letter.isascii()]
    if not odd:
        return ""
    names = ", ".join(
        f"U+{ord(letter):04X} {unicodedata.name(letter, 'without a name')}" for letter in dict.fromkeys(odd[:3])
    )
    return f"{text[:40]!r} holds letters that only look like those of a symbol ({names})"
