"""How orders that ended become the one verdict of each signal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.core.decisions import Plan, Verdict
from rebalancer.core.outcomes import OrderState as S
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode, because, stated
from rebalancer.planning import plan
from rebalancer.planning.verdicts import OrderEnd, final_verdicts
from tests.planning.examples import book, rules, signal, snapshot

TEN, FOUR, NONE = Decimal(10), Decimal(4), Decimal(0)
CASH = Decimal("50.00")
SILENT = "of 20 shares filled; the broker has not told the end: word"

# state of the close, filled of 10; state of the opening, filled of 10; denied; the one outcome
TABLE = [
    ((S.FILLED, TEN), (S.FILLED, TEN), None, Outcome.FILLED, "20 of 20 shares filled at 50.00, 50.00"),
    ((S.FILLED, TEN), (S.CANCELED, FOUR), None, Outcome.PARTLY_FILLED, "14 of 20 shares filled: word"),
    (
        (S.FILLED, TEN),
        (S.NOT_SENT, NONE),
        Outcome.DENIED_BUYING_POWER,
        Outcome.PARTLY_FILLED,
        "10 of 20 shares filled: word",
    ),
    ((S.FILLED, TEN), (S.UNKNOWN, NONE), None, Outcome.UNKNOWN_AT_BROKER, f"10 {SILENT}"),
    ((S.FILLED, TEN), (S.OPEN, NONE), None, Outcome.UNKNOWN_AT_BROKER, f"10 {SILENT}"),
    ((S.INTENDED, NONE), (S.NOT_SENT, NONE), None, Outcome.UNKNOWN_AT_BROKER, f"0 {SILENT}"),
    ((S.CANCELED, NONE), (S.NOT_SENT, NONE), None, Outcome.UNFILLED, "0 of 20 shares filled: word"),
    ((S.EXPIRED, NONE), None, None, Outcome.UNFILLED, "0 of 20 shares filled: word"),
    ((S.REPLACED, NONE), None, None, Outcome.UNFILLED, "0 of 20 shares filled: word"),
    ((S.REFUSED, NONE), (S.NOT_SENT, NONE), Outcome.DENIED_NOT_AVAILABLE, Outcome.REFUSED_BY_BROKER, "word"),
    ((S.REFUSED, NONE), (S.FILLED, FOUR), None, Outcome.PARTLY_FILLED, "4 of 20 shares filled: word"),
    ((S.WITHHELD, NONE), (S.WITHHELD, NONE), None, Outcome.WITHHELD, "dry run: nothing was sent"),
    ((S.NOT_SENT, NONE), (S.NOT_SENT, NONE), None, Outcome.NOT_SENT, "word"),
    ((S.NOT_SENT, NONE), (S.NOT_SENT, NONE), Outcome.DENIED_DAILY_LOSS, Outcome.DENIED_DAILY_LOSS, "word"),
    ((S.CANCELED, NONE), (S.NOT_SENT, NONE), Outcome.DENIED_CAP, Outcome.DENIED_CAP, "word"),
    (None, None, None, Outcome.NOT_SENT, "the cycle ended first"),
]


def flip() -> Plan:
    """A plan with two orders of one symbol: 10 shares to sell, then 10 to sell short. The other signal is neutral."""
    decided = plan(
        snapshot(
            signals=(signal("A", -0.2), signal("B", 0.05)),
            positions=book(A="10"),
        ),
        rules(position_sizing={"allow_short": True, "base_position_size": 0.025}),
    )
    assert [(o.phase, o.side, o.qty) for o in decided.orders] == [("reduce", "sell", TEN), ("increase", "sell", TEN)]
    return decided


@pytest.mark.parametrize(("close", "opening", "denied", "outcome", "said"), TABLE)
def test_the_ends_of_all_orders_of_a_symbol_make_one_outcome(
    close: tuple[S, Decimal] | None,
    opening: tuple[S, Decimal] | None,
    denied: Outcome | None,
    outcome: Outcome,
    said: str,
) -> None:
    decided = flip()
    ends = {
        order.client_order_id: OrderEnd(
            order.client_order_id,
            end[0],
            end[1],
            CASH if end[1] else None,
            stated("word"),
            denied if end is opening else None,
        )
        for order, end in zip(decided.orders, (close, opening), strict=True)
        if end is not None
    }
    verdicts, unsignalled = final_verdicts(decided, ends)
    assert verdicts == (
        Verdict("s-A", "A", outcome, stated(f"{decided.verdicts[0].because}; {said}")),
        Verdict("s-B", "B", Outcome.HELD_NEUTRAL, because(ReasonCode.TOO_WEAK, strength=(0.05, 0.1))),
    )
    assert unsignalled == ()


def test_every_outcome_that_follows_a_sent_order_is_in_the_table() -> None:
    after_planned = list(Outcome)[list(Outcome).index(Outcome.WITHHELD) : -1]
    assert set(after_planned) <= {row[3] for row in TABLE}
