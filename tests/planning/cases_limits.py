"""Small cases to read aloud: what the limits deny, cut or let through."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.facts import Day
from rebalancer.core.outcomes import Outcome
from tests.planning.cases import Case
from tests.planning.examples import ACCOUNT, book, instrument, signal

D = Decimal

LIMITS = [
    Case(
        "short selling is off",
        Outcome.DENIED_SHORT,
        "short selling is off (position_sizing.allow_short)",
        "",
        {"signals": (signal("A", -1.0),)},
    ),
    Case(
        "short selling is on",
        Outcome.PLANNED,
        "0.00 -> -10.00 %: new position; score -1.00 x confidence 1.00; 200 shares to sell",
        "sell 200 A",
        {"signals": (signal("A", -1.0),)},
        {"position_sizing": {"allow_short": True}},
    ),
    Case(
        "nobody lends",
        Outcome.DENIED_SHORT,
        "the broker has no shares to lend",
        "",
        {"signals": (signal("A", -1.0),), "instruments": (instrument("A", shortable=False),)},
        {"position_sizing": {"allow_short": True}},
    ),
    Case(
        "a cash account",
        Outcome.DENIED_SHORT,
        "the account may not sell short",
        "",
        {"signals": (signal("A", -1.0),), "account": ACCOUNT._replace(multiplier=D(1))},
        {"position_sizing": {"allow_short": True}},
    ),
    Case(
        "through zero in two orders",
        Outcome.PLANNED,
        "2.50 -> -10.00 %: to be reversed; score -1.00 x confidence 1.00; 50 shares to sell; 200 shares to sell",
        "sell 50 A, sell 200 A",
        {"signals": (signal("A", -1.0),), "positions": book(A="50")},
        {"position_sizing": {"allow_short": True}},
    ),
    Case(
        "too much lost today",
        Outcome.DENIED_DAILY_LOSS,
        "2.00% lost today; the limit is 2.00%: reductions only",
        "",
        {"account": ACCOUNT._replace(equity=D(49_000))},
    ),
    Case(
        "too far below the peak",
        Outcome.DENIED_DRAWDOWN,
        "10.00% below the peak; the limit is 10.00%: reductions only",
        "",
        {"account": ACCOUNT._replace(equity=D(45_000), last_equity=D(45_000))},
    ),
    Case(
        "a sector that is full of what cannot be traded",
        Outcome.DENIED_CAP,
        "no room left: sector E x 0.00",
        "",
        {
            "instruments": (instrument("A", sector="E"), instrument("B", sector="E", tradable=False)),
            "positions": book(B="600"),
        },
    ),
    Case(
        "one sector shared by two",
        Outcome.PLANNED,
        "0.00 -> 5.00 %: new position; score +1.00 x confidence 1.00; sector E x 0.50; 100 shares to buy",
        "buy 100 A, buy 100 B",
        {
            "instruments": (instrument("A", sector="E"), instrument("B", sector="E")),
            "signals": (signal("A"), signal("B")),
        },
        {"risk_management": {"max_sector_exposure": 0.1}},
    ),
    Case(
        "no sector is the tightest sector",
        Outcome.PLANNED,
        "0.00 -> 2.00 %: new position; score +1.00 x confidence 1.00; sector unknown x 0.20; 40 shares to buy",
        "buy 40 A",
        {"instruments": (instrument("A", sector=None),)},
        {"risk_management": {"sector_limits": {"Q": 0.02}}},
    ),
    Case(
        "a volatile name is sized down, then capped",
        Outcome.PLANNED,
        "0.00 -> 2.50 %: new position; score +1.00 x confidence 1.00; max_position_risk 2.5%; 50 shares to buy",
        "buy 50 A",
        {"instruments": (instrument("A", volatility=2.0),)},
    ),
    Case(
        "a far stop means a small position",
        Outcome.PLANNED,
        "0.00 -> 4.00 %: new position; score +1.00 x confidence 1.00; max_trade_heat 4.0%; 80 shares to buy",
        "buy 80 A",
        {"signals": (signal("A", stop_price=D("37.5")),)},
        {"risk_management": {"max_trade_heat": 0.02}},
    ),
    Case(
        "others hold all of the shares",
        Outcome.DENIED_NOT_AVAILABLE,
        "other orders hold all of its shares",
        "",
        {"signals": (signal("A", 0.0),), "positions": tuple(p._replace(qty_available=D(0)) for p in book(A="200"))},
    ),
    Case(
        "less than a lot is free",
        Outcome.DENIED_NOT_AVAILABLE,
        "60 of 200 shares are free, less than a lot of 100",
        "",
        {
            "signals": (signal("A", 0.0),),
            "instruments": (instrument("A", lot=D(100)),),
            "positions": tuple(p._replace(qty_available=D(60)) for p in book(A="200")),
        },
    ),
    Case(
        "one share above the largest order",
        Outcome.DENIED_ORDER_VALUE,
        "no whole number of lots at $50.00 is between the smallest trade of $1.00 and the largest of $40.00",
        "",
        {},
        {"position_sizing": {"min_trade_size": "1", "max_trade_size": "40"}},
    ),
    Case(
        "a large trade is spread over cycles",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 20 of 200 shares now, the rest "
        "later; 20 shares to buy",
        "buy 20 A",
        {},
        {"position_sizing": {"max_trade_size": "1000"}},
    ),
    Case(
        "no money",
        Outcome.DENIED_BUYING_POWER,
        "$0.00 of buying power left",
        "",
        {"account": ACCOUNT._replace(buying_power=D(0))},
    ),
    Case(
        "half the money",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; cut from 200 to 96 shares by "
        "buying power; 96 shares to buy",
        "buy 96 A",
        {"account": ACCOUNT._replace(buying_power=D(5_000))},
    ),
    Case(
        "no orders left in this execution",
        Outcome.DENIED_ORDERS_PER_EXECUTION,
        "0 orders per execution; next cycle",
        "",
        {},
        {"execution": {"max_orders_per_execution": 0}},
    ),
    Case(
        "the last orders of the day are for reductions",
        Outcome.DENIED_ORDERS_PER_DAY,
        "100 orders a day are used up; the last 20 are for reductions",
        "",
        {"day": Day(80, {})},
    ),
    Case(
        "and so they are",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; a score of 0 asks for no position; 200 shares to sell",
        "sell 200 A",
        {"day": Day(99, {}), "signals": (signal("A", 0.0),), "positions": book(A="200")},
    ),
    Case(
        "enough orders for one symbol",
        Outcome.DENIED_ORDERS_PER_SYMBOL,
        "10 orders for this symbol today",
        "",
        {"day": Day(10, {"A": 10})},
    ),
    Case("the kill switch", Outcome.NOT_SENT, "the kill switch is set", "", {"kill_switch": True}),
]
