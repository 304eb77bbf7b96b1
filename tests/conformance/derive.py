"""Derive the compact schemas from Alpaca's official OpenAPI files (April 2025).

    ALPACA_OPENAPI_DIR=DIR python -m tests.conformance.derive

reads the trading and the data file in DIR (`*trading*.yaml`, `*data*.yaml`) and writes `schemas/*.json`. Only facts of
the interface are kept: paths, status codes, names, types, formats, nullability, enums and what is required. Prose,
examples and request parts stay behind.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import yaml

SCHEMAS: Final = Path(__file__).parent / "schemas"
APIS: Final = ("trading", "data")
VARIABLE: Final = "ALPACA_OPENAPI_DIR"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_NOT_OURS: Final = ("news", "logos", "xbbo", "spreads")  # parts of the data API that no client here asks
_COPIED: Final = ("type", "format", "enum")


def derive(official: dict[str, Any]) -> dict[str, Any]:
    """The compact form of one official document: responses by call and status, schemas by name."""
    responses: dict[str, dict[str, Any]] = {}
    for path, operations in official["paths"].items():
        if any(part in path for part in _NOT_OURS):
            continue
        for method in _METHODS:
            if method in operations:
                found = operations[method]["responses"].items()
                responses[f"{method.upper()} {path}"] = {str(status): _body(answer) for status, answer in found}
    schemas = {name: _schema(schema) for name, schema in official["components"]["schemas"].items()}
    return {"responses": responses, "schemas": _reachable(responses, schemas)}


def official_documents(directory: Path) -> dict[str, dict[str, Any]]:
    """The official documents by name. Raises FileNotFoundError when a directory does not hold exactly one of each."""
    documents = {}
    for api in APIS:
        found = sorted(directory.glob(f"*{api}*.yaml"))
        if len(found) != 1:
            raise FileNotFoundError(f"{directory} holds {len(found)} files *{api}*.yaml; exactly one is needed")
        documents[api] = yaml.safe_load(found[0].read_text())
    return documents


def stored(api: str) -> dict[str, Any]:
    """The compact form kept in this repository."""
    document: dict[str, Any] = json.loads((SCHEMAS / f"{api}.json").read_text())
    return document


def _body(answer: dict[str, Any]) -> Any:
    """The schema of a JSON answer; None when the file describes no body."""
    content = answer.get("content", {}).get("application/json")
    return None if content is None else _schema(content["schema"])


def _schema(official: dict[str, Any]) -> dict[str, Any]:
    """A schema as JSON Schema 2020-12: `nullable` becomes a type, and prose goes."""
    if "$ref" in official:
        return {"$ref": "#/schemas/" + official["$ref"].rpartition("/")[2]}
    compact: dict[str, Any] = {key: official[key] for key in _COPIED if key in official}
    if official.get("nullable") and "type" in compact:
        compact["type"] = [compact["type"], "null"]
    if "properties" in official:
        compact["properties"] = {name: _schema(schema) for name, schema in official["properties"].items()}
    if official.get("required"):
        compact["required"] = sorted(official["required"])
    if "items" in official:
        compact["items"] = _schema(official["items"])
    if isinstance(official.get("additionalProperties"), dict):
        compact["additionalProperties"] = _schema(official["additionalProperties"])
    alternatives = official.get("anyOf") or official.get("oneOf")  # activities match both: "one of" cannot be meant
    if alternatives:
        compact["anyOf"] = [_schema(schema) for schema in alternatives]
    return compact


def _reachable(responses: object, schemas: dict[str, Any]) -> dict[str, Any]:
    """Only the schemas that an answer can hold."""
    seen: set[str] = set()
    waiting = [responses]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, dict):
            reference = thing.get("$ref")
            if isinstance(reference, str) and (name := reference.rpartition("/")[2]) not in seen:
                seen.add(name)
                waiting.append(schemas[name])
            waiting.extend(thing.values())
        elif isinstance(thing, list):
            waiting.extend(thing)
    return {name: schemas[name] for name in sorted(seen)}


def main() -> int:
    """Write the compact schemas. Returns the exit code."""
    directory = os.environ.get(VARIABLE)
    if not directory:
        print(f"derive: set {VARIABLE} to the directory of the official OpenAPI files", file=sys.stderr)
        return 2
    for api, document in official_documents(Path(directory)).items():
        compact = derive(document)
        text = json.dumps(compact, indent=1, sort_keys=True) + "\n"
        (SCHEMAS / f"{api}.json").write_text(text)
        print(f"{api}: {len(compact['responses'])} calls, {len(compact['schemas'])} schemas")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
