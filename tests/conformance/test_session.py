"""The scripted session against the official schemas, and that its judge can say no."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.changes import CALLS, CHANGES, Change
from tests.conformance.derive import APIS, VARIABLE, derive, official_documents, stored
from tests.conformance.routes import shape
from tests.conformance.schema_check import Answer, Judge

Played = tuple[list[Answer], set[str]]
OURS = {
    "GET /v2/events/trades",
    "GET /v2beta1/events/activities",
    "GET /openapi.json",
}  # not in the official files: tested elsewhere


def violations(answers: list[Answer], judge: Judge) -> list[str]:
    return [line for answer in answers for line in judge.violations(answer)]


def test_every_answer_is_as_the_official_schemas_and_the_documented_changes_say(played: Played) -> None:
    answers, _ = played
    repeated = [key for key, count in Counter((a.call, a.case) for a in answers).items() if count > 1]
    assert repeated == []
    assert len(answers) >= 100
    assert violations(answers, Judge()) == []


def test_the_session_asks_every_route(played: Played) -> None:
    answers, routes = played
    assert routes - OURS - {shape(answer.call) for answer in answers} == set()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.schema}: {change.reason[:40]}")
def test_every_documented_change_is_needed(played: Played, change: Change) -> None:
    others = [other for other in CHANGES if other is not change]
    assert violations(played[0], Judge(changes=others)) != []


def test_every_call_outside_the_files_is_asked(played: Played) -> None:
    asked = {answer.call for answer in played[0]}
    official = {call for api in APIS for call in stored(api)["responses"]}
    assert set(CALLS) - asked == set()
    assert set(CALLS) & official == set()


def test_the_judge_sees_every_lost_renamed_and_retyped_field(played: Played) -> None:
    judge = Judge()
    optional = {name for change in CHANGES for name in change.optional} | {"next_page_token"}
    free = {
        "snapshots",
        "quotes",
        "trades",
        "bars",
        "auctions",
        "orderbooks",
        "corporate_actions",
        "admin_configurations",
        "user_configurations",
        "cashflow",
    }  # hold any names, or lists
    loose_calls = ("/stocks/snapshots", "/v1beta1/crypto/snapshots", "/stocks/meta/")  # any keys
    seen = 0
    for answer in played[0]:
        row = answer.body[0] if isinstance(answer.body, list) and answer.body else answer.body
        loose = any(part in answer.call for part in loose_calls)
        if answer.status != 200 or not isinstance(row, dict) or loose:
            continue
        for name, value in row.items():
            rest = {key: value for key, value in row.items() if key != name}
            broken = [] if name in optional else [rest]
            broken += [{**rest, f"{name}_": value}] + ([] if name in free else [{**row, name: {"an": "object"}}])
            for body in broken:
                judged = answer._replace(body=[body] if isinstance(answer.body, list) else body)
                assert judge.violations(judged), f"{answer.call}: {name}: {body}"
                seen += 1
    assert seen > 1000


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} does not name the official files")
def test_the_compact_schemas_are_those_of_the_official_files() -> None:
    documents = official_documents(Path(os.environ[VARIABLE]))
    assert {api: derive(document) for api, document in documents.items()} == {api: stored(api) for api in APIS}
