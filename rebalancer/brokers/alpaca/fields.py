"""Extract fields from the broker's JSON: tolerant of what we do not know, strict about what we need.

Unknown keys and unknown enum values are accepted. A required field that is missing, of the wrong type or not finite
raises `UnreadableField` naming the field: a wrong number is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.values import decimal_of, symbol_of, utc_of
from rebalancer.core.venue_rules import AssetClass

# Asset classes that Alpaca offers and this program does not trade.
FOREIGN_CLASSES: Final = frozenset(
    {"us_option", "crypto_perp", "treasury", "corporate", "global_equity", "us_index", "us_equity_chain", "ipo"}
)
_EQUITY_LENGTH_MAX: Final = 5
_JOINED_PAIR: Final = re.compile(r"[A-Z0-9]{2,10}(USD|USDC|USDT|BTC)")


class UnreadableField(ValueError):
    """The broker's response lacks a required value; the message names the field."""


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn `UnreadableField` into a BrokerUnavailable that names the request."""
    try:
        yield
    except UnreadableField as error:
        raise BrokerUnavailable(f"the broker's {what} cannot be read: {error}") from None


def table(value: Any, where: str) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise UnreadableField(f"{where} is not an object")
    return value


def rows(value: Any, where: str) -> list[Mapping[str, Any]]:
    """A list of JSON objects."""
    if not isinstance(value, list):
        raise UnreadableField(f"{where} is not a list")
    return [table(row, f"{where}[{i}]") for i, row in enumerate(value)]


def text(row: Mapping[str, Any], key: str) -> str:
    """A non-empty string."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise UnreadableField(f"{key} is {value!r:.60}")
    return value


def words(row: Mapping[str, Any], *keys: str) -> str:
    """The first of these fields that is a non-empty string; else an empty string."""
    return next((value for key in keys if isinstance(value := row.get(key), str) and value), "")


def flag(row: Mapping[str, Any], key: str, default: bool | None = None) -> bool:
    """A JSON boolean; `default` None means that it is required."""
    value = row.get(key, default)
    if not isinstance(value, bool):
        raise UnreadableField(f"{key} is {value!r:.60}")
    return value


def number(row: Mapping[str, Any], key: str) -> Decimal:
    """A finite decimal, written as a string or as a JSON number."""
    value = maybe_number(row, key)
    if value is None:
        raise UnreadableField(f"{key} is missing")
    return value


def maybe_number(row: Mapping[str, Any], key: str) -> Decimal | None:
    """A finite decimal; None when it is null, empty or absent."""
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, (str, int, Decimal)):
        try:
            return decimal_of(value)
        except ValueError as error:
            raise UnreadableField(f"{key}: {error}") from None
    raise UnreadableField(f"{key} is {value!r:.60}")


def moment(row: Mapping[str, Any], key: str) -> datetime:
    """An RFC 3339 time, as UTC."""
    value = maybe_moment(row, key)
    if value is None:
        raise UnreadableField(f"{key} is missing")
    return value


def maybe_moment(row: Mapping[str, Any], key: str) -> datetime | None:
    """An RFC 3339 time, as UTC; None when it is null, empty or absent."""
    value = row.get(key)
    if value is None or value == "":
        return None
    try:
        return utc_of(value) if isinstance(value, str) else _refuse(key, value)
    except (ValueError, OverflowError) as error:
        raise UnreadableField(f"{key}: {error}") from None


def day(row: Mapping[str, Any], key: str) -> date:
    """A calendar date, from `YYYY-MM-DD` or from the date part of a timestamp."""
    try:
        return date.fromisoformat(text(row, key)[:10])
    except ValueError as error:
        raise UnreadableField(f"{key}: {error}") from None


def asset_class(row: Mapping[str, Any], key: str) -> AssetClass | None:
    """The class of an asset; None for one that this program does not trade.

    An unknown class raises `UnreadableField`: leaving out its positions could make an account look flat.
    """
    match row.get(key):
        case "us_equity":
            return "us_equity"
        case "crypto":
            return "crypto"
        case str(name) if name in FOREIGN_CLASSES:
            return None
        case other:
            raise UnreadableField(f"{key} is {other!r:.60}, an asset class this program does not know")


def symbol(row: Mapping[str, Any], kind: AssetClass) -> str:
    """The canonical symbol; a name that is not a symbol, such as a CUSIP, is kept unchanged so that it is not lost."""
    name = text(row, "symbol")
    try:
        return symbol_of(name, crypto=kind == "crypto")
    except ValueError:
        return name


def loose_symbol(name: str) -> str:
    """The canonical symbol of a row without an asset class: US equity symbols have at most five letters."""
    crypto = len(name) > _EQUITY_LENGTH_MAX and _JOINED_PAIR.fullmatch(name) is not None
    try:
        return symbol_of(name, crypto=crypto)
    except ValueError:
        return name


def once(names: Iterable[str], what: str) -> None:
    """Raise UnreadableField when a name appears twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UnreadableField(f"{what} {name} appears twice")
        seen.add(name)


def _refuse(key: str, value: object) -> datetime:
    raise UnreadableField(f"{key} is {value!r:.60}")
