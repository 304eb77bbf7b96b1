"""What the limits of the day, of the close and of the number of positions promise, in every world."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Day, Position, Session, Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.venue_rules import ALPACA
from rebalancer.planning import plan
from rebalancer.planning.overnight_ramp import gross_limit_at, overnight_gross_limit
from rebalancer.planning.trading_halt import breaches
from tests.planning import examples
from tests.planning.worlds import World, limited, world

ZERO = Decimal(0)
CLOSES = [datetime(2026, 11, 20, 21, 0, tzinfo=UTC), datetime(2026, 11, 27, 18, 0, tzinfo=UTC)]  # the second is half
GLIDES = st.builds(
    lambda low, high, scaling, minutes, interval: Rules.model_validate(
        {
            "risk_management": {"max_overnight_leverage": low, "overnight_glide_minutes": minutes},
            "position_sizing": {"max_total_exposure": high, "capital_scaling": scaling},
            "execution": {"interval_minutes": interval},
        }
    ),
    st.floats(0.01, 2),
    st.floats(0.01, 2),
    st.floats(0.1, 4),
    st.integers(0, 390),
    st.integers(1, 390),
)


def session_to(close: datetime) -> Session:
    return Session(True, close.replace(hour=14, minute=30), close)


@given(GLIDES, st.sampled_from(CLOSES), st.lists(st.integers(0, 24_000), min_size=2))
def test_the_glide_never_rises_and_ends_at_the_overnight_limit(rules: Rules, close: datetime, ago: list[int]) -> None:
    session = session_to(close)
    heights = [overnight_gross_limit(close - timedelta(seconds=s), session, rules) for s in sorted(ago, reverse=True)]
    assert heights == sorted(heights, reverse=True)
    overnight = rules.risk_management.max_overnight_leverage / rules.position_sizing.capital_scaling
    assert overnight_gross_limit(close, session, rules) == min(overnight, rules.position_sizing.max_total_exposure)
    assert max(heights) <= rules.position_sizing.max_total_exposure


@given(GLIDES, st.sampled_from(CLOSES), st.integers(0, 24_000), st.floats(0, 1))
def test_a_cycle_is_below_the_line_until_the_next(rules: Rules, close: datetime, ago: int, part: float) -> None:
    session, now = session_to(close), close - timedelta(seconds=ago)
    later = now + timedelta(minutes=rules.execution.interval_minutes) * part
    assert overnight_gross_limit(now, session, rules) <= gross_limit_at(later, session, rules)


def test_the_line_by_hand() -> None:
    """2 x capital and 80 % of it is 1.6 x equity; half of the way from there to 1.0 is 1.3, or 65 % of capital."""
    rules = Rules.model_validate({"risk_management": {"max_overnight_leverage": 1.0}})
    for close in CLOSES:
        heights = [
            round(gross_limit_at(close - timedelta(minutes=m), session_to(close), rules), 9) for m in (61, 60, 30, 0)
        ]
        assert heights == [0.8, 0.8, 0.65, 0.5]
    assert overnight_gross_limit(CLOSES[0], session_to(CLOSES[0]), Rules()) == 0.8, (
        "by default the day's own limit is the lower one"
    )


def carried_out(snapshot: Snapshot, decided: Plan) -> Snapshot:
    """The facts five minutes later, when every order has filled at once."""
    rows = {p.symbol: p for p in snapshot.positions}
    for order in decided.orders:
        signed = order.qty if order.side == "buy" else -order.qty
        old = rows.get(order.symbol) or Position(order.symbol, ZERO, ZERO, order.price)
        rows[order.symbol] = old._replace(qty=old.qty + signed, qty_available=old.qty_available + signed)
    later = timedelta(minutes=5)
    return snapshot._replace(
        as_of=snapshot.as_of + later,
        positions=tuple(row for _, row in sorted(rows.items()) if row.qty != 0),
        quotes=tuple(q._replace(at=q.at + later) for q in snapshot.quotes),
        signals=tuple(s._replace(issued_at=s.issued_at + later) for s in snapshot.signals),
        day=Day(),
    )


def plain(seed: int) -> Snapshot:
    """A calm world in which everything held can be sold: tradable, priced, available, trusted, and in shares."""
    snapshot = world(seed, calm=True).snapshot
    known = {q.symbol for q in snapshot.quotes if q.bid and q.ask and q.bid <= q.ask}
    coins = {i.symbol for i in snapshot.instruments if i.asset_class == "crypto"}
    return snapshot._replace(
        instruments=tuple(i._replace(tradable=True, fractionable=True) for i in snapshot.instruments),
        positions=tuple(
            p._replace(qty_available=p.qty) for p in snapshot.positions if p.symbol in known and p.symbol not in coins
        ),
        quotes=tuple(
            q._replace(at=snapshot.as_of, bid=(q.bid or ZERO) * 0 + (q.ask or ZERO)) for q in snapshot.quotes
            if q.symbol in known
        ),
        open_orders=(), expected_positions=None, explanations=(), unexplained_before={},
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 10, 60]), st.sampled_from(["600", "10000"]), st.integers(1, 20))
def test_flat_by_leaves_no_position(seed: int, minutes: int, largest: str, orders: int) -> None:
    """However many the positions and however few the orders of one cycle, the account is flat at the time."""
    snapshot = plain(seed)
    asks = {q.symbol: q.ask or ZERO for q in snapshot.quotes}
    most = {s: (10 * Decimal(largest) / ask).quantize(Decimal(1), "ROUND_DOWN") for s, ask in asks.items()}
    assume(min(most.values(), default=Decimal(10)) >= 10)  # what is dearer than an order may be cannot be sold at all
    snapshot = snapshot._replace(
        positions=tuple(
            p._replace(qty=qty, qty_available=qty)
            for p in snapshot.positions
            if (qty := max(min(p.qty, most[p.symbol]), -most[p.symbol])) != 0
        )
    )
    assume(len(snapshot.positions) <= 3 * orders)
    rules = Rules.model_validate(
        {
            "risk_management": {
                "flat_by_minutes_before_close": minutes,
                "max_orders_per_day": 10_000,
                "max_orders_per_symbol_per_day": 10_000,
            },
            "position_sizing": {"max_trade_size": largest, "min_trade_size": "1", "allow_short": True},
            "execution": {"max_orders_per_execution": orders, "close_buffer_seconds": 0},
        }
    )
    close = snapshot.session.close
    while snapshot.as_of + timedelta(minutes=5) <= close - timedelta(minutes=minutes):
        snapshot = carried_out(snapshot, plan(snapshot, rules))
    left = {p.symbol: p.qty for p in snapshot.positions}
    last = plan(snapshot, rules)
    worth = {q.symbol: q.bid or ZERO for q in snapshot.quotes}
    kinds = {i.symbol: i.asset_class for i in snapshot.instruments}
    kept = [p for p in carried_out(snapshot, last).positions if kinds[p.symbol] != "crypto"]
    assert kept == [], left
    coins = [p for p in carried_out(snapshot, last).positions if kinds[p.symbol] == "crypto"]
    assert all(p.qty * worth[p.symbol] < ALPACA.crypto_order_min for p in coins), left  # the venue takes no such order
    assert {o.phase for o in last.orders} <= {"reduce"}


LIMITED = [limited(world(seed, calm=seed % 3 != 0), seed) for seed in range(600)]


@pytest.fixture(scope="module")
def planned() -> list[tuple[Snapshot, Rules, Plan]]:
    return [(*w, plan(*w)) for w in LIMITED]


def test_a_latch_lets_only_reductions_through_whatever_the_equity(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    seen = 0
    for snapshot, _, decided in planned:
        if not snapshot.latched:
            continue
        assert {o.phase for o in decided.orders} <= {"reduce"}
        assert decided.outcome not in (CycleOutcome.COMPLETED, CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED)
        seen += bool(decided.orders)
    assert seen > 3


def test_flattening_leaves_nothing_that_can_be_sold(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    seen = 0
    for _, rules, decided in planned:
        broken = decided.outcome in (CycleOutcome.HALTED_DAILY_LOSS, CycleOutcome.HALTED_DRAWDOWN)
        if broken and rules.risk_management.on_breach == "flatten":
            assert {t.qty for t in decided.targets} <= {ZERO}
            seen += bool(decided.orders)
    assert seen > 3


def test_there_are_never_more_positions_than_allowed(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    """Counted with every order filled and none of the reductions."""
    seen = 0
    for snapshot, rules, decided in planned:
        most = rules.risk_management.max_positions
        if most is None:
            continue
        before = {p.symbol for p in snapshot.positions if p.qty != 0}
        before |= {o.symbol for o in snapshot.open_orders if o.remaining != 0}
        after = before | {o.symbol for o in decided.orders if o.phase == "increase"}
        assert len(after) <= max(most, len(before))
        assert after == before or len(after) <= most
        seen += after != before
    assert seen > 4


def test_there_are_never_more_positions_of_a_correlation_group_than_allowed(
    planned: list[tuple[Snapshot, Rules, Plan]],
) -> None:
    """Counted as above; names whose group is not known count as one group."""
    seen = 0
    for snapshot, rules, decided in planned:
        most = rules.risk_management.max_correlated_positions
        if most is None:
            continue
        groups = {i.symbol: i.correlation_group or "unknown" for i in snapshot.instruments}
        before = {p.symbol for p in snapshot.positions if p.qty != 0}
        before |= {o.symbol for o in snapshot.open_orders if o.remaining != 0}
        after = before | {o.symbol for o in decided.orders if o.phase == "increase"}
        held, then = (Counter(groups.get(symbol, "unknown") for symbol in some) for some in (before, after))
        assert all(then[name] <= max(most, held[name]) for name in then)
        seen += after != before
    assert seen > 1


def test_nothing_is_opened_while_it_cools_off(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    seen = 0
    for snapshot, rules, decided in planned:
        length = rules.protection.cool_off
        if length == "none" or rules.protection.cool_off_lifted_by_newer_signal:
            continue
        opened = {o.symbol for o in decided.orders if o.phase == "increase"}
        coins = {i.symbol for i in snapshot.instruments if i.asset_class == "crypto"}
        stops = snapshot.stopped_out if snapshot.stop_exits is None else snapshot.stop_exits
        for symbol, at in stops.items():
            if length == "session":
                cools = at > snapshot.as_of - timedelta(hours=24) if symbol in coins else at >= snapshot.session.open
            else:
                cools = at > snapshot.as_of - timedelta(minutes=length)
            assert not (cools and symbol in opened)
        seen += any(v.outcome is Outcome.DENIED_COOL_OFF for v in decided.verdicts)
    assert seen > 5


def test_a_cool_off_stops_no_reduction(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    """It lowers targets to what is held at most; what it barred has no order, or it would be PLANNED."""
    seen = 0
    for _, _, decided in planned:
        cooling = {v.symbol for v in decided.verdicts if v.outcome is Outcome.DENIED_COOL_OFF}
        for target in decided.targets:
            if target.symbol in cooling:
                assert abs(target.weight) <= abs(target.held_weight) + 1e-9
                seen += 1
        assert not cooling & {o.symbol for o in decided.orders}
    assert seen > 10


def test_fixed_sizes_are_exact_before_the_caps(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    """A name in which something is opened has the base size, unless a dear coin has its floor; no scale touches it."""
    seen = 0
    for snapshot, rules, decided in planned:
        if rules.position_sizing.method != "fixed":
            continue
        opened = {o.symbol for o in decided.orders if o.phase == "increase"}
        coins = {i.symbol for i in snapshot.instruments if i.asset_class == "crypto"}
        for target in decided.targets:
            if target.symbol in opened - coins and not target.implied:
                assert abs(target.raw_weight) == rules.position_sizing.base_position_size
                assert target.volatility_scale == 1
                seen += 1
    assert seen > 8


def test_nothing_unsure_is_opened_above_75(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    seen = 0
    for _, rules, decided in planned:
        if rules.position_sizing.confidence_scaling != "above_75":
            continue
        opened = {o.symbol for o in decided.orders if o.phase == "increase"}
        spoken = {t.symbol: t.confidence for t in decided.targets if not t.implied}
        assert all(spoken[symbol] >= 0.75 for symbol in opened & spoken.keys())
        seen += len(opened)
    assert seen > 4


def test_positions_that_were_passed_over_had_the_smaller_opinions(
    planned: list[tuple[Snapshot, Rules, Plan]],
) -> None:
    for _, rules, decided in planned:
        if rules.position_sizing.method != "fixed_fraction":
            continue
        opened = {o.symbol for o in decided.orders if o.phase == "increase"}
        targets = {t.symbol: t for t in decided.targets}
        for verdict in decided.verdicts:
            if verdict.outcome is Outcome.DENIED_POSITIONS:
                assert targets[verdict.symbol].weight == 0
                assert verdict.symbol not in opened


def test_what_a_stop_has_closed_is_not_opened_by_an_older_signal(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    seen = 0
    for snapshot, _, decided in planned:
        newest = {s.symbol: s.issued_at for s in sorted(snapshot.signals, key=lambda s: s.issued_at)}
        for order in decided.orders:
            if order.phase == "increase" and order.symbol in snapshot.stopped_out:
                assert newest[order.symbol] > snapshot.stopped_out[order.symbol]
        seen += any(v.outcome is Outcome.DENIED_STOPPED_OUT for v in decided.verdicts)
    assert seen > 10


def test_a_stop_too_far_away_opens_nothing(planned: list[tuple[Snapshot, Rules, Plan]]) -> None:
    seen = 0
    for _, _, decided in planned:
        barred = {v.symbol for v in decided.verdicts if v.outcome is Outcome.DENIED_STOP_DISTANCE}
        assert not barred & {o.symbol for o in decided.orders if o.phase == "increase"}
        seen += bool(barred)
    assert seen > 10


@given(st.decimals(1, 10**6, places=2), st.decimals(1, 10**6, places=2), st.decimals(1, 10**6, places=2))
def test_a_breach_is_told_with_its_numbers(equity: Decimal, last: Decimal, peak: Decimal) -> None:
    account = world(1).snapshot.account._replace(equity=equity, last_equity=last, peak_equity=max(peak, equity))
    found = {b.limit: b for b in breaches(account, Rules())}
    lost, down = 1 - equity / last, 1 - equity / max(peak, equity)
    assert ("daily_loss" in found) == (lost >= Decimal("0.02"))
    assert ("drawdown" in found) == (down >= Decimal("0.1"))
    for broken in found.values():
        assert broken.share is not None
        assert broken.share >= broken.most


@pytest.mark.parametrize("given_world", LIMITED[:40])
def test_under_all_limits_a_plan_is_the_same_twice(given_world: World) -> None:
    assert plan(*given_world) == plan(*given_world)


def test_a_name_that_the_selection_leaves_out_takes_no_place() -> None:
    facts = examples.snapshot("AB", signals=(examples.signal("A", 1.0), examples.signal("B", 0.5)))
    by = examples.rules(risk_management={"max_positions": 1}, selection={"only": ["B"]})
    assert [(o.symbol, o.side) for o in plan(facts, by).orders] == [("B", "buy")]
