"""One small example for every outcome that a plan can give a signal.

Every name costs 50 USD, capital is 100 000 USD, a full score is worth 10 % = 200 shares (see `examples`).
"""

from __future__ import annotations

import pytest

from rebalancer.core.facts import Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from tests.planning.cases import USABLE, WORTH, Case
from tests.planning.cases_day import DAY
from tests.planning.cases_limits import LIMITS
from tests.planning.cases_selection import SELECTION
from tests.planning.examples import HUGE, rules, signal, snapshot

CASES = [*USABLE, *WORTH, *LIMITS, *DAY, *SELECTION]


def world(case: Case) -> tuple[Snapshot, Rules]:
    sections = {**case.rules, "position_sizing": {**HUGE, **case.rules.get("position_sizing", {})}}
    return snapshot(**{"signals": (signal("A"),), **case.facts}), rules(**sections)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_example(case: Case) -> None:
    decided = plan(*world(case))
    ends = [(v.outcome, str(v.because)) for v in (*decided.verdicts, *decided.unsignalled) if v.symbol == "A"]
    orders = ", ".join(f"{o.side} {o.qty:f} {o.symbol}" for o in decided.orders)
    assert (*ends[0], orders) == (case.outcome, case.because, case.orders)


def test_every_outcome_of_a_plan_has_an_example() -> None:
    later = {
        "DENIED_RESTRICTED",
        "WITHHELD",
        "REFUSED_BY_BROKER",
        "UNFILLED",
        "PARTLY_FILLED",
        "FILLED",
        "UNKNOWN_AT_BROKER",
    }
    assert {case.outcome for case in CASES} == {o for o in Outcome if o not in later}
