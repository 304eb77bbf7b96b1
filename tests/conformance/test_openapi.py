"""The exchange's own OpenAPI document: complete, valid, and kept under random use of every call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests

from rebalancer.exchange.openapi.document import document
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.conformance.recorder import KEYS
from tests.conformance.routes import calls_of, shape
from tests.conformance.schema_check import Answer
from tests.conformance.session import OPTIONS

Played = tuple[list[Answer], set[str]]


@pytest.fixture(scope="module")
def running() -> Iterator[RunningExchange]:
    with start_exchange(OPTIONS) as server:
        yield server


def documented() -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    }


def test_every_route_is_documented_and_every_documented_call_is_a_route(running: RunningExchange) -> None:
    assert sorted(shape(call) for call in documented()) == sorted(calls_of(running))


def test_the_document_is_served(running: RunningExchange) -> None:
    answer = requests.get(f"{running.url}/openapi.json", headers=KEYS, timeout=300)
    assert (answer.status_code, answer.json()) == (200, document())


def test_the_session_keeps_to_the_document(played: Played) -> None:
    """What the scripted session sees is documented, each status and each body."""
    calls = {shape(name): operation for name, operation in documented().items()}
    components = {"components": document()["components"]}
    wrong: list[str] = []
    for answer in played[0]:
        found = calls[shape(answer.call)]["responses"].get(str(answer.status))
        if found is None:
            wrong.append(f"{answer.call} ({answer.case}): {answer.status} is not documented")
            continue
        for content in found.get("content", {}).values():
            judge = jsonschema_rs.validator_for({**content["schema"], **components}, validate_formats=True)
            wrong += [f"{answer.call} ({answer.case}): {error.message}" for error in judge.iter_errors(answer.body)]
    assert wrong == []


def test_the_session_meets_every_documented_success(played: Played) -> None:
    documented_ones = {
        (shape(call), status) for call, row in documented().items() for status in row["responses"] if status < "300"
    }
    met = {(shape(answer.call), str(answer.status)) for answer in played[0]}
    streams = ("/v2/events/trades", "/v2beta1/events/activities", "/openapi.json")
    elsewhere = {(f"GET {path}", "200") for path in streams}
    assert documented_ones - met == elsewhere
