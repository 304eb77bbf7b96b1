"""What every plan keeps to, whatever the world looks like."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.codec import canonical, read_plan, read_snapshot
from rebalancer.core.decisions import Order, Plan
from rebalancer.core.facts import Day, Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import Reason, ReasonCode
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from rebalancer.planning.build_order import order_id
from tests.planning.checker import lots
from tests.planning.worlds import World, limited, shuffled, world, worlds

ZERO = Decimal(0)
SEEDS = range(400)


@pytest.fixture(scope="module")
def planned() -> list[tuple[Snapshot, Rules, Plan]]:
    """Plans of many worlds, two of three of them calm, every fourth under all limits there are."""
    every = [world(seed, calm=seed % 3 != 0) for seed in SEEDS]
    every = [limited(w, seed) if seed % 4 == 0 else w for seed, w in zip(SEEDS, every, strict=True)]
    return [(*w, plan(*w)) for w in every]


Planned = list[tuple[Snapshot, Rules, Plan]]


def signed(order: Order) -> Decimal:
    return order.qty if order.side == "buy" else -order.qty


def test_every_signal_has_one_verdict_in_its_order(planned: Planned) -> None:
    for snapshot, _, decided in planned:
        assert [(v.signal_id, v.symbol) for v in decided.verdicts] == [(s.id, s.symbol) for s in snapshot.signals]
        assert all(v.because for v in (*decided.verdicts, *decided.unsignalled))


def test_every_held_symbol_without_a_usable_signal_has_one_unsignalled_verdict(planned: Planned) -> None:
    for snapshot, _, decided in planned:
        away = Outcome.DENIED_STOPPED_OUT
        heard = {v.symbol for v in decided.verdicts if not v.outcome.startswith("REJECTED_") and v.outcome != away}
        silent = sorted(p.symbol for p in snapshot.positions if p.qty != 0 and p.symbol not in heard)
        assert [v.symbol for v in decided.unsignalled] == silent


def test_planned_means_that_there_is_an_order(planned: Planned) -> None:
    for _, _, decided in planned:
        said = {v.symbol for v in (*decided.verdicts, *decided.unsignalled) if v.outcome is Outcome.PLANNED}
        assert said == {o.symbol for o in decided.orders}


def test_quantities_are_positive_multiples_of_the_lot_or_the_rest_beside_them(planned: Planned) -> None:
    for snapshot, rules, decided in planned:
        now = {t.symbol: t.held_qty + t.pending_qty for t in decided.targets}
        instruments = {i.symbol: i for i in snapshot.instruments}
        for order in decided.orders:
            assert order.qty > 0
            lot = lots(instruments[order.symbol], order, rules)
            rest = order.phase == "reduce" and order.qty < lot and order.qty == abs(now[order.symbol])
            assert order.qty % lot == 0 or rest


def test_client_order_ids_are_short_ours_and_unique(planned: Planned) -> None:
    for _, _, decided in planned:
        ids = [o.client_order_id for o in decided.orders]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"rb-[0-9A-Za-z.-]{1,45}", name) for name in ids)


def test_ids_differ_between_accounts_cycles_phases_and_symbols() -> None:
    base = next(w for s in range(50) if len(plan(*(w := world(s, calm=True))).orders) > 3)
    ids = [{o.client_order_id for o in plan(*base).orders}]
    for change in ({"cycle_id": "2026-11-20T15:40Z"}, {"account": base.snapshot.account._replace(id="paper-2")}):
        ids.append({o.client_order_id for o in plan(base.snapshot._replace(**change), base.rules).orders})
    assert {o.client_order_id for o in plan(*base).orders} == ids[0]
    assert len(set.union(*ids)) == sum(len(found) for found in ids)


def test_an_id_tells_apart_what_its_readable_part_cannot() -> None:
    fields = ("paper-1", "2026-11-20T15:35:00Z", "increase", "ABCDEFGHIJ", 1)
    others = [
        ("paper-2", *fields[1:]),
        (fields[0], "2026-11-20T15:35:01Z", *fields[2:]),
        (*fields[:2], "reduce", *fields[3:]),
        (*fields[:3], "ABCDEFGHIK", 1),
        (*fields[:4], 2),
    ]
    assert len({order_id(*f) for f in [fields, *others]}) == 6  # type: ignore[arg-type]  # phases are plain text here


def test_orders_are_within_the_largest_and_the_smallest_size(planned: Planned) -> None:
    """An increase is never above the largest trade, a reduction only where it is one lot. An increase is never below
    the smallest trade. A reduction is only where no more can be sent now (all that is available, or one lot more would
    be too large), where it closes what is then opened on the other side, or all that orders at work leave of a position
    that has to go."""
    for snapshot, rules, decided in planned:
        sizing = rules.position_sizing
        most = min(sizing.max_trade_size, sizing.max_order_value)
        available = {p.symbol: abs(p.qty_available) for p in snapshot.positions}
        targets = {t.symbol: t for t in decided.targets}
        instruments = {i.symbol: i for i in snapshot.instruments}
        for order in decided.orders:
            value = order.qty * (order.limit_price or order.price)
            one_lot = lots(instruments[order.symbol], order, rules)
            assert value <= most or (
                order.phase == "reduce" and order.qty <= max(one_lot, instruments[order.symbol].lot)
            )
            assert order.notional == value.quantize(Decimal("0.01"), "ROUND_DOWN")
            if value >= sizing.min_trade_size:
                continue
            assert order.phase == "reduce"
            lot = instruments[order.symbol].lot
            target = targets[order.symbol]
            flips = target.qty * target.held_qty < 0
            rest = target.qty == 0 and order.qty == abs(target.held_qty + target.pending_qty)
            assert (
                flips
                or rest
                or order.qty + lot > available[order.symbol]
                or (order.qty + lot) * max(order.price, order.limit_price or ZERO) > most
            )


def test_order_budgets_hold_for_increases_and_a_part_is_kept_for_reductions(planned: Planned) -> None:
    for snapshot, rules, decided in planned:
        risk, day = rules.risk_management, snapshot.day
        kept = int(risk.max_orders_per_day * risk.reserved_order_fraction)
        symbols = Counter(day.orders_sent_by_symbol)
        for number, order in enumerate(decided.orders, start=1):
            symbols[order.symbol] += 1
            if order.phase == "increase":
                assert number <= rules.execution.max_orders_per_execution
                assert day.orders_sent + number <= risk.max_orders_per_day - kept
                assert symbols[order.symbol] <= risk.max_orders_per_symbol_per_day


def test_phases_go_by_effect_and_no_order_flips_a_position(planned: Planned) -> None:
    for snapshot, _, decided in planned:
        held = {p.symbol: p.qty for p in snapshot.positions}
        available = {p.symbol: abs(p.qty_available) for p in snapshot.positions}
        assert [o.phase for o in decided.orders] == sorted((o.phase for o in decided.orders), reverse=True)
        for order in decided.orders:
            now = held.get(order.symbol, ZERO)
            if order.phase == "reduce":
                assert now * signed(order) < 0
                assert order.qty <= min(abs(now), available[order.symbol])
                held[order.symbol] = now + signed(order)
            else:
                assert now * signed(order) >= 0
            closes = "close" if order.phase == "reduce" else "open"
            assert order.position_intent == f"{order.side}_to_{closes}"


def test_largest_drift_goes_first_within_a_phase(planned: Planned) -> None:
    for _, _, decided in planned:
        for phase in ("reduce", "increase"):
            keys = [(-o.drift, o.symbol) for o in decided.orders if o.phase == phase]
            assert keys == sorted(keys)


def test_a_plan_puts_nothing_into_words_until_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(reason: Reason) -> str:
        raise AssertionError(f"{reason.code} was put into words")

    worlds = [world(seed) for seed in range(40)]
    monkeypatch.setattr(Reason, "__str__", written)
    plans = [plan(snapshot, rules) for snapshot, rules in worlds]
    with pytest.raises(AssertionError, match="was put into words"):
        plans[0].to_json()


def test_what_a_person_left_out_is_left_alone(planned: Planned) -> None:
    seen = set()
    for snapshot, rules, decided in planned:
        wish = rules.selection
        leaving = decided.because.has(ReasonCode.ALL_CLOSED) or decided.because.has(ReasonCode.FLAT_BY)
        if leaving or decided.outcome.startswith("SKIPPED"):
            continue
        for order in decided.orders:
            assert order.symbol not in wish.exclude
            assert not wish.only or order.symbol in wish.only
            assert wish.side in ("both", order.side)
            seen.add((bool(wish.only), bool(wish.exclude), wish.side))
        if wish.max_turnover is not None and any(o.phase == "increase" for o in decided.orders):
            traded = sum((o.qty * max(o.price, o.limit_price or ZERO) for o in decided.orders), ZERO)
            assert traded <= Decimal(str(wish.max_turnover)) * decided.capital
            seen.add("turnover")
        scaling = Decimal(str(rules.position_sizing.capital_scaling))
        assert decided.capital == (snapshot.account.equity - wish.withdraw) * scaling
    assert {(True, False, "both"), (False, True, "both"), "turnover"} <= seen
    assert {side for case in seen if isinstance(case, tuple) for side in case[2:]} == {"both", "buy", "sell"}


def test_what_is_sold_is_owned_unless_shorting_is_allowed(planned: Planned) -> None:
    for snapshot, rules, decided in planned:
        instruments = {i.symbol: i for i in snapshot.instruments}
        for order in decided.orders:
            if order.side == "sell" and order.phase == "increase":
                assert rules.position_sizing.allow_short
                assert snapshot.account.shorting_enabled
                assert instruments[order.symbol].shortable
                assert order.qty == order.qty.to_integral_value()


def test_frozen_and_doubtful_symbols_are_never_traded(planned: Planned) -> None:
    for snapshot, _, decided in planned:
        foreign = {o.symbol for o in snapshot.open_orders if (not o.ours and o.qty > o.filled_qty) or o.unknown}
        untradable = {i.symbol for i in snapshot.instruments if not i.tradable}
        traded = {o.symbol for o in decided.orders}
        assert not traded & (foreign | untradable | set(decided.frozen))
        assert foreign <= set(decided.frozen)
        if snapshot.expected_positions is not None:
            explained = {e.symbol for e in snapshot.explanations} | set(snapshot.unexplained_before)
            held = {p.symbol: p.qty for p in snapshot.positions}
            names = {*held, *snapshot.expected_positions} - explained
            differ = {s for s in names if held.get(s, ZERO) != snapshot.expected_positions.get(s, ZERO)}
            assert differ <= set(decided.frozen)


def test_silence_is_not_a_sell(planned: Planned) -> None:
    for _, rules, decided in planned:
        if rules.execution.unsignalled_positions == "exit" or decided.because.has(ReasonCode.ALL_CLOSED):
            continue
        targets = {t.symbol: t for t in decided.targets}
        for verdict in decided.unsignalled:
            if verdict.outcome is Outcome.PLANNED:
                target = targets[verdict.symbol]
                assert target.factors or abs(target.weight) == target.own_cap
                assert {o.phase for o in decided.orders if o.symbol == verdict.symbol} == {"reduce"}


def test_beyond_a_loss_limit_only_reductions_are_planned(planned: Planned) -> None:
    seen = 0
    for _, _, decided in planned:
        if decided.outcome in (CycleOutcome.HALTED_DAILY_LOSS, CycleOutcome.HALTED_DRAWDOWN):
            assert {o.phase for o in decided.orders} <= {"reduce"}
            seen += bool(decided.orders)
        elif decided.outcome is not CycleOutcome.COMPLETED:
            assert decided.orders == ()
    assert seen > 3


def test_no_limit_is_higher_after_than_it_may_be(planned: Planned) -> None:
    for _, _, decided in planned:
        for use in decided.limits:
            if use.name.startswith(("gross", "long", "short", "sector:", "correlation:", "position:")):
                assert use.after <= max(use.limit, use.before) + 1e-12


def test_targets_respect_every_cap_together(planned: Planned) -> None:
    for _, rules, decided in planned:
        assert sum(abs(t.weight) for t in decided.targets) <= rules.position_sizing.max_total_exposure * (1 + 1e-12)
        for target in decided.targets:
            assert abs(target.weight) <= min(abs(target.raw_weight), target.own_cap)
            assert target.weight * target.raw_weight >= 0
            assert all(0 <= factor < 1 for factor in target.factors.values())


@settings(max_examples=150, deadline=None)
@given(worlds(calm=True), st.integers(0, 2**32))
def test_the_order_in_which_facts_are_told_does_not_matter(given_world: World, seed: int) -> None:
    snapshot, rules = limited(given_world, seed) if seed % 2 else given_world
    first, second = plan(snapshot, rules), plan(shuffled(snapshot, seed), rules)
    assert sorted(map(str, first.verdicts)) == sorted(map(str, second.verdicts))
    assert first._replace(verdicts=()) == second._replace(verdicts=())


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_plan_and_snapshot_survive_json(given_world: World) -> None:
    snapshot, rules = limited(given_world, int(given_world.snapshot.account.equity))
    again = read_snapshot(canonical(snapshot))
    decided = plan(snapshot, rules)
    assert again == snapshot
    assert plan(again, rules) == decided
    assert read_plan(decided.to_json()) == decided


def test_plans_are_equal_byte_for_byte_in_every_process() -> None:
    script = (
        "from hashlib import sha256; from rebalancer.planning import plan;"
        "from tests.planning.worlds import world;"
        "print(sha256(''.join(plan(*world(s, calm=s % 2 == 0)).to_json() for s in range(30)).encode()).hexdigest())"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": hash_seed}, stdout=-1)
        for hash_seed in ("0", "4242")
    ]
    told = [run.communicate()[0] for run in runs]
    assert len(told[0]) == 65
    assert told[0] == told[1]


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(0, 3), st.integers(0, 200))
def test_no_count_of_orders_holds_back_a_reduction(given_world: World, left: int, sent: int) -> None:
    """Whatever has been sent today and however few orders there may be, the same reductions are planned."""
    snapshot, rules = given_world
    document = rules.model_dump(mode="json")
    document["gate"] |= {"max_orders_per_minute": 10_000}
    wide, tight = (
        Rules.model_validate(
            document
            | {
                "execution": document["execution"] | {"max_orders_per_execution": most},
                "risk_management": document["risk_management"]
                | {"max_orders_per_day": most, "max_orders_per_symbol_per_day": most},
            }
        )
        for most in (10_000, left)
    )
    busy = snapshot._replace(day=Day(sent, {p.symbol: sent for p in snapshot.positions}))
    free = plan(snapshot._replace(day=Day()), wide)
    held = plan(busy, tight)
    assert [o for o in held.orders if o.phase == "reduce"] == [o for o in free.orders if o.phase == "reduce"]
    assert sum(o.phase == "increase" for o in held.orders) <= max(left - sent, 0)


@pytest.mark.parametrize(("a_minute", "an_execution"), [(0, 0), (1, 200), (2, 1), (3, 10)])
def test_a_cycle_asks_for_no_more_than_the_guard_against_a_runaway_lets_through(
    a_minute: int, an_execution: int
) -> None:
    """One more within a minute would close the gate until a person opens it; the others wait for the next cycle."""
    seen = 0
    for seed in range(120):
        snapshot, rules = world(seed, calm=True)
        few = rules.model_copy(
            update={
                "gate": rules.gate.model_copy(update={"max_orders_per_minute": a_minute}),
                "execution": rules.execution.model_copy(update={"max_orders_per_execution": an_execution}),
            }
        )
        decided = plan(snapshot, few)
        assert len(decided.orders) <= a_minute
        verdicts = (*decided.verdicts, *decided.unsignalled)
        said = {v.outcome for v in verdicts if next(iter(v.because)).code is ReasonCode.ORDERS_AT_ONCE}
        assert said <= {Outcome.DENIED_ORDERS_PER_EXECUTION}
        seen += bool(said)
    assert seen > 3
