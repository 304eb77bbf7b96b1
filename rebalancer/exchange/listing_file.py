"""A user's own names: a CSV file that adds instruments to the simulated market or replaces some of them.

Columns: symbol, name, class (us_equity or crypto), sector, price (USD, the close of 2026-11-19) and volatility (annual,
as a fraction). A state remembers the names that it was made with; later starts may add names and change none.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content, text_of_bytes
from rebalancer.core.values import decimal_of, symbol_of
from rebalancer.exchange.damage import reading
from rebalancer.exchange.market.listing import Listing, listings, usual_listing
from rebalancer.exchange.store import Store

COLUMNS: Final = ("symbol", "name", "class", "sector", "price", "volatility")
CLASSES: Final = ("us_equity", "crypto")
_WORDS: Final = re.compile(r"[^\x00-\x1f|]{1,64}")
_PRICE_MIN, _PRICE_MAX = 0.05, 1_000_000.0
_VOLATILITY_MIN, _VOLATILITY_MAX = 0.001, 3.0
_SIZE_MAX: Final = 16 * 1024 * 1024
_STORED: Final = "listing"  # its key in the store


def read_listing_file(path: Path) -> dict[str, Listing]:
    """The names of a file, by symbol. Raises BadDocument that names file, line and column."""
    text = text_of_bytes(read_content(path, _SIZE_MAX).body, str(path))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: dict[str, Listing] = {}
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if sorted(header) != sorted(COLUMNS):
            raise BadDocument(
                f"{path}:1", f"has the columns {', '.join(header) or 'of an empty line'}", f"write {','.join(COLUMNS)}"
            )
        for values in reader:
            where = f"{path}:{reader.line_num}"
            if not values:
                continue
            if len(values) != len(header):
                raise BadDocument(where, f"has {len(values)} values, the header has {len(header)}")
            listing = _listing(dict(zip(header, (value.strip() for value in values), strict=True)), where)
            if listing.symbol in found:
                raise BadDocument(f"{where}: symbol", f"{listing.symbol} is listed twice", "keep one row")
            found[listing.symbol] = listing
    except csv.Error as error:
        raise BadDocument(f"{path}:{reader.line_num}", f"is not CSV: {error}", "write it again") from None
    if not found:
        raise BadDocument(str(path), "lists no names")
    return found


def stored_listing(store: Store, given: Mapping[str, Listing] | None, where: object) -> dict[str, Listing] | None:
    """The names of a state: those that it was made with and those that are given now; None for the built-in ones.

    Raises ValueError when a name that the state knows would change, since its prices have been seen, and
    StateUnreadable for stored names that cannot be read.
    """
    text = None if store.is_new else store.meta(_STORED)
    with reading(store):
        before = {} if text is None else {row[0]: Listing(*row) for row in json.loads(text)}
    if not store.is_new and given is not None:
        known = listings() | before
        changed = sorted(name for name, row in given.items() if name in known and known[name] != row)
        if changed:
            raise ValueError(
                f"{where} was made with other rows of {', '.join(changed[:5])}, and prices that were seen do not "
                "change: give the same rows, or choose another --state"
            )
    own = before | dict(given or {})
    return listings() | own if own else None


def keep_listing(store: Store, given: Iterable[Listing]) -> None:
    """Remember given names with the state, inside the caller's transaction."""
    before = {row[0]: row for row in json.loads(store.meta(_STORED) or "[]")}
    store.set_meta(_STORED, json.dumps(list((before | {row.symbol: list(row) for row in given}).values())))


def _listing(row: Mapping[str, str], where: str) -> Listing:
    try:
        symbol = symbol_of(row["symbol"])
    except ValueError as error:
        raise BadDocument(f"{where}: symbol", str(error), "write it as AAPL, BRK.B or BTC/USD") from None
    if row["class"] not in CLASSES:
        raise BadDocument(f"{where}: class", f"{row['class'][:20]!r} is no class", f"write {' or '.join(CLASSES)}")
    if (row["class"] == "crypto") != symbol.endswith("/USD"):
        raise BadDocument(f"{where}: symbol", f"{symbol} is not {row['class']}", "a crypto pair ends in /USD")
    for column in ("name", "sector"):
        if not _WORDS.fullmatch(row[column]):
            raise BadDocument(f"{where}: {column}", "is empty or longer than 64 characters")
    price = _number(row, "price", where, _PRICE_MIN, _PRICE_MAX, "USD")
    volatility = _number(row, "volatility", where, _VOLATILITY_MIN, _VOLATILITY_MAX, "a fraction a year, such as 0.27")
    return usual_listing(symbol, row["name"], row["sector"], price, volatility)


def _number(row: Mapping[str, str], column: str, where: str, least: float, most: float, unit: str) -> float:
    try:
        number = float(decimal_of(row[column]))
    except ValueError:
        raise BadDocument(f"{where}: {column}", f"{row[column][:20]!r} is not a number", unit) from None
    if not least <= number <= most:
        raise BadDocument(f"{where}: {column}", f"{row[column][:20]} is not between {least:g} and {most:,.0f}", unit)
    return number
