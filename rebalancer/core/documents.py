"""Documents as text: strict JSON parsing, canonical JSON output, and the error that names file, line and key.

Deliberately light to import: `status` uses it without loading the models that `codec` needs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from rebalancer.core.json_place import line_of, line_of_second
from rebalancer.core.reasons import Reasons
from rebalancer.core.values import text_of, time_text

_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


class BadDocument(ValueError):
    """A document that cannot be read: `where` names file, line and key; `hint` says how to fix it."""

    def __init__(self, where: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{where}: {problem}" + (f"\n  hint: {hint}" if hint else ""))
        self.where, self.problem, self.hint = where, problem, hint


def plain(value: object) -> Any:
    """Turn facts and decisions into plain JSON values. Keys stay in their declared order, None is kept."""
    kind = type(value)
    if kind in _PLAIN_ALREADY:
        return value
    if kind is Decimal:
        return text_of(value)  # type: ignore[arg-type]  # its type has just been compared
    names = _ORDERED.get(kind)
    if names is None:
        return _plain_of_any(value)
    return {name: plain(getattr(value, name)) for name in names}


_PLAIN_ALREADY: Final = frozenset({str, int, float, bool, type(None)})
_ORDERED: Final[dict[type, tuple[str, ...]]] = {}  # of the named tuples seen so far: their names in the order of output


def _plain_of_any(value: object) -> Any:
    """`plain` for what is not told by its exact type."""
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Reasons):
        return str(value)
    if isinstance(value, tuple):
        names: tuple[str, ...] | None = getattr(value, "_fields", None)
        if names is None:
            return [plain(item) for item in value]
        first = [n for n in ("schema", "cycle_id", "snapshot_sha256", "rules_sha256") if n in names]
        _ORDERED[type(value)] = (*first, *[n for n in names if n not in first]) if "schema" in names else names
        return plain(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return text_of(value) if isinstance(value, Decimal) else value


def canonical(value: object) -> str:
    """The canonical JSON text of a value, as used for hashing: sorted keys, no spaces, no NaN."""
    return canonical_json(plain(value))


def canonical_json(document: Any) -> str:
    """The canonical text of a value that is already plain JSON."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """Hex SHA-256 of a UTF-8 text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(text: str, source: str, *, keeps_halves: bool = False) -> Any:
    """Parse JSON strictly: no repeated keys, no NaN or infinity, no lone surrogates. Raises BadDocument with the line.

    keeps_halves: accept lone surrogates, for text written by this program, which escapes broker messages verbatim.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            seen: set[str] = set()
            twice = next(name for name, _ in items if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise BadDocument(f"{source}:{line_of_second(text, twice)}: {twice}", "appears twice", "keep one of them")
        return found

    def constant(name: str) -> Any:
        line = text[: text.find(name)].count("\n") + 1
        raise BadDocument(f"{source}:{line}", f"{name} is not a number", "leave the value out or write a finite number")

    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        problem = "is empty" if not text.strip() else f"is not JSON: {error.msg} (column {error.colno})"
        raise BadDocument(f"{source}:{error.lineno}", problem, "was the file written completely?") from None
    except RecursionError:
        raise BadDocument(source, "is nested too deeply", "was the file written by the right program?") from None
    except BadDocument:
        raise
    except ValueError as error:  # an integer with more digits than Python will parse
        raise BadDocument(source, str(error).split(";")[0], "write fewer digits") from None
    if not keeps_halves:
        _refuse_half_characters(document, text, source)
    return document


def _refuse_half_characters(document: object, text: str, source: str) -> None:
    """Refuse a lone surrogate such as "\\ud800": it is not a character and cannot be encoded, stored or hashed."""
    if _HALF.search(text) is None:
        return
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                waiting += [((*place, key), item), ((*place, key), key)]
        elif isinstance(value, list):
            waiting += [((*place, number), item) for number, item in enumerate(value)]
        elif isinstance(value, str) and not is_whole_text(value):
            shown = key_text(place).encode("ascii", "backslashreplace").decode()
            raise BadDocument(
                f"{source}:{line_of(text, place)}: {shown}",
                "holds half a character (a lone surrogate)",
                "write the character itself, in UTF-8",
            )


def is_whole_text(text: str) -> bool:
    """Whether a text can be encoded as UTF-8, that is, has no lone surrogates (such as Python's escapes of undecodable
    bytes in arguments)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def key_text(place: tuple[str | int, ...]) -> str:
    """A path within a document in the usual notation: `positions[0].qty`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".") or "document"
