"""Judges one answer by the compact official schemas and the documented changes, strictly both ways."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import jsonschema_rs

from tests.conformance.changes import CALLS, CHANGES, REFUSAL, Change
from tests.conformance.derive import APIS, stored


class Answer(NamedTuple):
    """One answer of a session. `call` is method and path template; `body` None when there was none."""

    call: str
    case: str
    expected: int
    status: int
    body: Any


class Judge:
    """Official schemas with a choice of changes applied."""

    def __init__(self, documents: dict[str, dict[str, Any]] | None = None, changes: Iterable[Change] = CHANGES) -> None:
        documents = documents or {api: stored(api) for api in APIS}
        schemas: dict[str, Any] = {"Refusal": REFUSAL}
        self._responses: dict[str, dict[str, Any]] = {}
        for document in documents.values():
            schemas |= copy.deepcopy(document["schemas"])
            self._responses |= copy.deepcopy(document["responses"])
        loose: dict[str, set[str]] = {}
        for change in changes:
            loose.setdefault(change.schema, set()).update(change.optional)
            _apply(change, schemas[change.schema])
        for name, schema in schemas.items():
            if name not in _REFUSALS:
                _close(schema, loose.get(name, set()))
        _close(self._responses, set())
        self._schemas = schemas
        self._validators: dict[str, Any] = {}

    def violations(self, answer: Answer) -> list[str]:
        """What is wrong with an answer; empty when nothing is."""
        where = f"{answer.call} ({answer.case})"
        if answer.status != answer.expected:
            return [f"{where}: status {answer.status} instead of {answer.expected}: {answer.body}"]
        schema = self._schema_of(answer)
        if schema is _UNKNOWN:
            return [f"{where}: {answer.status} is not in the official file"]
        if schema is None:
            return [] if answer.body is None else [f"{where}: {answer.status} must have no body"]
        validator = self._validator(schema)
        return [
            f"{where}: {'/'.join(map(str, error.instance_path)) or 'answer'}: {error.message[:300]}"
            for error in validator.iter_errors(answer.body)
        ]

    def _schema_of(self, answer: Answer) -> Any:
        described = self._responses.get(answer.call, {}).get(str(answer.status), _UNKNOWN)
        if answer.status >= 400:
            return {"$ref": "#/schemas/Refusal"} if described in (None, _UNKNOWN) else described
        call = CALLS.get(answer.call)
        if call is not None:
            return call.answer if answer.status == 200 else _UNKNOWN
        return described

    def _validator(self, schema: dict[str, Any]) -> Any:
        key = str(schema)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.validator_for(
                {**schema, "schemas": self._schemas}, validate_formats=True
            )
        return self._validators[key]


_UNKNOWN: Final = object()
_REFUSALS: Final = ("Refusal", "ErrorResponse", "LocateError")  # may carry further keys
_PAGING: Final = {"next_page_token"}  # absent and null mean the same: there is no further page


def _close(schema: Any, loose: set[str]) -> None:
    """Let every object inside have its own properties, all of them but the loose ones, and no others."""
    if isinstance(schema, list):
        for part in schema:
            _close(part, set())
        return
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    if isinstance(properties, dict) and "required" not in properties:
        schema["required"] = sorted(set(properties) - loose - _PAGING)
        schema["additionalProperties"] = False
    for name, part in schema.items():
        if name not in ("required", "enum", "type"):
            _close(part, set())


def _apply(change: Change, schema: dict[str, Any]) -> None:
    properties = schema.get("properties", {})
    for name in change.gone:
        del properties[name]
    properties |= change.added
    for name, changed in change.changed.items():
        if name:
            properties[name] = changed
        else:
            schema["enum"] = [*schema["enum"], *changed["enum"]]
