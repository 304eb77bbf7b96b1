"""The engine against the slow loop of live plans: the same orders, outcomes and equity, bar by bar."""

from __future__ import annotations

import numpy as np
import pytest

from rebalancer.core.rules import Rules
from rebalancer.research.market import CostModel, Fill
from tests.research.setups import random_market, random_weights, setup_of
from tests.research.stand_in import replayed

pytest.importorskip("rebalancer.research.simulate", reason="the engine is not here yet")
UNPROTECTED = Rules.model_validate({"protection": {"mode": "off"}})
COSTS = CostModel(half_spread_bps=2, fees=False, interest_rate=0, borrow_rate=0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("preset", ["bare", None])
@pytest.mark.parametrize("fill", ["same_close", "next_close"])
@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_the_engine_decides_as_live(seed: int, preset: str | None, fill: Fill, gaps: float) -> None:
    from rebalancer.research.backtest import load_engine

    market = random_market(80, 6, seed=seed, gaps=gaps)
    weights = random_weights(market, seed=seed + 9, gross=(1.0, 0.5, 1.6)[seed % 3])
    if seed % 2:
        weights[::3] = np.nan  # silence
    setup = setup_of(market, weights, preset=preset, rules=UNPROTECTED, fill=fill, costs=COSTS)
    found = load_engine()(setup, None).result
    expected, _ = replayed(setup)
    np.testing.assert_allclose(found.equity, expected.equity, rtol=1e-7)
    assert {str(code): count for code, count in found.outcomes.items()} == expected.outcomes
    assert (found.orders, found.fills) == (expected.orders, expected.fills)
