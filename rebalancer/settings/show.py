"""Print the effective rules, as YAML that loads to the same rules or as JSON, with the origin of every value; and the
JSON Schema of the configuration, for completion and validation of YAML in editors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel

from rebalancer.core.codec import rules_text
from rebalancer.core.documents import sha256
from rebalancer.core.rules import Rules
from rebalancer.settings.load import LoadedRules
from rebalancer.settings.origin import DEFAULT

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_WORDS: Final = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_COLUMN: Final = 56


def show_text(loaded: LoadedRules, *, origin: bool) -> str:
    """The rules as YAML with a final newline; with `origin`, each value is followed by its origin as a comment."""
    lines = []
    for key, line in _lines(loaded.rules, "", 0):
        where = f"# {loaded.origins.get(key, DEFAULT)}" if origin and key in loaded.origins else ""
        lines.append(f"{line:<{_COLUMN}} {where}".rstrip() if where else line)
    return "\n".join(lines) + "\n"


def show_json(loaded: LoadedRules) -> str:
    """The rules, their hash, origins and warnings as one `rebalancer.config/1` document with a final newline."""
    document = {
        "schema": "rebalancer.config/1",
        "rules_sha256": sha256(rules_text(loaded.rules)),
        "rules": loaded.rules.model_dump(mode="json"),
        "origins": {key: origin._asdict() for key, origin in loaded.origins.items()},
        "warnings": list(loaded.warnings),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _lines(section: BaseModel, parent: str, depth: int) -> Iterator[tuple[str, str]]:
    indent = "  " * depth
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{parent}.{name}".lstrip(".")
        if isinstance(value, BaseModel):
            yield "", f"{indent}{name}:"
            yield from _lines(value, key, depth + 1)
        elif isinstance(value, dict) and value:
            yield "", f"{indent}{name}:"
            for entry, item in value.items():
                yield f"{key}.{entry}", f"{indent}  {_quoted(entry)}: {_word(item)}"
        else:
            yield key, f"{indent}{name}: {_word(value)}"


def _word(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{}"
    return repr(value)


def _quoted(text: str) -> str:
    """A text in double quotes, unless every YAML parser reads it as a string; unprintable characters are escaped."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_WORDS:
        return text
    body = "".join(_escaped(character) for character in text)
    return f'"{body}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def schema_text() -> str:
    """The schema as indented JSON with a final newline; `config/execution.schema.json` contains this text."""
    schema = Rules.model_json_schema(mode="validation")
    schema.pop("title", None)
    for section in (schema, *schema.get("$defs", {}).values()):
        _allow_notes(section)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rebalancer: config/execution.yaml",
        **schema,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _allow_notes(section: dict[str, Any]) -> None:
    if section.get("additionalProperties") is False:
        section["patternProperties"] = {"^x-": {"description": "a note; ignored"}}
