"""Calls are the scarce good: at most four reads before the first order, and one read for the state of all orders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest

from rebalancer.core.outcomes import CycleOutcome
from rebalancer.exchange.market.listing import listings
from rebalancer.market_data.sectors import SectorRow
from rebalancer.ops.clock import Together
from rebalancer.testing import laws
from tests.rebalance.conftest import BASE, NEXT, MakeRig
from tests.support.rig import by_hand, rules

EQUITIES = [s for s, row in listings().items() if row.tradable and row.asset_class == "us_equity"]
WARM = {"GET /v2/account", "GET /v2/positions", "GET /v2/orders", "GET /v2/stocks/snapshots"}
ONE_ORDER = re.compile(r"/v2/orders/.+|/v2/orders:by_client_order_id")
WIDE = {
    "position_sizing__base_position_size": 0.02,
    "risk_management__max_sector_exposure": 1.0,
    "risk_management__max_correlation_exposure": 1.0,
}


@pytest.fixture
def together() -> Iterator[Together]:
    threads = Together(16)
    yield threads
    threads.close()


def before_first_post(requests: list[tuple[str, str]]) -> Counter[str]:
    first = next((i for i, (method, _) in enumerate(requests) if method == "POST"), len(requests))
    return Counter(f"{method} {path}" for method, path in requests[:first])


def own_sectors() -> dict[str, SectorRow]:
    return {s: SectorRow(f"sector {i % 9}", f"group {i}", "test", date(2026, 11, 1)) for i, s in enumerate(EQUITIES)}


def test_four_reads_for_five_symbols_and_none_for_one_order(settled: MakeRig) -> None:
    rig = settled(fill_latency_seconds=0.3, partial_fill_probability=0.5)
    rig.process()
    rig.requests()
    assert rig.run(NEXT, rules()).because == "5 of 5 orders filled"
    requests = rig.requests()
    assert before_first_post(requests) == dict.fromkeys(WARM, 1)
    assert [r for r in requests if ONE_ORDER.fullmatch(r[1])] == []


def test_four_reads_for_forty_symbols(make_rig: MakeRig) -> None:
    assert len(EQUITIES) >= 40
    rig = make_rig(sectors=own_sectors())
    wide = rules(**WIDE)
    rig.run(dict.fromkeys(EQUITIES, 0.5), wide)
    rig.requests()
    result = rig.run({s: 0.0 if i % 2 else 1.0 for i, s in enumerate(EQUITIES)}, wide)
    assert {o.phase for o in result.orders} == {"reduce", "increase"}
    requests = rig.requests()
    assert before_first_post(requests) == dict.fromkeys(WARM, 1)
    assert [r for r in requests if ONE_ORDER.fullmatch(r[1])] == []
    laws.check_laws(rig.url, rig.journal_file)


def test_the_first_run_of_a_day(make_rig: MakeRig) -> None:
    """Cold: the clock, both classes of assets, the closes and the activities too; and once ever, the orders twice."""
    rig = make_rig()
    rig.process()  # asks whose account it is, as the first run of all does
    rig.requests()
    rig.run(BASE, rules())
    cold = before_first_post(rig.requests())
    daily = ["GET /v2/clock", "GET /v2/stocks/bars", "GET /v2/account/activities"]
    assert cold == dict.fromkeys([*WARM, *daily], 1) | {
        "GET /v2/assets": 2,
        "GET /v2/orders": 2,
    }
    rig.exchange.clock.advance(3 * 24 * 3600)
    rig.run({**BASE, "AAPL": 0.4}, rules())
    next_day = before_first_post(rig.requests())
    assert next_day == dict.fromkeys([*WARM, *daily], 1) | {"GET /v2/assets": 2}


def test_a_new_symbol_costs_one_new_sheet(settled: MakeRig) -> None:
    rig = settled()
    rig.requests()
    rig.run({**NEXT, "UNH": 1.0}, rules())
    assert before_first_post(rig.requests())["GET /v2/stocks/bars"] == 1
    rig.run({**NEXT, "UNH": 0.5}, rules())
    assert before_first_post(rig.requests()) == dict.fromkeys(WARM, 1)
    unknown = rig.run({"ZZZZ": 1.0}, rules())
    assert unknown.outcome is CycleOutcome.HOLDING
    rig.requests()
    rig.run({"ZZZZ": 1.0}, rules())
    assert before_first_post(rig.requests()) == dict.fromkeys(WARM, 1), "an unknown symbol is not asked for again"


def test_a_cycle_without_orders_remembers_what_it_read(settled: MakeRig) -> None:
    """Its four reads are its last ones; what trades afterwards is found by the next."""
    rig = settled()
    rig.run(NEXT, rules())
    rig.requests()
    still = rig.run(NEXT, rules())
    assert (still.outcome, still.orders) == (CycleOutcome.HOLDING, ())
    assert before_first_post(rig.requests()) == dict.fromkeys(WARM, 1)
    assert (still.account_after, still.positions_after) == (still.snapshot.account, still.snapshot.positions)
    by_hand(rig, "KO", "3")
    found = {one.symbol: one.kind for one in rig.run(NEXT, rules()).findings}
    assert found["KO"] == "external_trade"
    laws.check_laws(rig.url, rig.journal_file, books_match=False)


def test_twenty_orders_in_two_phases(make_rig: MakeRig, together: Together) -> None:
    rig = make_rig(sectors=own_sectors(), together=together)
    wide = rules(**WIDE)
    hold, others = EQUITIES[:10], EQUITIES[10:20]
    swap = dict.fromkeys(hold, 0.0) | dict.fromkeys(others, 1.0)
    assert rig.run(dict.fromkeys(hold, 1.0) | dict.fromkeys(others, 0.0), wide).because == "10 of 10 orders filled"
    rig.end()
    rig.exchange.stop()
    slow = make_rig(template=rig.folder, sectors=rig.sectors, together=together, latency_seconds=0.2)
    slow.process()
    slow.requests()
    result = slow.run(swap, wide)
    assert result.because == "20 of 20 orders filled"
    counted = Counter(f"{method} {path}" for method, path in slow.requests())
    assert 3 <= counted.pop("GET /v2/orders") <= 7, "before the plan, once a phase; again where a fill came later"
    assert 3 <= counted.pop("GET /v2/account") <= 7, "before the plan, beside each phase; again where that was early"
    assert 2 <= counted.pop("GET /v2/positions") <= 4
    assert counted == {"POST /v2/orders": 20, "GET /v2/stocks/snapshots": 1}
    laws.check_laws(slow.url, slow.journal_file)
