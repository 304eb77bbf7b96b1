"""Random requests from the API's own OpenAPI document; every answer is checked against it. Few here, many with
`-m campaign` (API_CASES)."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

from tests.web.conftest import Server

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
STREAMS = "/api/v1/events"  # it never ends
STATES = ("/api/v1/kill",)  # it would stop everything that follows: once, at the end


def run(server: Server, examples: int) -> Counter[str]:
    document = server.ask("GET", "/api/v1/openapi.json").json()
    schema: Any = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
    told: Counter[str] = Counter()
    operations = sorted((found.ok() for found in schema.get_all_operations()), key=lambda o: o.path in STATES)
    for operation in operations:
        if operation.path == STREAMS:
            continue

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {server.tokens['all']}"}
            response = case.call_and_validate(checks=CHECKS, timeout=60)
            told[f"{case.operation.label} {response.status_code}"] += 1

        check()
    return told


def test_a_few_random_requests_are_answered_as_documented(server: Server) -> None:
    told = run(server, 8)
    assert sum(told.values()) > 100
    assert not [name for name in told if name.endswith(" 500")]


@pytest.mark.campaign
def test_many_random_requests(server: Server) -> None:
    told = run(server, int(os.environ.get("API_CASES", "300")))
    print(f"cases {sum(told.values())}: {dict(sorted(told.items()))}")
