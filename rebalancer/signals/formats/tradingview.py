"""TradingView alerts: the JSON that a user writes into the message, or a line such as `buy AAPL 0.8`.

`action` (or `side`) buy is score 1, sell -1, close and flat 0; `market_position` flat is a target weight of 0, whatever
the action; the confidence is 1 where none is given. `contracts`, prices and every other field are not used: sizes are
this program's. Source: tradingview.com/support/solutions/43000529348 and 43000531021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.facts import Signal
from rebalancer.core.values import decimal_near, time_text, utc_of
from rebalancer.signals.formats.cells import cell_symbol, number_of
from rebalancer.signals.formats.signal_file import FileRow, RowKind, SeveralReadings, SignalFile
from rebalancer.signals.signal_row import BadCell, computed_id

FIELDS: Final = ("action", "side", "market_position", "order_action")
_ACTIONS: Final = {"buy": 1.0, "long": 1.0, "sell": -1.0, "short": -1.0, "close": 0.0, "flat": 0.0, "exit": 0.0}
_POSITIONS: Final = {"long": 1.0, "short": -1.0, "flat": 0.0}
_WORDS_MAX: Final = 3


class _Alert(NamedTuple):
    symbol: str
    kind: RowKind
    score: float
    confidence: float
    name: str | None
    issued_at: datetime | None


def is_alert(document: object) -> bool:
    """Whether a JSON value is the message of an alert."""
    return isinstance(document, Mapping) and "ticker" in document and any(field in document for field in FIELDS)


def read_alerts(
    alerts: Sequence[tuple[int, object]], source: str, written_at: datetime, ahead: timedelta
) -> SignalFile:
    """Read alerts, each with its line or row. written_at: when an alert without a time counts as issued."""
    rows: list[FileRow] = []
    seen: dict[str, int] = {}
    for line, alert in alerts:
        symbol = ""
        try:
            if isinstance(alert, str):
                found = _of_words(alert)
            elif isinstance(alert, Mapping):
                symbol = str(alert.get("ticker", ""))[:40]
                found = _of_fields(alert)
            else:
                raise BadCell("alert", f"{str(alert)[:40]!r} is no alert", 'write {"ticker": "AAPL", "action": "buy"}')
            subject = f"{found.symbol} {found.issued_at or ''}"
            if subject in seen:
                raise BadCell("ticker", f"{found.symbol} stands in line {seen[subject]} too", "keep one of both")
            seen[subject] = line
        except BadCell as error:
            rows.append(FileRow(line, symbol, "score", None, source, str(error), error.hint))
            continue
        rows.append(_row(line, found, source, written_at, ahead))
    return SignalFile("tradingview", tuple(rows))


def _row(line: int, found: _Alert, source: str, written_at: datetime, ahead: timedelta) -> FileRow:
    issued_at = found.issued_at or written_at + ahead
    moment = time_text(found.issued_at or written_at)
    name = found.name or computed_id(source, found.symbol, moment, found.score, found.confidence)
    if found.kind == "target":
        signal = Signal.of_target(name, found.symbol, Decimal(0), source, issued_at)
        return FileRow(line, found.symbol, "target", Decimal(0), source, signal=signal)
    signal = Signal(name, found.symbol, found.score, found.confidence, source, issued_at)
    return FileRow(line, found.symbol, "score", decimal_near(found.score), source, signal=signal)


def _of_words(text: str) -> _Alert:
    words = text.split()
    if not 2 <= len(words) <= _WORDS_MAX:
        raise BadCell("alert", f"{text.strip()[:40]!r} is no alert", "write it as: buy AAPL 0.8")
    confidence = _confidence(words[2]) if len(words) == _WORDS_MAX else 1.0
    return _Alert(cell_symbol(words[1], "ticker"), "score", _action(words[0]), confidence, None, None)


def _of_fields(alert: Mapping[str, object]) -> _Alert:
    if "symbol" in alert and alert["symbol"] != alert.get("ticker"):
        both = SeveralReadings("the alert", f"about {alert['symbol']}", f"about {alert.get('ticker')}")
        raise BadCell("ticker", str(both)[:200], "keep ticker alone")
    ticker = alert.get("ticker")
    symbol = cell_symbol(ticker if isinstance(ticker, str) else None, "ticker")
    given = [str(alert[field]) for field in ("action", "side", "order_action") if alert.get(field) is not None]
    if len({word.strip().lower() for word in given}) > 1:
        both = SeveralReadings("the action", given[0][:40], given[1][:40])
        raise BadCell("action", str(both), "keep action alone")
    position = None if alert.get("market_position") is None else str(alert["market_position"]).strip().lower()
    if position is not None and position not in _POSITIONS:
        raise BadCell("market_position", f"{position[:40]!r} is unknown", "TradingView says long, short or flat")
    if not given and position is None:
        raise BadCell("action", "is missing", "write buy, sell, close or flat")
    score = _action(given[0]) if given else _POSITIONS[position or "flat"]
    if position in ("long", "short") and score != _POSITIONS[position]:
        both = SeveralReadings("the alert", f"{given[0][:20]}, by its action", f"still {position}, by its position")
        raise BadCell("action", str(both), "leave market_position out, or alert only when the position turns")
    confidence = 1.0 if alert.get("confidence") is None else _confidence(alert["confidence"])
    kind: RowKind = "target" if position == "flat" else "score"
    return _Alert(symbol, kind, 0.0 if kind == "target" else score, confidence, _name(alert), _issued_at(alert))


def _action(word: str) -> float:
    score = _ACTIONS.get(word.strip().lower())
    if score is None:
        raise BadCell("action", f"{word.strip()[:40]!r} is not an action", "write buy, sell, close or flat")
    return score


def _confidence(value: object) -> float:
    cell = value if isinstance(value, (str, int, float)) else str(value)
    number = number_of(cell, ".", "confidence")
    if number.is_percent or not 0 <= number.value <= 1:
        raise BadCell("confidence", f"{str(value)[:40]} is outside 0 to 1", "write 85 per cent as 0.85")
    return float(number.value)


def _name(alert: Mapping[str, object]) -> str | None:
    value = alert.get("id")
    if value is None:
        return None
    if not isinstance(value, (str, int)) or not str(value).strip() or len(str(value)) > 128:
        raise BadCell("id", f"{str(value)[:40]!r} cannot be used", "write a text of at most 128 characters")
    return str(value).strip()


def _issued_at(alert: Mapping[str, object]) -> datetime | None:
    value = next((alert[name] for name in ("timenow", "issued_at") if alert.get(name) is not None), None)
    if value is None:
        return None
    try:
        return utc_of(str(value))
    except (ValueError, OverflowError):
        hint = "write {{timenow}}, which is 2026-11-20T15:35:00Z"
        raise BadCell("timenow", f"{str(value)[:40]!r} is not a time", hint) from None
