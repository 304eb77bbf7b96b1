"""Derive the compact schemas from Alpaca's official OpenAPI files (June 2026).

    ALPACA_OPENAPI_DIR=DIR python -m tests.conformance.derive

reads the trading and the market data file in DIR (`*trading-api*.json`, `*market-data-api*.json`) and writes
`schemas/*.json`. Only facts of the interface are kept: paths, status codes, names, types, formats, nullability, enums
and what is required. Prose, examples, request parts and the calls that the exchange does not serve stay behind.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

SCHEMAS: Final = Path(__file__).parent / "schemas"
APIS: Final = {"trading": "*trading-api*.json", "data": "*market-data-api*.json"}
VARIABLE: Final = "ALPACA_OPENAPI_DIR"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_NOT_SERVED: Final = (
    "/options/", "/perpetuals/", "/wallets", "/tokenization/", "/fixed_income/", "exercise", "/crypto-perps/",
    "/forex/", "/indices/", "/logos/",
)  # fmt: skip
_COPIED: Final = ("type", "format", "enum")
_EXACT: Final = ("date", "date-time", "uuid")  # other formats, such as decimal or int64, say nothing about JSON


def derive(official: dict[str, Any]) -> dict[str, Any]:
    """The compact form of one official document: responses by call and status, schemas by name."""
    components = official["components"]
    responses: dict[str, dict[str, Any]] = {}
    for path, operations in official["paths"].items():
        if any(part in path for part in _NOT_SERVED):
            continue
        for method in _METHODS:
            if method in operations:
                found = operations[method]["responses"].items()
                answers = {str(status): _body(_resolved(answer, components["responses"])) for status, answer in found}
                responses[f"{method.upper()} {path}"] = answers
    schemas = {name: _schema(_whole(schema, components["schemas"])) for name, schema in components["schemas"].items()}
    for call, answers in responses.items():
        answers.update({status: _named(body, call, schemas) for status, body in answers.items()})
    return {"responses": responses, "schemas": _reachable(responses, schemas)}


def official_documents(directory: Path) -> dict[str, dict[str, Any]]:
    """The official documents by name. Raises FileNotFoundError when a directory does not hold exactly one of each."""
    documents = {}
    for api, pattern in APIS.items():
        found = sorted(directory.glob(pattern))
        if len(found) != 1:
            raise FileNotFoundError(f"{directory} holds {len(found)} files {pattern}; exactly one is needed")
        documents[api] = json.loads(found[0].read_text())
    return documents


def stored(api: str) -> dict[str, Any]:
    """The compact form kept in this repository."""
    document: dict[str, Any] = json.loads((SCHEMAS / f"{api}.json").read_text())
    return document


def _named(body: Any, call: str, schemas: dict[str, Any]) -> Any:
    """An answer's schema; an object without a name, or rows without one, get the call's, so that changes find them."""
    if not isinstance(body, dict):
        return body
    if "items" in body:
        return {**body, "items": _named(body["items"], call, schemas)}
    if "properties" not in body:
        return body
    name = re.sub(r"\W+", "_", call).strip("_")
    schemas[name] = body
    return {"$ref": f"#/schemas/{name}"}


def _resolved(answer: dict[str, Any], responses: dict[str, Any]) -> dict[str, Any]:
    """A response, also where it is only referred to."""
    return responses[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer


def _body(answer: dict[str, Any]) -> Any:
    """The schema of a JSON answer; None when the file describes no body."""
    content = answer.get("content", {}).get("application/json")
    return None if content is None else _schema(content["schema"])


def _schema(official: dict[str, Any]) -> dict[str, Any]:
    """A schema as JSON Schema 2020-12: `nullable` becomes a type, and prose goes."""
    if "$ref" in official:
        return {"$ref": "#/schemas/" + official["$ref"].rpartition("/")[2]}
    compact: dict[str, Any] = {key: official[key] for key in _COPIED if key in official}
    if compact.get("format") not in _EXACT:
        compact.pop("format", None)
    if official.get("nullable") and "type" in compact:
        compact["type"] = [compact["type"], "null"]
        if "enum" in compact:
            compact["enum"] = [*compact["enum"], None]
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


def _whole(official: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """An object that is put together from parts, as one object: only then can it be closed to other properties."""
    if "allOf" not in official:
        return official
    parts = [schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part for part in official["allOf"]]
    wholes = [_whole(part, schemas) for part in parts]
    return {
        "type": "object",
        "properties": {name: schema for part in wholes for name, schema in part.get("properties", {}).items()},
        "required": [name for part in wholes for name in part.get("required", [])],
    }


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
