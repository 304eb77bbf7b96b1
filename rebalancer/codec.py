"""Facts and decisions as JSON: decimals as strings, times as RFC 3339, one canonical form for hashing.

Reading is strict: unknown or repeated keys, NaN, naive times and wrong types raise `BadDocument`, which names the
place and, where the text is at hand, its line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from rebalancer.decisions import Plan
from rebalancer.facts import Snapshot
from rebalancer.rules import Rules
from rebalancer.values import text_of, time_text


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
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """Hex SHA-256 of a UTF-8 text."""
    return hashlib.sha256(text.encode()).hexdigest()


def rules_text(rules: Rules) -> str:
    """The canonical text of rules, as stored and hashed."""
    return canonical(rules.model_dump(mode="json"))


def seal(plan: Plan, snapshot_text: str, rules_text: str) -> Plan:
    """The plan with the hashes of the exact texts that it was made from."""
    return plan._replace(snapshot_sha256=sha256(snapshot_text), rules_sha256=sha256(rules_text))


def plan_text(plan: Plan) -> str:
    """A plan as indented JSON in the documented key order."""
    return json.dumps(plain(plan), indent=1, ensure_ascii=False, allow_nan=False)


@cache
def _snapshot_adapter() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot, config=ConfigDict(extra="forbid", allow_inf_nan=False))


@cache
def _plan_adapter() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan, config=ConfigDict(extra="forbid", allow_inf_nan=False))


def read_snapshot(text: str, source: str = "snapshot") -> Snapshot:
    """Read a `rebalancer.snapshot/1` document. Raises BadDocument naming line and key."""
    document = read_json(text, source)
    if not isinstance(document, dict) or document.get("schema") != "rebalancer.snapshot/1":
        raise BadDocument(f"{source}:1: schema", "not a rebalancer.snapshot/1 document")
    try:
        snapshot = _snapshot_adapter().validate_python(document)
    except ValidationError as error:
        raise _located(error, text, source) from None
    for name, moment in _moments(snapshot):
        if moment.tzinfo is None:
            raise BadDocument(
                f"{source}:{_line_of(text, name)}: {_key_text(name)}",
                f"{moment.isoformat()} has no time zone",
                "write times as 2026-11-20T15:35:00Z",
            )
    return snapshot


def read_plan(text: str, source: str = "plan") -> Plan:
    """Read a stored `rebalancer.plan/1` document. Raises BadDocument."""
    try:
        return _plan_adapter().validate_python(read_json(text, source))
    except ValidationError as error:
        raise _located(error, text, source) from None


def read_json(text: str, source: str) -> Any:
    """Parse JSON strictly: no repeated keys, no NaN or infinity. Raises BadDocument with the line."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadDocument(source, f"the key {twice!r} stands twice", "keep one of them")
        return found

    def constant(name: str) -> Any:
        raise BadDocument(source, f"{name} is not a number", "leave the value out or write a finite number")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        problem = "is empty" if not text.strip() else f"is not JSON: {error.msg} (column {error.colno})"
        raise BadDocument(f"{source}:{error.lineno}", problem, "was the file written completely?") from None
    except RecursionError:
        raise BadDocument(source, "is nested too deeply") from None


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


def _moments(snapshot: Snapshot) -> list[tuple[tuple[str | int, ...], datetime]]:
    found: list[tuple[tuple[str | int, ...], datetime]] = [
        (("as_of",), snapshot.as_of),
        (("session", "open"), snapshot.session.open),
        (("session", "close"), snapshot.session.close),
    ]
    found += [(("quotes", i, "at"), quote.at) for i, quote in enumerate(snapshot.quotes)]
    found += [(("signals", i, "issued_at"), signal.issued_at) for i, signal in enumerate(snapshot.signals)]
    return found


def _located(error: ValidationError, text: str, source: str) -> BadDocument:
    first = error.errors(include_url=False)[0]
    place = tuple(part for part in first["loc"] if isinstance(part, (str, int)))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return BadDocument(f"{source}:{_line_of(text, place)}: {_key_text(place)}", first["msg"] + more)


def _key_text(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".") or "document"


def _line_of(text: str, place: tuple[str | int, ...]) -> int:
    """The line of a key in a JSON text: JSON is YAML, whose composer keeps the lines. Only used for errors."""
    import yaml

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
