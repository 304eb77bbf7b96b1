"""How values must be spelled in JSON documents that become facts or a plan: nothing is guessed.

Pydantic by itself would accept full-width digits, 1_000, 0 as a time, and "yes" or 1 for true. Such values are more
likely mistakes, by a person or by another program, so they are refused.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

Place = tuple[str | int, ...]
ROWS_MAX: Final = 100_000  # per list; far more than any account or market needs
_WORDS: Final = frozenset({bool, date, datetime, Decimal, float, int})  # what has a spelling
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+(?:[Zz]|[-+][0-9:]+)?")


class Misspelt(NamedTuple):
    """A misspelled value: its path, what is wrong with it, and how to write it."""

    place: Place
    problem: str
    hint: str


def misspelt(kind: Any, value: Any, place: Place = ()) -> Iterator[Misspelt]:
    """Every value in plain JSON that is not spelled as `kind` requires. Values of an entirely wrong type are left for
    the model to report."""
    shape, of = _shape(kind)
    if shape == "one of":
        if value is not None:
            for one in of:
                yield from misspelt(one, value, place)
    elif shape == "rows" and isinstance(value, list):
        if len(value) > ROWS_MAX:
            yield Misspelt(place, f"has {len(value)} rows", f"at most {ROWS_MAX}")
            return
        for number, item in enumerate(value):
            yield from misspelt(of, item, (*place, number))
    elif shape == "mapping" and isinstance(value, dict):
        for key, item in value.items():
            yield from misspelt(of, item, (*place, key))
    elif shape == "record" and isinstance(value, dict):
        for key, item in value.items():
            if key in of:
                yield from misspelt(of[key], item, (*place, key))
            else:
                yield Misspelt((*place, key), "is not known here", _meant(key, list(of)))
    elif kind in _WORDS:
        found = _of_word(kind, value)
        if found is not None:
            yield Misspelt(place, *found)


@cache
def _shape(kind: Any) -> tuple[str, Any]:
    """How a type is made, and of what: the types of a union, of rows, of a mapping's values, of a record's fields."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return "one of", tuple(one for one in parts if one is not NoneType)
    if origin is tuple:
        return "rows", parts[0]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mapping", parts[1]
    if isinstance(kind, type) and hasattr(kind, "_fields"):
        return "record", get_type_hints(kind)
    return "word", None


def _of_word(kind: Any, value: Any) -> tuple[str, str] | None:
    """What is wrong with one value, and how to fix it; None when nothing is."""
    if kind is bool:
        if isinstance(value, bool):
            return None
        return f"{_shown(value)} is neither true nor false", "write true or false, without quotes"
    if kind is datetime:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return None
        return f"{_shown(value)} is not a time", "write times as 2026-11-20T15:35:00Z"
    if kind is date:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return None
        return f"{_shown(value)} is not a date", "write dates as 2026-11-20"
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        return f"{_shown(value)} is not a number", 'digits 0 to 9 with a point and no separators, such as "1000.50"'
    if isinstance(value, float) and not math.isfinite(value):
        return f"{_shown(value)} is not finite", "write a finite number"
    return None


def _shown(value: object) -> str:
    return repr(value)[:40]


def _meant(word: str, known: list[str]) -> str:
    found = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean {found[0]!r}?" if found else f"known here: {', '.join(known)}"
