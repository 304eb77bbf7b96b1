"""Stops and targets of single positions, set and compared as the live program does; what follows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.facts import Instrument, Position
from rebalancer.core.rules import Protection, Rules
from rebalancer.planning.exit_levels import SignalExits, exit_levels
from rebalancer.planning.numbers import rate
from rebalancer.research import position_exits
from rebalancer.research.audit import audited, audited_bars, difference_at
from rebalancer.research.bar_times import nanoseconds
from rebalancer.research.market import NO_COSTS, ActionColumns, CostModel, Instructions, Market, SimulationSetup
from rebalancer.research.presets import with_preset
from rebalancer.research.price_files import last_of_day
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import SimulatedRun, simulated
from tests.research.drawn_setups import drawn

MONDAY = datetime(2026, 11, 16, 14, 35, tzinfo=UTC)
Bar = tuple[float, float, float, float]  # open, high, low, close
FLAT: Bar = (100.0, 100.0, 100.0, 100.0)


def run(
    bars: list[Bar],
    weights: list[float],
    *,
    fill: str = "next_open",
    closes_alone: bool = False,
    a_day: int = 100,
    said: list[int] | None = None,
    costs: CostModel = NO_COSTS,
    stop: float | None = None,
    actions: ActionColumns | None = None,
    volume: float | None = None,
    **protection: Any,
) -> SimulatedRun:
    """One name at 100 USD, five-minute bars; half of 100,000 USD in it, without limits. said: the bar at which each
    bar's weight was said. Every run is audited at all bars."""
    count = len(bars)
    opened, high, low, close = (np.array(column, np.float64)[:, None] for column in zip(*bars, strict=True))
    moments = [MONDAY + timedelta(days=i // a_day, minutes=5 * (i % a_day)) for i in range(count)]
    times = np.array([nanoseconds(at) for at in moments], np.int64)
    day = np.array([at.date().toordinal() for at in moments], np.int64)
    ranges = (None, None) if closes_alone else (low, high)
    volumes = None if volume is None else np.full(close.shape, volume)
    market = Market(("AAA",), times, close, opened, volumes, day, last_of_day(day), None, *ranges)
    rules, terms = with_preset(Rules(), "bare")
    rules = rules.model_copy(update={"protection": Protection.model_validate({"mode": "monitor"} | protection)})
    told = Instructions("targets", np.array(weights)[:, None], said=None if said is None else times[said])
    if stop is not None:
        told = told._replace(stop=np.full(close.shape, stop))
    setup = SimulationSetup(
        market, told, rules, costs, 100_000.0, fill, np.ones(count, dtype=bool),  # type: ignore[arg-type]  # a fill
        reference_columns(market, {}, rules), terms, *([] if actions is None else [actions]),
    )  # fmt: skip
    found = simulated(setup, interpreted=True)
    assert audited(found).differences == 0
    return found


def fills(found: SimulatedRun) -> list[tuple[int, float, float, str]]:
    """Bar, signed shares, price and why of every fill."""
    columns = found.fills()
    kinds = [("plan", "stop", "target")[kind] for kind in columns.kind]
    rows = zip(columns.bar.tolist(), columns.shares.tolist(), columns.price.tolist(), kinds, strict=True)
    return [(bar, shares, price, kind) for bar, shares, price, kind in rows]


OPENED = (1, 500.0, 100.0, "plan")


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((100, 100, 97.01, 99), None),
        ((100, 100, 97, 99), (97.0, "stop")),
        ((96, 100, 95, 99), (96.0, "stop")),  # the price has jumped over the stop
        ((100, 104.99, 99, 99), None),
        ((100, 105, 99, 99), (105.0, "target")),
        ((106, 107, 90, 99), (106.0, "target")),  # it opened beyond the target before it fell
        ((100, 110, 90, 99), (97.0, "stop")),  # both: the stop counts
    ],
)  # fmt: skip
def test_a_long_position_is_closed_at_its_level_or_at_the_open(bar: Bar, expected: tuple[float, str] | None) -> None:
    found = run([FLAT, FLAT, bar], [0.5, np.nan, np.nan])
    assert fills(found) == [OPENED] + ([] if expected is None else [(2, -500.0, *expected)])
    assert found.result.exits["both_reached"] == (1 if bar == (100, 110, 90, 99) else 0)


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((100, 102.99, 95.01, 99), None),
        ((100, 103, 99, 99), (103.0, "stop")),
        ((104, 105, 99, 99), (104.0, "stop")),
        ((100, 101, 95, 99), (95.0, "target")),
        ((94, 101, 93, 99), (94.0, "target")),
    ],
)
def test_a_short_position_is_closed_the_other_way_round(bar: Bar, expected: tuple[float, str] | None) -> None:
    found = run([FLAT, FLAT, bar], [-0.5, np.nan, np.nan])
    assert fills(found) == [(1, -500.0, 100.0, "plan")] + ([] if expected is None else [(2, 500.0, *expected)])


def test_closes_alone_trade_at_the_close() -> None:
    bars = [FLAT, FLAT, (100, 120, 80, 98), (98, 98, 98, 96.5)]
    found = run([*bars], [0.5] + [np.nan] * 3, closes_alone=True)
    assert fills(found) == [OPENED, (3, -500.0, 96.5, "stop")]


@pytest.mark.parametrize(("fill", "bar"), [("next_open", 1), ("next_close", 2), ("same_close", 2)])
def test_a_position_is_watched_from_its_fill_on(fill: str, bar: int) -> None:
    """Bar 1 falls to 96 after its open, and so does bar 2: a fill at the close of bar 1 has not seen the first fall."""
    fall = (100.0, 100.0, 96.0, 100.0)
    weights = [0.5, np.nan, np.nan] if fill != "same_close" else [np.nan, 0.5, np.nan]
    assert [row for row in fills(run([FLAT, fall, fall], weights, fill=fill)) if row[3] == "stop"] == [
        (bar, -500.0, 97.0, "stop")
    ]


@pytest.mark.parametrize(
    ("protection", "back"),
    [
        ({"cool_off": "none"}, 3),  # the next weight is newer than the exit
        ({"cool_off": 10}, 5),  # five minutes a bar: over at the close of bar 4, filled at bar 5
        ({"cool_off": "session"}, 7),  # the next session begins with bar 6
        ({"cool_off": "session", "cool_off_lifted_by_newer_signal": True}, 3),
    ],
)
def test_after_a_stop_nothing_is_opened_for_a_while(protection: dict[str, Any], back: int) -> None:
    fall = (100.0, 100.0, 96.0, 100.0)
    found = run([FLAT, FLAT, fall, *[FLAT] * 6], [0.5] * 9, a_day=6, **protection)
    assert [row[0] for row in fills(found) if row[3] == "plan" and row[1] > 100] == [1, back]
    assert found.result.outcomes.get("DENIED_COOL_OFF", 0) == back - 3


def test_a_target_starts_no_cool_off_but_asks_for_a_newer_weight() -> None:
    rise = (100.0, 106.0, 100.0, 100.0)
    found = run([FLAT, FLAT, rise, *[FLAT] * 3], [0.5] * 6, said=[0, 0, 0, 0, 4, 4])
    assert [(row[0], row[3]) for row in fills(found) if abs(row[1]) > 100] == [(1, "plan"), (2, "target"), (5, "plan")]
    assert (found.result.outcomes["DENIED_STOPPED_OUT"], found.result.outcomes.get("DENIED_COOL_OFF")) == (2, None)


def test_what_a_signal_names_counts_before_the_rules() -> None:
    bars = [FLAT, FLAT, (100, 100, 98, 99), (99, 99, 96.4, 97)]
    assert fills(run(bars, [0.5] + [np.nan] * 3, stop=96.5)) == [OPENED, (3, -500.0, 96.5, "stop")]
    assert fills(run(bars, [0.5] + [np.nan] * 3, stop=98.5)) == [OPENED, (2, -500.0, 98.5, "stop")]


def test_a_resting_stop_limit_does_not_fill_beyond_its_limit() -> None:
    """Stop 97, limit 96.51: a jump to 90 leaves the position, which is closed at the limit when the price is back."""
    rules = {"mode": "broker", "stop_type": "stop_limit", "stop_limit_offset_bps": 50.0}
    bars = [FLAT, FLAT, (90, 92, 90, 91), (91, 98, 91, 98)]
    assert fills(run(bars, [0.5] + [np.nan] * 3, **rules)) == [OPENED, (3, -500.0, 96.51, "stop")]
    watched = rules | {"mode": "monitor"}
    assert fills(run(bars, [0.5] + [np.nan] * 3, **watched)) == [OPENED, (2, -500.0, 90.0, "stop")]


def test_an_exit_pays_like_every_fill_and_takes_no_more_than_its_part_of_the_volume() -> None:
    fall = (100.0, 100.0, 96.0, 96.0)
    found = run([FLAT, FLAT, fall, fall], [0.5, np.nan, np.nan, np.nan], volume=4000.0, costs=CostModel())
    assert [(bar, shares, why) for bar, shares, _, why in fills(found)] == [
        (1, 400.0, "plan"), (2, -400.0, "stop"),
    ]  # fmt: skip
    thin = run([FLAT, FLAT, FLAT, fall, fall, fall], [0.5, 0.5, *[np.nan] * 4], volume=4000.0, costs=CostModel())
    assert [(bar, round(shares), why) for bar, shares, _, why in fills(thin)][-2:] == [
        (3, -400, "stop"), (4, -98, "stop"),
    ]  # fmt: skip
    columns = found.fills()
    spread = 400 * 97.0 * 2e-4
    assert columns.cost[1] > spread
    assert found.result.costs.fees > 0


def test_a_split_takes_the_levels_along() -> None:
    one = np.array([2]), np.array([0]), np.array([4]), np.array([1]), np.array([0.0])
    quarter: Bar = (25.0, 25.0, 24.5, 25.0)
    found = run([FLAT, FLAT, quarter, (25, 25, 24.25, 25)], [0.5] + [np.nan] * 3, actions=ActionColumns(*one))
    assert fills(found) == [OPENED, (3, -2000.0, 24.25, "stop")]


@settings(max_examples=300, deadline=None)
@given(
    st.decimals("0.0002", "900000", places=6), st.decimals("0.000001", "900000", places=6), st.integers(1, 9_999),
    st.booleans(), st.booleans(), st.sampled_from([0.0, 12.5, 50.0]),
)  # fmt: skip
def test_law_levels_are_those_of_live(
    entry: Decimal, named: Decimal, bps: int, is_long: bool, is_named: bool, offset: float
) -> None:
    """Stop, target and limit of any entry, distance and named price, in grains of a millionth."""
    part = bps / 10_000
    rules = Protection.model_validate(
        {"stop_loss": part, "take_profit": part, "stop_type": "stop_limit", "stop_limit_offset_bps": offset}
    )
    qty = Decimal(10 if is_long else -10)
    instrument = Instrument("AAA", "us_equity", True, True, True, Decimal(1), Decimal("0.01"))
    exits = {"AAA": SignalExits("s", named, named)} if is_named else {}
    (live,) = exit_levels([Position("AAA", qty, qty, entry)], {"AAA": instrument}, exits, rules)
    at, given_price, distance = int(entry.scaleb(6)), int(named.scaleb(6)) if is_named else 0, rate(part)
    tick = position_exits.tick_at(at, 1_000_000, False)
    stop = position_exits.level_of(at, given_price, distance, tick, not is_long)
    goal = position_exits.level_of(at, given_price, distance, tick, is_long)
    limit = position_exits.limit_of(stop, rate(offset / 10_000), tick, is_long)
    found = tuple(Decimal(price).scaleb(-6) for price in (stop, goal, limit))
    assert found == (live.stop, live.target, live.stop_limit)


@pytest.mark.campaign
def test_exits_and_what_follows_are_those_of_live_at_every_bar_of_500_runs() -> None:
    count, wrong = 0, []
    for seed in range(1_000, 1_500):
        found = simulated(drawn(seed))
        count += sum(found.result.exits[kind] for kind in ("stop", "target"))
        wrong += [(seed, one) for bar in audited_bars(found) if (one := difference_at(found, bar)) is not None]
    print(count, "exits")
    assert (wrong, count > 1000) == ([], True)
