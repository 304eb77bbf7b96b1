"""Parse one row of a signal file into a signal.

A row has a symbol, a confidence, and either a `score` or an `action`:
- score from -1 to 1 with a confidence from 0 to 1;
- action BUY (score 1), SELL (score -1), FLAT or CLOSE (score 0: no position) or HOLD (no change) with a confidence
  from 0 to 100, in percent; the last three need none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from rebalancer.core.facts import Signal
from rebalancer.core.values import decimal_near, decimal_of, symbol_of, time_text, utc_of
from rebalancer.signals.local_dates import local_date_problem

COLUMNS: Final = (
    "symbol",
    "score",
    "action",
    "confidence",
    "id",
    "source",
    "issued_at",
    "entry_price",
    "stop_price",
    "target_price",
)
SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NUMBER_LENGTH_MAX: Final = 40
_PRICE_MAX: Final = Decimal(10_000_000)
_ACTIONS: Final = {"BUY": 1.0, "SELL": -1.0, "FLAT": 0.0, "CLOSE": 0.0, "HOLD": 0.0}
_symbol = lru_cache(maxsize=4096)(symbol_of)

Cells = Mapping[str, object]


class BadCell(ValueError):
    """An invalid cell: its column, the problem and how to fix it."""

    def __init__(self, column: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{column}: {problem}")
        self.column, self.problem, self.hint = column, problem, hint


def signal_of_row(cells: Cells, source: str, written_at: datetime, ahead: timedelta = timedelta(0)) -> Signal:
    """Read one row; `source` and `written_at` are the defaults for a row that has none. Raises BadCell.

    ahead: how far the broker's clock is ahead of the one that dated the file; it shifts `written_at`, but not the
    computed id, so that a row keeps its id.

    entry_price is validated but not used: trades are decided at the broker's quote.
    """
    symbol = _symbol_of(cells)
    score, confidence, hold = _view(cells)
    _price(cells, "entry_price")
    source = _word(cells, "source", SOURCE) or source
    said_at = _moment(cells)
    issued_at = said_at or written_at + ahead
    moment = time_text(said_at or written_at) + ("\nhold" if hold else "")
    return Signal(
        _word(cells, "id", _ID) or computed_id(source, symbol, moment, score, confidence),
        symbol,
        score,
        confidence,
        source,
        issued_at,
        _price(cells, "stop_price"),
        _price(cells, "target_price"),
        hold,
    )


def computed_id(source: str, symbol: str, moment: str, score: float, confidence: float) -> str:
    """The id for a signal without one: the same content gives the same id."""
    text = "\n".join((source, symbol, moment, repr(score), repr(confidence)))
    return f"{source}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _symbol_of(cells: Cells) -> str:
    text = cells.get("symbol")
    if text is None:
        raise BadCell("symbol", "is missing", "every row needs a symbol")
    if not isinstance(text, str):
        raise BadCell("symbol", f"{str(text)[:40]} is not a text", 'put the symbol in quotes: "ON"')
    try:
        return _symbol(text)
    except ValueError as error:
        raise BadCell("symbol", str(error), "write it as AAPL, BRK.B or BTC/USD") from None


def _view(cells: Cells) -> tuple[float, float, bool]:
    """Score, confidence and whether it is a HOLD."""
    score, action = cells.get("score"), cells.get("action")
    if (score is None) == (action is None):
        problem = "is missing" if score is None else "stands together with an action"
        raise BadCell(
            "score", problem, "a row has either a score from -1 to 1 or an action BUY, SELL, FLAT, CLOSE or HOLD"
        )
    if action is None:
        value = _number(cells, "score", -1, 1, "from -1 (sell) to 1 (buy)")
        return value, _number(cells, "confidence", 0, 1, "from 0 to 1 beside a score: 0.85"), False
    name = action.strip().upper() if isinstance(action, str) else None
    if name not in _ACTIONS:
        raise BadCell("action", f"{str(action)[:40]!r} is not an action", "write BUY, SELL, FLAT, CLOSE or HOLD")
    if _ACTIONS[name] == 0 and cells.get("confidence") is None:
        return 0.0, 1.0, name == "HOLD"
    confidence = _number(cells, "confidence", 0, 100, "from 0 to 100 together with an action: 85", one=100)
    return _ACTIONS[name], confidence, name == "HOLD"


def _number(cells: Cells, column: str, low: int, high: int, hint: str, one: int = 1) -> float:
    """A number within its limits, in units of `one`."""
    value = cells.get(column)
    if value is None:
        raise BadCell(column, "is missing", hint)
    number = number_of_cell(column, value)
    if not low <= number <= high:
        raise BadCell(column, f"{str(value)[:40]} is outside {low} to {high}", hint)
    return float(number / one) + 0.0  # a negative zero would give the same signal another id


def _price(cells: Cells, column: str) -> Decimal | None:
    value = cells.get(column)
    if value is None:
        return None
    price = number_of_cell(column, value)
    if not 0 < price <= _PRICE_MAX:
        raise BadCell(column, f"{str(value)[:40]} is not a price", f"above 0, at most {_PRICE_MAX}, in USD")
    return price


def number_of_cell(column: str, value: object) -> Decimal:
    """A finite number, parsed exactly from text or JSON."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) and len(value) <= _NUMBER_LENGTH_MAX:
        return decimal_of(value.strip())
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        try:
            return decimal_near(value)
        except ValueError:
            raise BadCell(column, f"{value} is not finite", "write a finite number") from None
    hint = "write decimals with a point: 0.85" if isinstance(value, str) and "," in value else "write a decimal number"
    raise BadCell(column, f"{str(value)[:40]!r} is not a number", hint)


def _word(cells: Cells, column: str, pattern: re.Pattern[str]) -> str | None:
    value = cells.get(column)
    if value is None:
        return None
    if not isinstance(value, str) or pattern.fullmatch(value.strip()) is None:
        raise BadCell(column, f"{str(value)[:40]!r} cannot be used", "use letters, digits, dots, dashes, underscores")
    return value.strip()


def _moment(cells: Cells) -> datetime | None:
    value = cells.get("issued_at")
    if value is None:
        return None
    try:
        return utc_of(str(value))
    except (ValueError, OverflowError):
        hint = "write it with its offset: 2026-11-20T15:35:00Z"
        problem = local_date_problem(str(value)) or f"{str(value)[:40]!r} is not a time"
        raise BadCell("issued_at", problem, hint) from None
