"""Small cases to read aloud: limits of the day, of the close and of the number of positions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from rebalancer.facts import Session
from rebalancer.outcomes import Outcome
from tests.decide.cases import Case
from tests.decide.examples import ACCOUNT, NOW, book, signal

D = Decimal


def closing(minutes: float) -> Session:
    """A session that ends in some minutes."""
    return Session(True, NOW - timedelta(hours=3), NOW + timedelta(minutes=minutes))


LOST = "2.31% lost today; the limit is 2.00%"

DAY = [
    Case(
        "a loss is over, its latch is not",
        Outcome.DENIED_DAILY_LOSS,
        f"{LOST}; latched for the rest of the day: reductions only",
        "",
        {"latched": {"daily_loss": LOST}},
    ),
    Case(
        "a latched drawdown",
        Outcome.DENIED_DRAWDOWN,
        "too deep; latched for the rest of the day: reductions only",
        "",
        {"latched": {"drawdown": "too deep"}},
    ),
    Case(
        "reductions go on while latched",
        Outcome.PLANNED,
        "a score of 0 asks for no position; 200 shares to sell",
        "sell 200 A",
        {"latched": {"drawdown": "too deep"}, "signals": (signal("A", 0.0),), "positions": book(A="200")},
    ),
    Case(
        "a breach that flattens",
        Outcome.PLANNED,
        "2.00% lost today; the limit is 2.00%: all positions are closed; 1 shares to sell",
        "sell 200 B, sell 1 A",
        {"account": ACCOUNT._replace(equity=D(49_000)), "positions": book(A="1", B="200")},
        {"risk_management": {"on_breach": "flatten"}},
    ),
    Case(
        "after a breach that flattened",
        Outcome.DENIED_DAILY_LOSS,
        f"{LOST}; latched for the rest of the day: all positions are closed",
        "",
        {"latched": {"daily_loss": LOST}},
        {"risk_management": {"on_breach": "flatten"}},
    ),
    Case(
        "flat by ten to four",
        Outcome.PLANNED,
        "flat by 10 minutes before the close: all positions are closed; 200 shares to sell",
        "sell 200 A, sell 1 B",
        {"session": closing(14.9), "positions": book(A="200", B="1")},
        {"risk_management": {"flat_by_minutes_before_close": 10}},
    ),
    Case(
        "nothing is opened any more",
        Outcome.DENIED_FLAT_BY,
        "flat by 10 minutes before the close: all positions are closed",
        "",
        {"session": closing(14.9)},
        {"risk_management": {"flat_by_minutes_before_close": 10}},
    ),
    Case(
        "there is time for one more cycle",
        Outcome.PLANNED,
        "score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"session": closing(20)},
        {"risk_management": {"flat_by_minutes_before_close": 10}},
    ),
    Case(
        "nothing is opened just before it",
        Outcome.DENIED_FLAT_BY,
        "flat by 10 minutes before the close",
        "",
        {"session": closing(15), "positions": book(B="100"), "signals": (signal("A"), signal("B", 0.5))},
        {"risk_management": {"flat_by_minutes_before_close": 10}},
    ),
    Case(
        "a large position leaves in time",
        Outcome.PLANNED,
        "flat by 10 minutes before the close: all positions are closed; 60 of 200 shares now, the rest later; "
        "60 shares to sell",
        "sell 60 A",
        {"session": closing(29.9), "positions": book(A="200")},
        {"risk_management": {"flat_by_minutes_before_close": 10}, "position_sizing": {"max_trade_size": "3000"}},
    ),
    Case(
        "a position comes down before the close",
        Outcome.PLANNED,
        "no usable signal; gross x 0.50; 200 shares to sell",
        "sell 200 A",
        {"session": closing(5), "positions": book(A="400"), "signals": (signal("B", 0.0),)},
        {"risk_management": {"max_overnight_leverage": 0.2, "overnight_glide_minutes": 5, "max_position_risk": 1},
         "position_sizing": {"max_total_exposure": 0.6, "max_position_size": 0.5}},
    ),
    Case(
        "stopped out",
        Outcome.DENIED_STOPPED_OUT,
        "a stop or target closed it at 15:34:00 UTC; only a newer signal opens it again",
        "",
        {"stopped_out": {"A": NOW - timedelta(minutes=1)}},
    ),
    Case(
        "closed by a person",
        Outcome.DENIED_STOPPED_OUT,
        "closed by kill at 15:34:00 UTC; only a newer signal opens it again",
        "",
        {"stopped_out": {"A": NOW - timedelta(minutes=1)}, "closed_by_kill": ("A",)},
    ),
    Case(
        "a newer opinion opens again",
        Outcome.PLANNED,
        "score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"stopped_out": {"A": NOW - timedelta(minutes=1, seconds=1)}},
    ),
    Case(
        "the stop is too far away",
        Outcome.DENIED_STOP_DISTANCE,
        "the stop is 2.00% away; the limit is 1.50%",
        "",
        {"signals": (signal("A", stop_price=D("49")),)},
        {"risk_management": {"max_stop_distance": 0.015}},
    ),
    Case(
        "no stop has the default distance",
        Outcome.DENIED_STOP_DISTANCE,
        "the stop is 3.00% away; the limit is 1.50%",
        "",
        {},
        {"risk_management": {"max_stop_distance": 0.015}},
    ),
    Case(
        "a near stop",
        Outcome.PLANNED,
        "score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"signals": (signal("A", stop_price=D("49.25")),)},
        {"risk_management": {"max_stop_distance": 0.015}},
    ),
    Case(
        "a far stop enlarges nothing",
        Outcome.DENIED_STOP_DISTANCE,
        "the stop is 3.00% away; the limit is 1.50%",
        "",
        {"positions": book(A="100")},
        {"risk_management": {"max_stop_distance": 0.015}},
    ),
    Case(
        "a far stop and a smaller opinion",
        Outcome.PLANNED,
        "score +0.20 x confidence 1.00; 60 shares to sell",
        "sell 60 A",
        {"positions": book(A="100"), "signals": (signal("A", 0.2),)},
        {"risk_management": {"max_stop_distance": 0.015}},
    ),
    Case(
        "one place, and a larger opinion",
        Outcome.DENIED_POSITIONS,
        "0 of at most 1 positions are held and 1 are opened with larger opinions",
        "buy 200 B",
        {"signals": (signal("A", 0.5), signal("B"))},
        {"risk_management": {"max_positions": 1}},
    ),
    Case(
        "no place",
        Outcome.DENIED_POSITIONS,
        "2 of at most 2 positions are held",
        "sell 100 B",
        {"positions": book(B="100", C="100"), "signals": (signal("A"), signal("B", 0.0))},
        {"risk_management": {"max_positions": 2}},
    ),
    Case(
        "what is held may grow",
        Outcome.PLANNED,
        "score +1.00 x confidence 1.00; 100 shares to buy",
        "buy 100 A",
        {"positions": book(A="100", C="100"), "signals": (signal("A"), signal("B"))},
        {"risk_management": {"max_positions": 2}},
    ),
    Case(
        "a place goes to what can be opened",
        Outcome.HELD_BELOW_MINIMUM,
        "under the caps too small to trade: its place goes to another",
        "buy 20 B",
        {"signals": (signal("A"), signal("B", 0.1)), "positions": book(C="1")},
        {
            "risk_management": {"max_positions": 2, "sector_limits": {"sector A": 0.0004}},
        },
    ),
    Case(
        "a reading that cannot be true",
        Outcome.NOT_SENT,
        "the positions have vanished",
        "",
        {"doubt": "the positions have vanished"},
    ),
]  # fmt: skip
