"""Small cases to read aloud: which signals and positions can be used, and what is worth doing about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from rebalancer.core.facts import Explanation
from rebalancer.core.outcomes import Outcome
from tests.planning.examples import NOW, book, instrument, order, quote, signal

D = Decimal


class Case(NamedTuple):
    """A world, the rules, and what becomes of the signal about A (or of the holding A without a signal)."""

    name: str
    outcome: Outcome
    because: str
    orders: str = ""
    facts: Mapping[str, Any] = {}
    rules: Mapping[str, Any] = {}


USABLE = [
    Case(
        "a full score is 10 % of capital",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
    ),
    Case(
        "half the confidence is half the weight",
        Outcome.PLANNED,
        "0.00 -> 5.00 %: new position; score +1.00 x confidence 0.50; 100 shares to buy",
        "buy 100 A",
        {"signals": (signal("A", confidence=0.5),)},
    ),
    Case(
        "score out of range",
        Outcome.REJECTED_INVALID,
        "score 1.5 is not in [-1, 1]",
        "",
        {"signals": (signal("A", 1.5),)},
    ),
    Case(
        "stop above a long",
        Outcome.REJECTED_INVALID,
        "the stop 51 is on the wrong side of the price 50",
        "",
        {"signals": (signal("A", stop_price=D("51.00")),)},
    ),
    Case(
        "from the future",
        Outcome.REJECTED_INVALID,
        "issued in the future, at 2026-11-20T15:36:00+00:00",
        "",
        {"signals": (signal("A", issued_at=NOW + timedelta(minutes=1)),)},
    ),
    Case(
        "a symbol that the broker does not know",
        Outcome.REJECTED_UNKNOWN_SYMBOL,
        "the broker does not know this symbol",
        "",
        {"instruments": (instrument("B"), instrument("C"))},
    ),
    Case(
        "an older signal of the same source",
        Outcome.REJECTED_SUPERSEDED,
        "external has a newer signal, s-new",
        "buy 20 A",
        {"signals": (signal("A"), signal("A", 0.1, id="s-new", issued_at=NOW))},
    ),
    Case(
        "an old signal",
        Outcome.REJECTED_STALE,
        "issued 61 minutes ago; signals.max_age_minutes is 60",
        "",
        {"signals": (signal("A", issued_at=NOW - timedelta(minutes=61)),)},
    ),
    Case(
        "not sure enough",
        Outcome.REJECTED_LOW_CONFIDENCE,
        "confidence 0.20 is below 0.30",
        "",
        {"signals": (signal("A", confidence=0.2),)},
        {"signals": {"min_confidence": 0.3}},
    ),
    Case(
        "halted at the broker",
        Outcome.REJECTED_NOT_TRADABLE,
        "the broker does not trade it at the moment",
        "",
        {"instruments": (instrument("A", tradable=False), instrument("B"), instrument("C"))},
    ),
    Case(
        "a crossed quote",
        Outcome.REJECTED_NO_PRICE,
        "the quote is crossed: bid 50.5 above ask 50.01",
        "",
        {"quotes": (quote("A", bid=D("50.50")), quote("B"), quote("C")), "signals": (signal("A"), signal("B", 0.0))},
    ),
    Case(
        "an old quote",
        Outcome.REJECTED_NO_PRICE,
        "the quote is 121 s old; quotes.max_age_seconds is 120",
        "",
        {
            "quotes": (quote("A", at=NOW - timedelta(seconds=121)), quote("B")),
            "signals": (signal("A"), signal("B", 0.0)),
        },
    ),
    Case(
        "a wide quote",
        Outcome.REJECTED_NO_PRICE,
        "the spread of 8.4% is wider than quotes.max_spread 5.0%",
        "",
        {"quotes": (quote("A", bid=D(46)), quote("B")), "signals": (signal("A"), signal("B", 0.0))},
    ),
    Case(
        "half a quote",
        Outcome.REJECTED_NO_PRICE,
        "the quote has one side only",
        "",
        {"quotes": (quote("A", bid=None), quote("B")), "signals": (signal("A"), signal("B", 0.0))},
    ),
    Case(
        "no quote",
        Outcome.REJECTED_NO_PRICE,
        "no quote",
        "",
        {"quotes": (quote("B"),), "signals": (signal("A"), signal("B", 0.0))},
    ),
    Case(
        "a position that nothing explains",
        Outcome.FROZEN_UNRECONCILED,
        "10 shares at the broker, 7 expected, no known cause; adopted when it reads the same again",
        "",
        {"positions": book(A="10"), "expected_positions": {"A": D(7)}},
    ),
    Case(
        "the same quantity read twice is adopted",
        Outcome.PLANNED,
        "0.50 -> 10.00 %: below target; score +1.00 x confidence 1.00; 190 shares to buy",
        "buy 190 A",
        {"positions": book(A="10"), "expected_positions": {"A": D(7)}, "unexplained_before": {"A": D(10)}},
    ),
    Case(
        "a late fill explains it",
        Outcome.PLANNED,
        "0.50 -> 10.00 %: below target; score +1.00 x confidence 1.00; 190 shares to buy",
        "buy 190 A",
        {
            "positions": book(A="10"),
            "expected_positions": {"A": D(7)},
            "explanations": (Explanation("A", D(3), "late_fill", "order 1"),),
        },
    ),
    Case(
        "an order of ours that the broker is silent about",
        Outcome.FROZEN_UNKNOWN_ORDER,
        "the broker has not told the state of order o-A",
        "",
        {"open_orders": (order("A", "buy", "5", unknown=True),)},
    ),
    Case(
        "a stranger's order",
        Outcome.FROZEN_OPEN_ORDER,
        "an order that is not ours (buy 5) still increases this position",
        "",
        {"open_orders": (order("A", "buy", "5", ours=False),)},
    ),
    Case(
        "our own order on the way is counted",
        Outcome.PLANNED,
        "0.25 -> 10.00 %: below target; score +1.00 x confidence 1.00; 195 shares to buy",
        "buy 195 A",
        {"open_orders": (order("A", "buy", "5"),)},
    ),
    Case(
        "our own order on the other side",
        Outcome.FROZEN_OPEN_ORDER,
        "an order of ours on the other side is still working",
        "",
        {"positions": book(A="300"), "open_orders": (order("A", "sell", "250"),)},
    ),
    Case(
        "our own orders on both sides",
        Outcome.FROZEN_OPEN_ORDER,
        "orders of ours still buy 7 and sell 4: nothing is sent until one side ends",
        "",
        {
            "positions": book(A="10"),
            "open_orders": (
                order("A", "buy", "5"),
                order("A", "buy", "2", client_order_id="o-2"),
                order("A", "sell", "4", client_order_id="o-3"),
            ),
        },
    ),
    Case(
        "what has traded of them is no side",
        Outcome.PLANNED,
        "0.75 -> 10.00 %: below target; score +1.00 x confidence 1.00; 185 shares to buy",
        "buy 185 A",
        {
            "positions": book(A="10"),
            "open_orders": (
                order("A", "buy", "5"),
                order("A", "sell", "4", client_order_id="o-3", filled_qty=D(4)),
            ),
        },
    ),
]

WORTH = [
    Case(
        "a weak opinion",
        Outcome.HELD_NEUTRAL,
        "|score x confidence| 0.05 is below 0.10: no position is supported",
        "",
        {"signals": (signal("A", 0.05),)},
    ),
    Case(
        "a weak opinion closes a holding",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; |score x confidence| 0.05 is below 0.10: no position is "
        "supported; 200 shares to sell",
        "sell 200 A",
        {"signals": (signal("A", 0.05),), "positions": book(A="200")},
    ),
    Case(
        "unless told to hold",
        Outcome.HELD_AT_TARGET,
        "|score x confidence| 0.05 is below 0.10: no position is supported; held as it is (execution.neutral_signals)",
        "",
        {"signals": (signal("A", 0.05),), "positions": book(A="200")},
        {"execution": {"neutral_signals": "hold"}},
    ),
    Case(
        "nearly strong enough",
        Outcome.HELD_NEUTRAL,
        "|score x confidence| 0.09999 is below 0.10000: no position is supported",
        "",
        {"signals": (signal("A", 0.09999),)},
    ),
    Case(
        "a score of zero closes a holding, even where neutral ones are held",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; a score of 0 asks for no position; 200 shares to sell",
        "sell 200 A",
        {"signals": (signal("A", 0.0),), "positions": book(A="200")},
        {"execution": {"neutral_signals": "hold", "exit_threshold": 0.0}},
    ),
    Case(
        "sources that cancel out come to a score of zero",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; its signals cancel out to a score of 0, which asks for no "
        "position; 200 shares to sell",
        "sell 200 A",
        {
            "signals": (signal("A", 0.5), signal("A", -0.5, id="s-2", source="model")),
            "positions": book(A="200"),
        },
        {"execution": {"neutral_signals": "hold"}},
    ),
    Case(
        "no confidence supports nothing where the threshold is zero",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; a confidence of 0 supports no position; 200 shares to sell",
        "sell 200 A",
        {"signals": (signal("A", confidence=0.0),), "positions": book(A="200")},
        {"execution": {"neutral_signals": "hold", "signal_threshold": 0.0}},
    ),
    Case(
        "between the two thresholds a position is kept as it is",
        Outcome.HELD_NEUTRAL,
        "|score x confidence| 0.08 is below 0.10, and not below the exit threshold 0.05: nothing is opened and nothing "
        "closed",
        "",
        {"signals": (signal("A", 0.08),), "positions": book(A="37")},
        {"execution": {"exit_threshold": 0.05}},
    ),
    Case(
        "and none is opened",
        Outcome.HELD_NEUTRAL,
        "|score x confidence| 0.08 is below 0.10, and not below the exit threshold 0.05: nothing is opened and nothing "
        "closed",
        "",
        {"signals": (signal("A", 0.08),)},
        {"execution": {"exit_threshold": 0.05}},
    ),
    Case(
        "below the second one it is closed",
        Outcome.PLANNED,
        "1.85 -> 0.00 %: to be closed; |score x confidence| 0.04 is below 0.05: no position is "
        "supported; 37 shares to sell",
        "sell 37 A",
        {"signals": (signal("A", 0.04),), "positions": book(A="37")},
        {"execution": {"exit_threshold": 0.05}},
    ),
    Case(
        "a hold keeps a position, also where silent ones are closed",
        Outcome.HELD_NEUTRAL,
        "hold: nothing is opened and nothing closed",
        "",
        {"signals": (signal("A", 0.0, hold=True), signal("B", 0.0)), "positions": book(A="37")},
        {"execution": {"unsignalled_positions": "exit"}},
    ),
    Case(
        "a hold opens none",
        Outcome.HELD_NEUTRAL,
        "hold: nothing is opened and nothing closed",
        "",
        {"signals": (signal("A", 0.0, hold=True),)},
        {"execution": {"signal_threshold": 0.0}, "position_sizing": {"method": "equal"}},
    ),
    Case(
        "a hold takes back what its source said before",
        Outcome.REJECTED_SUPERSEDED,
        "external has a newer signal, s-new",
        "",
        {"signals": (signal("A"), signal("A", 0.0, hold=True, id="s-new", issued_at=NOW)), "positions": book(A="37")},
    ),
    Case(
        "a hold leaves it to other sources",
        Outcome.PLANNED,
        "0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00; 200 shares to buy",
        "buy 200 A",
        {"signals": (signal("A"), signal("A", 0.0, hold=True, id="s-2", source="model"))},
    ),
    Case(
        "a source without weight is not heard",
        Outcome.PLANNED,
        "1.85 -> 0.00 %: to be closed; none of its sources has a weight: no position is supported; 37 shares to sell",
        "sell 37 A",
        {"signals": (signal("A"),), "positions": book(A="37")},
        {"signals": {"source_weights": {"external": 0.0}}},
    ),
    Case(
        "already there",
        Outcome.HELD_WITHIN_BAND,
        "drift +0.00 pp is within the band of ±0.50 pp",
        "",
        {"positions": book(A="200")},
    ),
    Case(
        "nearly there",
        Outcome.HELD_WITHIN_BAND,
        "drift +0.45 pp is within the band of ±0.50 pp",
        "",
        {"positions": book(A="191")},
    ),
    Case(
        "a little too much",
        Outcome.HELD_WITHIN_BAND,
        "drift -0.45 pp is within the band of ±0.50 pp",
        "",
        {"positions": book(A="209")},
    ),
    Case(
        "silence is not a sell",
        Outcome.HELD_AT_TARGET,
        "no usable signal: held as it is",
        "",
        {"signals": (signal("B", 0.0),), "positions": book(A="200")},
    ),
    Case(
        "unless told to exit",
        Outcome.PLANNED,
        "10.00 -> 0.00 %: to be closed; no usable signal, and unsignalled positions are to be closed; "
        "200 shares to sell",
        "sell 200 A",
        {"signals": (signal("B", 0.0),), "positions": book(A="200")},
        {"execution": {"unsignalled_positions": "exit"}},
    ),
    Case(
        "no signals at all are no reason to sell everything",
        Outcome.HELD_AT_TARGET,
        "no usable signal: held as it is",
        "",
        {"signals": (), "positions": book(A="200")},
        {"execution": {"unsignalled_positions": "exit"}},
    ),
    Case(
        "one share too dear for its weight",
        Outcome.HELD_BELOW_MINIMUM,
        "the target of 0.04% is less than one lot at 50.00",
        "",
        {},
        {"position_sizing": {"base_position_size": 0.0004}},
    ),
    Case(
        "a trade too small",
        Outcome.HELD_BELOW_MINIMUM,
        "a trade of $50.00 is below the minimum of $100.00",
        "",
        {"signals": (signal("A", 0.1),)},
        {"position_sizing": {"base_position_size": 0.008}},
    ),
]
