"""Corporate actions as files hold them: dividends, splits and delistings by symbol and ex-date.

CSV      symbol, ex_date, kind, value: `dividend` USD a share, `split` new shares for one (4, 0.1, 4:1 or 1:10),
         `delisting` USD a share, 0 when worthless
JSON     {"corporate_actions": {"cash_dividends": [...], ...}}, as Alpaca's endpoint answers
JSON     {"dividends": [...], "splits": [...]}, the schedule of the embedded exchange

An action on the first day or before it does nothing. One that no price of its name follows does nothing and is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_json_file
from rebalancer.research.bar_times import read_times
from rebalancer.research.market import ActionColumns, Market
from rebalancer.research.price_table import read_table_file
from rebalancer.signals.formats.cells import cell_symbol
from rebalancer.signals.formats.grid import plain_name
from rebalancer.signals.signal_row import BadCell

Kind = Literal["dividend", "split", "delisting"]
COLUMNS: Final = "columns: symbol, ex_date, kind, value"
WORDS: Final[Mapping[str, Kind]] = {
    "dividend": "dividend", "cash_dividend": "dividend", "split": "split", "forward_split": "split",
    "reverse_split": "split", "delisting": "delisting", "cash_merger": "delisting", "worthless_removal": "delisting",
}  # fmt: skip
PARTS_MOST: Final = 1_000_000  # of a ratio
RATIO_MOST: Final = 100_000
MONEY_MOST: Final = 1_000_000  # USD a share


class CorporateEvent(NamedTuple):
    """One action. value: USD a share, or new shares for one old. place: where it stands, for messages."""

    day: date
    symbol: str
    kind: Kind
    value: Fraction
    place: str


def read_actions(path: Path) -> list[CorporateEvent]:
    """Read a file, by ex-date. Raises BadDocument naming the place of what cannot be used."""
    rows = _of_json(read_json_file(path), str(path)) if path.suffix.lower() == ".json" else _of_table(path)
    found = sorted(rows)
    seen: dict[tuple[object, ...], str] = {}
    for event in found:
        key = event[:4]
        if key in seen:
            raise BadDocument(event.place, f"says the same as {seen[key]}", "keep one of them")
        seen[key] = event.place
    return found


def align_actions(
    market: Market, events: Sequence[CorporateEvent], gone: Sequence[tuple[int, int]], gone_for: float
) -> ActionColumns:
    """The actions by bar: each takes effect at the first bar from its ex-date on at which the name has a price, and no
    later than its delisting, which takes effect at the first bar. Actions of one bar are applied by ex-date; dividends
    are paid on the shares before a split of the same day.

    gone: bars and names at which a name has been without prices for too long; gone_for: the part of its last price that
    is paid then, unless a delisting says what is paid while the name is without prices. Raises BadDocument for a split
    that the prices do not show.
    """
    rows: list[tuple[int, int, int, int, int, int, float]] = []
    for event, i, bar in _placed(market, events):
        if not 0 < bar < len(market.times):
            continue
        value, day = event.value, event.day.toordinal()
        if event.kind == "split":
            _refuse_adjusted(market, bar, i, event)
            rows.append((bar, i, day, 1, value.numerator, value.denominator, 0.0))
        else:
            order = 0 if event.kind == "dividend" else 2
            rows.append((bar, i, day, order, int(event.kind == "dividend"), 1, float(value)))
    for bar, i in gone:
        known = np.flatnonzero(~np.isnan(market.close[:, i]))
        after = int(np.searchsorted(known, bar))
        last, back = int(known[after - 1]), int(known[after]) if after < known.size else len(market.times)
        if not any(last < row[0] < back for row in rows if row[1] == i and row[3] == 2):
            rows.append((bar, i, int(market.day[bar]), 2, 0, 1, float(market.close[last, i]) * gone_for))
    rows.sort()
    columns = list(zip(*rows, strict=True)) or [()] * 7
    whole = [np.array(columns[k], np.int64) for k in (0, 1, 4, 5)]
    return ActionColumns(whole[0], whole[1], whole[2], whole[3], np.array(columns[6], np.float64))


def without_effect(market: Market, events: Sequence[CorporateEvent]) -> int:
    """How many actions of these names and days never count, since no price of the name follows."""
    return sum(
        bar == len(market.times) and e.day.toordinal() <= market.day[-1] for e, _, bar in _placed(market, events)
    )


def gone_names(market: Market, days: int) -> list[tuple[int, int]]:
    """Where a name has been without a price for so many trading days in a row: the first bar of the day after them."""
    starts = np.flatnonzero(np.append(True, market.day[1:] != market.day[:-1]))
    seen = np.logical_or.reduceat(~np.isnan(market.close), starts, axis=0)
    found: list[tuple[int, int]] = []
    for i in np.flatnonzero(~seen.all(axis=0)):
        missing, was_known = 0, False
        for d, has_price in enumerate(seen[:, i].tolist()):
            if missing == days and was_known:
                found.append((int(starts[d]), int(i)))
            was_known = was_known or has_price
            missing = 0 if has_price else missing + 1
    return sorted(found)


def _placed(market: Market, events: Sequence[CorporateEvent]) -> Iterator[tuple[CorporateEvent, int, int]]:
    """The actions of names of the market, the place of each name, and the first bar at which each counts: 0 is the
    first of all, the number of bars is never."""
    place = {symbol: i for i, symbol in enumerate(market.symbols)}
    mine = [event for event in events if event.symbol in place]
    ex_bars = np.searchsorted(market.day, [event.day.toordinal() for event in mine], "left").tolist()
    ends = [(event.symbol, bar) for event, bar in zip(mine, ex_bars, strict=True) if event.kind == "delisting"]
    for event, bar in zip(mine, ex_bars, strict=True):
        i = place[event.symbol]
        if event.kind == "delisting" or bar == 0:
            yield event, i, bar
            continue
        known = np.flatnonzero(~np.isnan(market.close[bar:, i]))
        counts = bar + int(known[0]) if known.size else len(market.times)
        yield event, i, min([counts, *(end for symbol, end in ends if symbol == event.symbol and end >= bar)])


def _refuse_adjusted(market: Market, bar: int, i: int, event: CorporateEvent) -> None:
    """Raise BadDocument when the prices do not show a split: then they are adjusted already, or the day is wrong."""
    before = market.close[:bar, i]
    known = before[~np.isnan(before)]
    if not known.size:
        return
    step = float(np.log(market.close[bar, i] / known[-1]))
    if abs(step) < abs(step + float(np.log(float(event.value)))):
        problem = (
            f"{event.symbol} is split {_ratio(event.value)}, and its price goes from {known[-1]:g} to "
            f"{market.close[bar, i]:g}"
        )
        hint = "with corporate actions give unadjusted prices; for adjusted ones leave out splits and dividends"
        raise BadDocument(event.place, problem, hint)


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}:{value.denominator}"


def _of_table(path: Path) -> Iterator[CorporateEvent]:
    table = read_table_file(path)
    columns = {plain_name(str(column)): str(column) for column in table.frame.columns}
    names = {"symbol": ("symbol", "ticker"), "ex_date": ("ex_date", "date", "ex"), "kind": ("kind", "type"),
             "value": ("value", "amount", "ratio")}  # fmt: skip
    at = {what: next((columns[word] for word in words if word in columns), None) for what, words in names.items()}
    absent = next((what for what, column in at.items() if column is None), None)
    if absent is not None:
        raise BadDocument(table.place, f"has no column {absent}", COLUMNS)
    cells = {what: table.frame[column].tolist() for what, column in at.items()}
    for row in range(len(table.frame)):
        place = table.where(row)
        word = plain_name(str(cells["kind"][row]))
        if word not in WORDS:
            raise BadDocument(f"{place}: {at['kind']}", f"{word[:40]!r} is not known", "dividend, split or delisting")
        yield _event(
            cells["symbol"][row], cells["ex_date"][row], WORDS[word], cells["value"][row], place, str(at["value"])
        )


def _of_json(document: object, place: str) -> Iterator[CorporateEvent]:
    lists = document.get("corporate_actions", document) if isinstance(document, dict) else None
    if not isinstance(lists, dict) or not all(isinstance(rows, list) for rows in lists.values() if rows is not None):
        hint = '{"corporate_actions": {"cash_dividends": [{"symbol": "KO", "ex_date": "2026-12-01", "rate": 0.51}]}}'
        raise BadDocument(place, "does not hold corporate actions as Alpaca writes them", hint)
    if isinstance(document, dict) and document.get("next_page_token"):
        raise BadDocument(place, "has a next_page_token: there are more actions than it holds", "read every page")
    for name, rows in lists.items():
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            spot = f"{place}: {name}[{number}]"
            if not isinstance(row, dict):
                raise BadDocument(spot, "is not an object with keys")
            found = _of_row(str(name), row, spot)
            if found is not None:
                yield found


def _of_row(name: str, row: Mapping[str, Any], spot: str) -> CorporateEvent | None:
    """One row of a list of Alpaca's or of the exchange's schedule; None for a list that says nothing about prices."""
    symbol, day = row.get("symbol"), row.get("ex_date")
    match name:
        case "cash_dividends" | "dividends":
            return _event(symbol, day, "dividend", row.get("rate"), spot, "rate")
        case "forward_splits" | "reverse_splits":
            ratio = f"{row.get('new_rate')}:{row.get('old_rate')}"
            return _event(symbol, day, "split", ratio, spot, "new_rate, old_rate")
        case "splits":
            return _event(symbol, day, "split", f"{row.get('new')}:{row.get('old')}", spot, "new, old")
        case "stock_dividends":
            rate = _number(row.get("rate"), f"{spot}: rate")
            return _event(symbol, day, "split", _ratio(1 + rate), spot, "rate")
        case "cash_mergers":
            of, when = row.get("acquiree_symbol", symbol), row.get("effective_date", row.get("process_date"))
            return _event(of, when, "delisting", row.get("rate"), spot, "rate")
        case "worthless_removals":
            return _event(symbol, row.get("process_date", day), "delisting", 0, spot, "value")
        case "halts" | "borrowing" | "name_changes":
            return None
    raise BadDocument(spot, f"{name} cannot be simulated", "leave them out, or write a delisting at the price paid")


def _event(symbol: Any, day: Any, kind: Kind, value: Any, place: str, column: str) -> CorporateEvent:
    try:
        name = cell_symbol(None if symbol != symbol else symbol)
    except BadCell as error:
        raise BadDocument(f"{place}: symbol", error.problem, error.hint) from None
    times = read_times([day], lambda _: f"{place}: ex_date")
    spot = f"{place}: {column}"
    new, colon, old = str(value).partition(":")
    found = _number(new if kind == "split" else value, spot)
    if kind == "split" and colon:
        found /= _number(old, spot) or Fraction(-1)
    if kind == "split":
        found = found.limit_denominator(PARTS_MOST)
        if not Fraction(1, RATIO_MOST) <= found <= RATIO_MOST or found == 1:
            raise BadDocument(spot, f"{str(value)[:40]!r} is no split", "write the new shares for one old: 4, or 1:10")
    elif not (0 if kind == "delisting" else Fraction(1, 10**9)) <= found <= MONEY_MOST:
        raise BadDocument(spot, f"{str(value)[:40]!r} is no amount of USD a share", "write an amount such as 0.51")
    return CorporateEvent(date.fromordinal(int(times.day[0])), name, kind, found, place)


def _number(value: Any, spot: str) -> Fraction:
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if isinstance(value, bool) or not found.is_finite() or abs(found) > 10**12:
        raise BadDocument(spot, f"{str(value)[:40]!r} is not a number", "write a number such as 0.51, or a ratio 4:1")
    return Fraction(found)
