"""The JSON Schema of the configuration, for completion and validation of YAML in editors."""

from __future__ import annotations

import json
from typing import Any

from rebalancer.core.rules import Rules


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
