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


def show_changed(loaded: LoadedRules, *, origin: bool) -> str:
    """The rules whose value is not the built-in default, as YAML that loads to the same rules, with a final newline;
    a comment when there are none."""
    usual, lines = dict(_lines(Rules(), "", 0)), list[str]()
    sections: list[str] = []
    for key, line in _lines(loaded.rules, "", 0):
        depth = (len(line) - len(line.lstrip())) // 2
        if not key:
            sections = [*sections[:depth], line]
        elif usual.get(key) != line:
            lines += [head for head in sections[:depth] if head]
            sections[:depth] = [""] * depth  # each is written once, before its first key
            where = f"# {loaded.origins.get(key, DEFAULT)}" if origin else ""
            lines.append(f"{line:<{_COLUMN}} {where}".rstrip())
    return "\n".join(lines or ["# nothing is changed: the built-in defaults are in force"]) + "\n"


def changed_json(loaded: LoadedRules) -> str:
    """The same as one `rebalancer.config_changes/1` document: value, default and origin of each dotted key."""
    now, usual = (dict(_values(rules, "")) for rules in (loaded.rules, Rules()))
    changes = {
        key: {
            "value": value,
            "default": usual.get(key),
            "origin": str(loaded.origins.get(key, DEFAULT)),
        }
        for key, value in now.items()
        if usual.get(key) != value
    }
    document = {"schema": "rebalancer.config_changes/1", "changed": changes}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


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
                if isinstance(item, BaseModel):
                    yield "", f"{indent}  {_quoted(entry)}:"
                    yield from _lines(item, f"{key}.{entry}", depth + 2)
                    continue
                yield f"{key}.{entry}", f"{indent}  {_quoted(entry)}: {_word(item)}"
        else:
            yield key, f"{indent}{name}: {_word(value)}"


def _values(section: BaseModel, parent: str) -> Iterator[tuple[str, object]]:
    """Every dotted key with its value as plain JSON; the entries of a mapping are keys of their own."""
    plain = section.model_dump(mode="json")
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{parent}.{name}".lstrip(".")
        if isinstance(value, BaseModel):
            yield from _values(value, key)
        elif isinstance(value, dict):
            yield from ((f"{key}.{entry}", item) for entry, item in plain[name].items())
        else:
            yield key, plain[name]


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
