"""Small cases to read aloud: limits of the day, of the close and of the number of positions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from rebalancer.core.facts import Quote, Session
from rebalancer.core.outcomes import Outcome
from tests.planning.cases import Case
from tests.planning.examples import ACCOUNT, NOW, book, instrument, quote, signal

D = Decimal


ALIKE = (
    instrument("A", correlation_group="g"),
    instrument("B", correlation_group="g"),
    instrument("C", correlation_group="h"),
)
COIN = instrument("A", asset_class="crypto", fractionable=True, shortable=False, lot=D("0.0001"))


def dear(price: str) -> Quote:
    """A quote of A at this price, bid and ask a cent around it."""
    return quote("A", bid=D(price) - D("0.01"), ask=D(price) + D("0.01"), last=D(price))


def closing(minutes: float) -> Session:
    """A session that ends in some minutes."""
    return Session(True, NOW - timedelta(hours=3), NOW + timedelta(minutes=minutes))


BEFORE = NOW - timedelta(minutes=1, seconds=1)
STOPPED = "a stop closed it at 15:33:59 UTC"
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
        "10.00 -> 0.00 %: to be closed; a score of 0 asks for no position; 200 shares to sell",
        "sell 200 A",
        {"latched": {"drawdown": "too deep"}, "signals": (signal("A", 0.0),), "positions": book(A="200")},
    ),
    Case(
        "a breach that flattens",
        Outcome.PLANNED,
        "0.05 -> 0.00 %: to be closed; 2.00% lost today; the limit is 2.00%: all positions are closed; 1 "
"shares to sell",
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
        "10.00 -> 0.00 %: to be closed; flat by 10 minutes before the close: all positions are closed; "
"200 shares to sell",
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
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
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
        "10.00 -> 0.00 %: to be closed; flat by 10 minutes before the close: all positions are closed; "
"60 of 200 shares now, the rest later; 60 shares to sell",
        "sell 60 A",
        {"session": closing(29.9), "positions": book(A="200")},
        {"risk_management": {"flat_by_minutes_before_close": 10}, "position_sizing": {"max_trade_size": "3000"}},
    ),
    Case(
        "a position comes down before the close",
        Outcome.PLANNED,
        "20.00 -> 10.00 %: above target; no usable signal; gross x 0.50; 200 shares to sell",
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
        "a newer opinion does not lift the cool-off",
        Outcome.DENIED_COOL_OFF,
        f"{STOPPED}; nothing is opened until the next session (protection.cool_off)",
        "",
        {"stopped_out": {"A": BEFORE}},
    ),
    Case(
        "it lifts it where that is said",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"stopped_out": {"A": BEFORE}},
        {"protection": {"cool_off_lifted_by_newer_signal": True}},
    ),
    Case(
        "no cool-off",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"stopped_out": {"A": BEFORE}},
        {"protection": {"cool_off": "none"}},
    ),
    Case(
        "a stop in the session before",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"stopped_out": {"A": NOW - timedelta(hours=1, seconds=1)}},
    ),
    Case(
        "a target begins no cool-off",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"stopped_out": {"A": BEFORE}, "stop_exits": {}},
    ),
    Case(
        "a cool-off of minutes",
        Outcome.DENIED_COOL_OFF,
        f"{STOPPED}; nothing is opened until 2026-11-20 15:35:59 UTC (protection.cool_off)",
        "",
        {"stopped_out": {"A": BEFORE}},
        {"protection": {"cool_off": 2}},
    ),
    Case(
        "the minutes are over",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"stopped_out": {"A": BEFORE}},
        {"protection": {"cool_off": 1}},
    ),
    Case(
        "a coin cools off for a day",
        Outcome.DENIED_COOL_OFF,
        "a stop closed it at 15:35:01 UTC; nothing is opened until 2026-11-20 15:35:01 UTC (protection.cool_off)",
        "",
        {"stopped_out": {"A": NOW - timedelta(hours=23, minutes=59, seconds=59)},
         "instruments": (instrument("A", asset_class="crypto"), instrument("B"), instrument("C"))},
    ),
    Case(
        "what was bought by hand after a stop is not enlarged",
        Outcome.DENIED_COOL_OFF,
        f"{STOPPED}; nothing is opened until the next session (protection.cool_off)",
        "",
        {"stopped_out": {"A": BEFORE}, "positions": book(A="100")},
    ),
    Case(
        "but reduced",
        Outcome.PLANNED,
        "5.00 -> 0.00 %: to be closed; a score of 0 asks for no position; 100 shares to sell",
        "sell 100 A",
        {"stopped_out": {"A": BEFORE}, "positions": book(A="100"), "signals": (signal("A", 0.0),)},
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
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
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
        "5.00 -> 2.00 %: above target; score +0.20 x confidence 1.00; 60 shares to sell",
        "sell 60 A",
        {"positions": book(A="100"), "signals": (signal("A", 0.2),)},
        {"risk_management": {"max_stop_distance": 0.015}},
    ),
    Case(
        "one place, and a larger opinion",
        Outcome.DENIED_POSITIONS,
        "0 of at most 1 positions are held; larger opinions open 1",
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
        "5.00 -> 10.00 %: below target; score +1.00 x confidence 1.00; 100 shares to buy",
        "buy 100 A",
        {"positions": book(A="100", C="100"), "signals": (signal("A"), signal("B"))},
        {"risk_management": {"max_positions": 2}},
    ),
    Case(
        "one place in the group, and a larger opinion",
        Outcome.DENIED_CORRELATED_POSITIONS,
        "0 of at most 1 positions of correlation group g are held; larger opinions open 1",
        "buy 200 B, buy 40 C",
        {"signals": (signal("A", 0.5), signal("B"), signal("C", 0.2)), "instruments": ALIKE},
        {"risk_management": {"max_correlated_positions": 1}},
    ),
    Case(
        "a position that is closed keeps its place in the group until it is gone",
        Outcome.DENIED_CORRELATED_POSITIONS,
        "1 of at most 1 positions of correlation group g are held",
        "sell 100 B",
        {"signals": (signal("A"), signal("B", 0.0)), "instruments": ALIKE, "positions": book(B="100")},
        {"risk_management": {"max_correlated_positions": 1}},
    ),
    Case(
        "a full group leaves the place to another",
        Outcome.DENIED_CORRELATED_POSITIONS,
        "0 of at most 1 positions of correlation group g are held; larger opinions open 1",
        "buy 200 B, buy 40 C",
        {"signals": (signal("A", 0.5), signal("B"), signal("C", 0.2)), "instruments": ALIKE},
        {"risk_management": {"max_correlated_positions": 1, "max_positions": 2}},
    ),
    Case(
        "nobody knows what these move with",
        Outcome.DENIED_CORRELATED_POSITIONS,
        "1 of at most 1 positions of correlation group unknown are held",
        "",
        {"instruments": tuple(instrument(s, correlation_group=None) for s in "ABC"), "positions": book(C="100")},
        {"risk_management": {"max_correlated_positions": 1}},
    ),
    Case(
        "exactly the base size, however small the opinion",
        Outcome.PLANNED,
        "0.00 -> 3.00 %: new position; score +0.20 x confidence 0.50; 60 shares to buy",
        "buy 60 A",
        {"signals": (signal("A", 0.2, confidence=0.5),), "instruments": (instrument("A", volatility=0.9),)},
        {"position_sizing": {"method": "fixed", "base_position_size": 0.03}},
    ),
    Case(
        "sure enough for the base size",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 0.75; 200 shares to buy",
        "buy 200 A",
        {"signals": (signal("A", confidence=0.75),)},
        {"position_sizing": {"confidence_scaling": "above_75"}},
    ),
    Case(
        "half as sure again",
        Outcome.PLANNED,
        "0.00 -> 12.50 %: new position; score +1.00 x confidence 0.88; 250 shares to buy",
        "buy 250 A",
        {"signals": (signal("A", confidence=0.875),)},
        {"position_sizing": {"confidence_scaling": "above_75"}, "execution": {}},
    ),
    Case(
        "certain",
        Outcome.PLANNED,
        "0.00 -> 15.00 %: new position; score +1.00 x confidence 1.00; max_position_size 15.0%; 300 shares to buy",
        "buy 300 A",
        {},
        {"position_sizing": {"confidence_scaling": "above_75", "max_trade_size": "15000"}},
    ),
    Case(
        "not sure enough to open",
        Outcome.HELD_NEUTRAL,
        "confidence 0.74 is below 0.75 (position_sizing.confidence_scaling above_75)",
        "",
        {"signals": (signal("A", confidence=0.74),)},
        {"position_sizing": {"confidence_scaling": "above_75"}},
    ),
    Case(
        "not sure enough to keep more than that",
        Outcome.PLANNED,
        "15.00 -> 10.00 %: above target; score +1.00 x confidence 0.74; 100 shares to sell",
        "sell 100 A",
        {"signals": (signal("A", confidence=0.74),), "positions": book(A="300")},
        {"position_sizing": {"confidence_scaling": "above_75"}},
    ),
    Case(
        "no method opens what is not sure enough",
        Outcome.HELD_NEUTRAL,
        "confidence 0.50 is below 0.75 (position_sizing.confidence_scaling above_75)",
        "",
        {"signals": (signal("A", confidence=0.5),)},
        {"position_sizing": {"confidence_scaling": "above_75", "method": "equal"}},
    ),
    Case(
        "twice as wide a day is half the weight",
        Outcome.PLANNED,
        "0.00 -> 5.00 %: new position; score +1.00 x confidence 1.00; 100 shares to buy",
        "buy 100 A",
        {"instruments": (instrument("A", atr=D("1.8898")),)},
        {"position_sizing": {"volatility_measure": "atr"}},
    ),
    Case(
        "a width that nobody knows counts as wild",
        Outcome.PLANNED,
        "0.00 -> 5.00 %: new position; score +1.00 x confidence 1.00; max_position_risk 5.0%; 100 shares to buy",
        "buy 100 A",
        {"instruments": (instrument("A", atr=D(0)),)},
        {"position_sizing": {"volatility_measure": "atr"}},
    ),
    Case(
        "a dear coin is worth half a per cent of the buying power",
        Outcome.PLANNED,
        "0.00 -> 0.50 %: new position; score +0.10 x confidence 0.10; 0.0416 shares to buy",
        "buy 0.0416 A",
        {"signals": (signal("A", 0.1, confidence=0.1),), "instruments": (COIN,), "quotes": (dear("12000.01"),)},
        {"position_sizing": {"crypto_floor": 0.005}, "execution": {"signal_threshold": 0}},
    ),
    Case(
        "a coin of ten thousand is not dear",
        Outcome.HELD_WITHIN_BAND,
        "drift +0.10 pp is within the band of ±0.25 pp",
        "",
        {"signals": (signal("A", 0.1, confidence=0.1),), "instruments": (COIN,), "quotes": (dear("10000"),)},
        {"position_sizing": {"crypto_floor": 0.005}, "execution": {"signal_threshold": 0}},
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
