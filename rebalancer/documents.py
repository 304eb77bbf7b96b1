"""Documents as text: strict JSON in, one canonical JSON out, and the error that names file, line and key.

Light on purpose: `status` reads and writes through this without the models of `codec`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final

from rebalancer.values import text_of, time_text

LOCATED_MAX: Final = 4 * 1024 * 1024  # characters; in a larger text the line of a mistake would take minutes to find


class BadDocument(ValueError):
    """A document that cannot be read: `where` names file, line and key; `hint` says how to mend it."""

    def __init__(self, where: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{where}: {problem}" + (f"\n  hint: {hint}" if hint else ""))
        self.where, self.problem, self.hint = where, problem, hint


def plain(value: object) -> Any:
    """Turn facts and decisions into plain JSON values. Keys stay in their declared order, None is kept."""
    if isinstance(value, Decimal):
        return text_of(value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        names: tuple[str, ...] | None = getattr(value, "_fields", None)
        if names is None:
            return [plain(item) for item in value]
        first = [n for n in ("schema", "cycle_id", "snapshot_sha256", "rules_sha256") if n in names]
        ordered = (*first, *[n for n in names if n not in first]) if "schema" in names else names
        return {name: plain(getattr(value, name)) for name in ordered}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def canonical(value: object) -> str:
    """The one text of a value that is hashed: sorted keys, no spaces, no NaN."""
    return canonical_json(plain(value))


def canonical_json(document: Any) -> str:
    """The same of what is plain JSON already."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """Hex SHA-256 of a UTF-8 text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(text: str, source: str) -> Any:
    """Parse JSON strictly: no repeated keys, no NaN or infinity. Raises BadDocument with the line."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadDocument(f"{source}:{_line_of_second(text, twice)}: {twice}", "stands twice", "keep one of them")
        return found

    def constant(name: str) -> Any:
        line = text[: text.find(name)].count("\n") + 1
        raise BadDocument(f"{source}:{line}", f"{name} is not a number", "leave the value out or write a finite number")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        problem = "is empty" if not text.strip() else f"is not JSON: {error.msg} (column {error.colno})"
        raise BadDocument(f"{source}:{error.lineno}", problem, "was the file written completely?") from None
    except RecursionError:
        raise BadDocument(source, "is nested too deeply") from None
    except BadDocument:
        raise
    except ValueError as error:  # a whole number with more digits than Python reads
        raise BadDocument(source, str(error).split(";")[0]) from None


def _line_of_second(text: str, key: str) -> int:
    """The line of the second time that a key stands in one object of a JSON text, found as in `line_of`."""
    import yaml

    if len(text) > LOCATED_MAX:
        return 1
    try:
        waiting = [yaml.compose(text, Loader=yaml.SafeLoader)]
    except yaml.YAMLError:
        return 1
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            lines = [name.start_mark.line + 1 for name, _ in node.value if name.value == key]
            if len(lines) > 1:
                return int(lines[1])
            waiting += [value for _, value in node.value]
    return 1


def read_text(path: Path, size_max: int = 64 * 1024 * 1024) -> str:
    """Read a UTF-8 file, with or without a byte order mark. Raises BadDocument when it cannot be read."""
    try:
        if path.stat().st_size > size_max:
            raise BadDocument(str(path), f"is larger than {size_max} bytes")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadDocument(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadDocument(str(path), f"is not UTF-8 (byte {error.start})") from None


def key_text(place: tuple[str | int, ...]) -> str:
    """A place in a document as people write it: `positions[0].qty`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".") or "document"


def line_of(text: str, place: tuple[str | int, ...]) -> int:
    """The line of a key in a JSON text: JSON is YAML, whose composer keeps the lines. Only used for errors."""
    import yaml

    if len(text) > LOCATED_MAX:
        return 1
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return 1
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
