"""Stops and targets: where they lie, which prices reach them, and what is never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.facts import Instrument, Position, Quote
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Protection, Quotes
from rebalancer.planning.exit_levels import ExitLevel, SignalExits, exit_levels, without_exit_levels
from rebalancer.planning.stop_triggers import StopTrigger, StopTriggers, stop_triggers

D = Decimal
NOW = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
RULES = Protection()
STOCK = Instrument("A", "us_equity", True, True, True, D(1), D("0.01"))
COIN = Instrument("BTC/USD", "crypto", True, True, False, D("0.000001"), D("0.01"))
LONG = ExitLevel("A", D(10), D(100), D(97), D(105), "rules", "rules")
SHORT = ExitLevel("A", D(-10), D(100), D(103), D(95), "rules", "rules")


def position(qty: str, entry: str, symbol: str = "A") -> Position:
    return Position(symbol, D(qty), D(qty), D(entry))


def quote(bid: str | None, ask: str | None, *, symbol: str = "A", age: float = 1) -> Quote:
    sides = [None if side is None else D(side) for side in (bid, ask)]
    return Quote(symbol, sides[0], sides[1], None, NOW - timedelta(seconds=age))


CASES = [
    ("10", "100", None, "97", "105"),
    ("-10", "100", None, "103", "95"),
    ("10", "33.33", None, "32.34", "34.99"),  # 32.3301 and 34.9965, both toward the entry
    ("-10", "33.33", None, "34.32", "31.67"),  # 34.3299 and 31.6635
    ("10", "0.5000", None, "0.4850", "0.5250"),
    ("10", "0.01", None, "0.0097", "0.0105"),
    ("10", "100", SignalExits("s", D("99.001"), D("120.009")), "99.01", "120"),
    ("10", "100", SignalExits("s", D("100"), D("100")), "97", "105"),  # on the entry itself: not a stop, not a target
    ("10", "100", SignalExits("s", D("101"), D("99")), "97", "105"),  # on the wrong sides
    ("-10", "100", SignalExits("s", D("101"), D("90")), "101", "90"),
    ("10", "100", SignalExits("s", D("-5"), None), "97", "105"),
    (
        "10",
        "100",
        SignalExits("s", D("99.999"), D("100.001")),
        "99.99",
        "100.01",
    ),  # less than a tick: the next one away
]


@pytest.mark.parametrize(
    ("qty", "entry", "bps", "limit"),
    [
        ("10", "100", 50, "96.51"),  # 97 - 0.485, away from the stop
        ("-10", "100", 50, "103.52"),  # 103 + 0.515
        ("10", "100", 0, "97"),
        ("10", "0.0001", 5000, "0.0001"),  # never below a tick
    ],
)
def test_the_limit_of_a_stop_is_never_nearer_than_was_said(qty: str, entry: str, bps: float, limit: str) -> None:
    rules = Protection(stop_type="stop_limit", stop_limit_offset_bps=bps)
    (guard,) = exit_levels([position(qty, entry)], {"A": STOCK}, {}, rules)
    assert guard.stop_limit == D(limit)
    assert exit_levels([position(qty, entry)], {"A": STOCK}, {}, RULES)[0].stop_limit is None


@pytest.mark.parametrize(("qty", "entry", "named", "stop", "target"), CASES)
def test_where_stop_and_target_lie(qty: str, entry: str, named: SignalExits | None, stop: str, target: str) -> None:
    opinions = {} if named is None else {"A": named}
    (guard,) = exit_levels([position(qty, entry)], {"A": STOCK}, opinions, RULES)
    assert (guard.symbol, guard.qty, guard.entry, guard.stop, guard.target) == (
        "A",
        D(qty),
        D(entry),
        D(stop),
        D(target),
    )


def test_a_coin_has_its_own_tick_and_an_unknown_instrument_cents() -> None:
    held = [position("0.5", "1.2345", "BTC/USD"), position("3", "7.77", "ZZZ")]
    guards = exit_levels(held, {"BTC/USD": COIN._replace(tick=D("0.0001"))}, {}, RULES)
    assert [(g.symbol, g.stop, g.target) for g in guards] == [
        ("BTC/USD", D("1.1975"), D("1.2962")),
        ("ZZZ", D("7.54"), D("8.15")),
    ]


def test_a_position_without_an_entry_price_is_told_and_not_guessed() -> None:
    held = [position("1", "0", "B"), position("0", "5", "C"), position("1", "5", "A")]
    assert [g.symbol for g in exit_levels(held, {}, {}, RULES)] == ["A"]
    assert without_exit_levels(held) == ("B",)


def test_a_guard_says_where_its_prices_come_from() -> None:
    (guard,) = exit_levels([position("10", "100")], {"A": STOCK}, {"A": SignalExits("s-1", D(99), None)}, RULES)
    assert (guard.stop, guard.stop_from, guard.stop_limit) == (99, "signal s-1", None)
    assert (guard.target, guard.target_from, guard.entry) == (105, "protection.take_profit 5.0%", 100)


prices = st.decimals("0.05", "90000", places=4)
fractions = st.floats(0.005, 0.5)


@given(prices, st.sampled_from([1, -1]), fractions, fractions)
def test_a_stop_never_loses_more_and_a_target_never_waits_longer_than_said(
    entry: Decimal, side: int, stop_loss: float, take_profit: float
) -> None:
    rules = Protection(stop_loss=stop_loss, take_profit=take_profit)
    (guard,) = exit_levels([position(str(side), str(entry))], {"A": STOCK}, {}, rules)
    tick = D("0.01") if entry >= 1 else D("0.0001")
    loss, gain = (guard.entry - guard.stop) * side, (guard.target - guard.entry) * side
    assert 0 < loss <= max(entry * D(repr(stop_loss)), tick)
    assert 0 < gain <= max(entry * D(repr(take_profit)), tick)
    assert guard.stop > 0
    assert guard.target > 0
    assert guard.stop % tick == 0 == guard.target % tick


REACHED = [
    (LONG, "97.01", "97.03", None),
    (LONG, "97", "97.02", ("stop", "97", "bid 97 reached the stop 97")),
    (LONG, "90", "97.02", None),  # a spread of 7.5 % is no price
    (LONG, "104.99", "105.01", None),
    (LONG, "105", "105.02", ("target", "105", "bid 105 reached the target 105")),
    (SHORT, "102.90", "102.99", None),
    (SHORT, "102.90", "103", ("stop", "103", "ask 103 reached the stop 103")),
    (SHORT, "94.90", "95", ("target", "95", "ask 95 reached the target 95")),
    (SHORT, "94.90", "95.01", None),
]


@pytest.mark.parametrize(("guard", "bid", "ask", "reached"), REACHED)
def test_which_quotes_reach_a_guard(guard: ExitLevel, bid: str, ask: str, reached: tuple[str, str, str] | None) -> None:
    found = stop_triggers([guard], [quote(bid, ask)], NOW, Quotes())
    expected = () if reached is None else (StopTrigger(guard, reached[0], D(reached[1]), stated(reached[2])),)  # type: ignore[arg-type]  # the table's own words
    assert found.triggers == expected


BLIND = [
    ([], "no quote"),
    ([quote(None, "96")], "the quote has one side only"),
    ([quote("96", "95")], "the quote is crossed: bid 96 above ask 95"),
    ([quote("96", "96.01", age=121)], "the quote is 121 s old; quotes.max_age_seconds is 120"),
    ([quote("0", "96")], "the quote is not positive"),
    ([quote("96", "96.01", age=9), quote(None, "96.01", age=1)], "the quote has one side only"),  # the newest counts
]


@pytest.mark.parametrize(("quotes", "why"), BLIND)
def test_what_cannot_be_seen_trips_nothing_and_is_told(quotes: list[Quote], why: str) -> None:
    assert stop_triggers([LONG], quotes, NOW, Quotes()) == StopTriggers((), {"A": stated(why)})


@given(st.decimals("50", "150", places=2), st.decimals("0", "0.5", places=2), st.sampled_from([LONG, SHORT]))
def test_a_guard_trips_exactly_when_its_exit_price_has_passed_a_limit(
    bid: Decimal, spread: Decimal, guard: ExitLevel
) -> None:
    found = stop_triggers([guard], [quote(str(bid), str(bid + spread))], NOW, Quotes())
    price, side = (bid, 1) if guard.qty > 0 else (bid + spread, -1)
    loses, gains = price * side <= guard.stop * side, price * side >= guard.target * side
    assert [t.kind for t in found.triggers] == ["stop"] * loses + ["target"] * gains
