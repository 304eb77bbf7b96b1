"""The protection campaign in short, in full when asked for, and proof that its measure notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.session.monitor import Monitor
from tests.execution.exit_orders.campaign import run_campaign, run_part
from tests.execution.exit_orders.findings import document_of
from tests.sim.template import forget_template

LAWS = ("of these without an alert", "orphans", "violations")


@pytest.fixture(scope="module", autouse=True)
def _template() -> Iterator[None]:
    yield
    forget_template()


def test_twenty_rebalances_keep_every_law() -> None:
    found = document_of(1, [run_part(1, 20)])
    assert {law: found[law] for law in LAWS} == {"of these without an alert": 0, "orphans": 0, "violations": []}
    assert (found["rebalances"], found["settled rebalances"] > 10, found["exchanges of exits"] > 10) == (20, True, True)


def test_positions_without_exits_and_without_a_monitor_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExitOrderManager, "place", lambda *_: None)
    monkeypatch.setattr(Monitor, "look", lambda *_: ())
    found = document_of(1, [run_part(1, 4)])
    assert found["longest unprotected seconds"] > 60
    assert found["of these without an alert"] == len(found["violations"]) > 0


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_a_thousand_rebalances() -> None:
    found: dict[str, Any] = run_campaign(1, 1_000, jobs=2)
    print(json.dumps(found))
    assert {law: found[law] for law in LAWS} == {"of these without an alert": 0, "orphans": 0, "violations": []}
    assert found["rebalances"] == 1_000
    assert found["missing"] == []
