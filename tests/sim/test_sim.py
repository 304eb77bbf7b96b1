"""A short campaign, and proofs that the simulator repeats itself and that the laws have teeth."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.session.signal_receipts import update_receipts
from rebalancer.signals.receipts.following import Followed
from rebalancer.testing import laws
from rebalancer.testing.evidence import Evidence
from rebalancer.testing.order_laws import phases_in_order
from tests.sim import executing, history
from tests.sim.history import run_seed
from tests.sim.scenario import scenario_of
from tests.sim.sometimes import missing
from tests.sim.template import forget_template
from tests.sim.venue import Wire

ROOT = Path(__file__).parents[2]
SHORT = range(1001, 1007)
SHORT_CYCLES = 12


@pytest.fixture(scope="module", autouse=True)
def _template() -> Any:
    yield
    forget_template()


@pytest.mark.parametrize("seed", SHORT)
@pytest.mark.timeout(300)
def test_no_law_is_broken(seed: int) -> None:
    report = run_seed(seed, scenario_of(seed)._replace(cycles=SHORT_CYCLES))
    assert report.violations == []
    assert report.figures["cycles"] >= SHORT_CYCLES


def campaign(*words: str, hash_seed: str = "0") -> dict[str, Any]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.sim", *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.timeout(300)
def test_a_seed_repeats_byte_for_byte() -> None:
    seed = next(s for s in range(1, 500) if scenario_of(s).rivals == 2 and scenario_of(s).cycles < 16)
    first, second = (campaign("--seed", str(seed), hash_seed=number) for number in ("1", "2"))
    assert first["digest"] == second["digest"]
    assert first["figures"] == second["figures"]


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_a_hundred_thousand_cycles() -> None:
    found = campaign("--seeds", "1-4000", "--jobs", "2", "--cycles", "100000")
    print(json.dumps(found))
    assert found["violations"] == 0, found["violating seeds"]
    assert found["cycles"] >= 100_000
    assert missing(found["figures"]) == []


# --- the laws notice


@pytest.fixture(scope="module")
def honest() -> Evidence:
    """What a busy, faultless history left behind."""
    seen: list[Evidence] = []
    real = laws.broken_laws

    def keep(evidence: Evidence) -> list[str]:
        seen.append(evidence)
        return real(evidence)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history.laws, "broken_laws", keep)
        base = scenario_of(3)
        calm = base._replace(
            actions={}, wire=base.wire._replace(posts={}, others={}), venue_faults=(), cycles=12, rivals=1, twin=False
        )
        report = run_seed(3, calm)
    assert report.violations == []
    assert len(seen[0].posts) > 8
    return seen[0]


def _tampered(seen: Evidence, name: str) -> Evidence:
    """The same evidence with one lie in it."""
    posts, orders = [dict(p) for p in seen.posts], [dict(o) for o in seen.orders]
    first = next(i for i in seen.intents.values() if i.id in {p["client_order_id"] for p in posts})
    at = next(n for n, p in enumerate(posts) if p["client_order_id"] == first.id)
    match name:
        case "left without an intent":
            posts[at]["intended"] = False
        case "was posted 2 times":
            posts.append(posts[at])
        case "2 contents":
            posts.append(posts[at] | {"body": "{}"})
        case "kill switch":
            posts[at]["killed"] = True
        case "outside the session":
            posts[at]["at"] = 0
        case "is too long":
            posts[at]["client_order_id"] = "x" * 49
        case "the broker says":
            place = next(n for n, o in enumerate(orders) if o["client_order_id"] == first.id)
            orders[place]["filled_qty"] = "99999"
        case "no such order":
            orders = [o for o in orders if o["client_order_id"] != first.id]
        case "went from":
            changed = first._replace(states=[*first.states, (10**9, "OPEN", Decimal(0))])
            return seen._replace(intents={**seen.intents, first.id: changed})
        case "stands twice":
            row = next(r for r in seen.rows if r.kind == "cycle_ended")
            return seen._replace(rows=[*seen.rows, row])
        case "missing":
            cycles = {
                name: c._replace(verdicts=[v for v in c.verdicts or [] if not v["signal_id"]])
                for name, c in seen.cycles.items()
            }
            return seen._replace(cycles=cycles)
        case "orders of":
            cycles = dict(seen.cycles)
            rules = cycles[first.cycle].rules
            assert rules is not None
            tight = rules | {"execution": rules["execution"] | {"max_orders_per_execution": 0}}
            cycles[first.cycle] = cycles[first.cycle]._replace(rules=tight)
            return seen._replace(cycles=cycles)
        case "position":
            cycles = dict(seen.cycles)
            grown = next(i for i in seen.intents.values() if i.phase == "increase" and i.filled)
            rules = cycles[grown.cycle].rules
            assert rules is not None
            tight = rules | {"position_sizing": rules["position_sizing"] | {"max_position_size": 0.000001}}
            cycles[grown.cycle] = cycles[grown.cycle]._replace(rules=tight)
            return seen._replace(cycles=cycles)
        case "in one order":
            order = next(o for o in orders if o["client_order_id"] == first.id)
            fill = {"activity_type": "FILL", "symbol": order["symbol"], "order_id": order["id"]}
            buy, sell = fill | {"qty": "100000", "side": "buy"}, fill | {"qty": "900000", "side": "sell"}
            return seen._replace(fills=[*seen.fills, buy, sell])
    return seen._replace(posts=posts, orders=orders)


LIES = (
    "left without an intent", "was posted 2 times", "2 contents", "kill switch", "outside the session", "is too long",
    "the broker says", "no such order", "stands twice", "missing", "orders of", "position", "in one order", "went from",
)  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_the_laws_notice(honest: Evidence, lie: str) -> None:
    assert laws.broken_laws(honest) == []
    said = laws.broken_laws(_tampered(honest, lie))
    assert any(lie in sentence for sentence in said), said


def test_phases_are_those_of_each_cycle_also_when_several_were_taken_in_at_once(honest: Evidence) -> None:
    taken_in = {name: intent._replace(cycle="adopted-x") for name, intent in honest.intents.items()}
    assert len(honest.by_cycle()) > 2
    assert list(phases_in_order(honest._replace(intents=taken_in))) == []
    late = [o | {"filled_at": "2031-01-01T00:00:00Z"} if "-r1-" in o["client_order_id"] else o for o in honest.orders]
    assert list(phases_in_order(honest._replace(intents=taken_in, orders=late))) != []


def test_the_laws_notice_books_that_differ(honest: Evidence) -> None:
    assert laws.unsettled(honest) == []
    assert any("books" in said for said in laws.unsettled(honest._replace(positions={"ZZZ": Decimal(1)})))


def test_the_laws_import_nothing_of_the_program() -> None:
    for name in ("evidence", "laws", "record_laws", "order_laws"):
        text = (ROOT / "rebalancer" / "testing" / f"{name}.py").read_text()
        assert set(re.findall(r"(?:import|from) (rebalancer[.\w]*)", text)) <= {
            "rebalancer.testing", "rebalancer.testing.evidence", "rebalancer.testing.record_laws",
        }  # fmt: skip


# --- requests by execute


@pytest.mark.parametrize("seed", [2004, 2006])
@pytest.mark.timeout(300)
def test_no_law_is_broken_by_extra_cycles(seed: int) -> None:
    report = run_seed(seed, scenario_of(seed)._replace(cycles=6, executes=0.6, twin=False))
    assert report.violations == []
    assert report.figures["extra cycles"] > 0
    assert report.figures["signals by execute"] > 0


def lossy(state: Path, *rest: Any) -> Followed:
    """Receipts of which one is lost and another never decided."""
    done = update_receipts(state, *rest)
    with closing(sqlite3.connect(state / "signals.sqlite")) as database, database:
        database.execute("DELETE FROM receipts WHERE n = (SELECT min(n) FROM receipts WHERE source = 'api')")
        database.execute(
            "UPDATE receipts SET outcome = 'PENDING' WHERE n = (SELECT max(n) FROM receipts WHERE source = 'api')"
        )
    return done


def test_the_laws_of_requests_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that does not restrict its extra cycles, receipts that are lost, and a signal with several of them."""
    base = scenario_of(3)._replace(actions={}, wire=Wire(), venue_faults=(), cycles=3, rivals=1, twin=False)
    calm = base._replace(executes=0.6)
    assert run_seed(3, calm).violations == []
    with monkeypatch.context() as patch:
        patch.setattr(executing, "restricted", lambda rules, _: rules)
        assert {said[:2] for said in run_seed(3, calm).violations} == {"E3"}
    with monkeypatch.context() as patch:
        patch.setattr(executing, "update_receipts", lossy)
        assert {said[:2] for said in run_seed(3, calm).violations} == {"E4", "E5"}
    with monkeypatch.context() as patch:
        patch.setattr(executing, "REPEAT_WITHIN", timedelta(0))
        assert {said[:2] for said in run_seed(3, calm._replace(executes=0.85)).violations} == {"E1"}
