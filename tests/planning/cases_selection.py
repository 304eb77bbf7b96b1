"""Small cases to read aloud: what a person has left out."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.outcomes import Outcome
from tests.planning.cases import Case
from tests.planning.examples import ACCOUNT, book, signal

D = Decimal
NEUTRAL = "a score of 0 asks for no position"

SELECTION = [
    Case(
        "named and nothing else",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {},
        {"selection": {"only": ["A"]}},
    ),
    Case(
        "others are named",
        Outcome.HELD_LEFT_OUT,
        "not among those of selection.only",
        "",
        {},
        {"selection": {"only": ["B", "C"]}},
    ),
    Case(
        "left out, though it should go",
        Outcome.HELD_LEFT_OUT,
        "left out by selection.exclude",
        "",
        {"signals": (signal("A", 0.0),), "positions": book(A="200")},
        {"selection": {"exclude": ["A"]}},
    ),
    Case(
        "left out does not mean kept when everything goes",
        Outcome.PLANNED,
        "10.20 -> 0.00 %: to be closed; 2.00% lost today; the limit is 2.00%: all positions are closed; "
        "200 shares to sell",
        "sell 200 A",
        {"account": ACCOUNT._replace(equity=D(49_000)), "positions": book(A="200")},
        {"selection": {"exclude": ["A"]}, "risk_management": {"on_breach": "flatten"}},
    ),
    Case(
        "only sales",
        Outcome.HELD_LEFT_OUT,
        "selection.side allows only to sell",
        "",
        {},
        {"selection": {"side": "sell"}},
    ),
    Case(
        "only sales, and it is one",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; a score of 0 asks for no position; 200 shares to sell",
        "sell 200 A",
        {"signals": (signal("A", 0.0),), "positions": book(A="200")},
        {"selection": {"side": "sell"}},
    ),
    Case(
        "only purchases",
        Outcome.HELD_LEFT_OUT,
        "selection.side allows only to buy",
        "",
        {"signals": (signal("A", 0.0),), "positions": book(A="200")},
        {"selection": {"side": "buy"}},
    ),
    Case(
        "money that is to leave is planned away",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 160 shares to buy",
        "buy 160 A",
        {},
        {"selection": {"withdraw": D(10_000)}},
    ),
    Case(
        "all money is to leave",
        Outcome.NOT_SENT,
        "selection.withdraw takes all of the equity of 50000",
        "",
        {},
        {"selection": {"withdraw": D(50_000)}},
    ),
    Case(
        "more turnover than wanted",
        Outcome.DENIED_TURNOVER,
        "a trade of $10,000.00 is beyond selection.max_turnover 9.00%",
        "",
        {},
        {"selection": {"max_turnover": 0.09}},
    ),
    Case(
        "a reduction is never held back by turnover",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; a score of 0 asks for no position; 200 shares to sell",
        "sell 200 A",
        {"signals": (signal("A", 0.0),), "positions": book(A="200")},
        {"selection": {"max_turnover": 0.01}},
    ),
]
