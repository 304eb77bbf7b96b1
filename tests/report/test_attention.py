"""What needs a person: every kind of trouble is named once, with a command, and quiet days stay quiet."""

from __future__ import annotations

import pytest

from rebalancer.core.decisions import LimitUse
from rebalancer.core.limits import LimitKind
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.values import ZERO
from rebalancer.report.allocation import by_sector, by_symbol, largest_drift
from rebalancer.report.attention import attention, explain_command
from rebalancer.report.limits import is_near
from rebalancer.report.records import RunRecord
from rebalancer.report.summary import sentence, totals
from rebalancer.report.trades import not_traded, trades
from rebalancer.report.words import OUTCOME_WORD, cycle_word, order_word, outcome_word

from .sample import STORIES, dry, sample_record

GOOD = {Outcome.FILLED, Outcome.HELD_WITHIN_BAND, Outcome.HELD_AT_TARGET}


def quiet() -> RunRecord:
    """A day on which everything went well."""
    record = sample_record(tuple(s for s in STORIES if s.outcome in GOOD))
    limits = tuple(limit for limit in record.plan.limits if limit.name != "orders_per_execution")
    return record._replace(reconciled=(), plan=record.plan._replace(limits=limits))


def first_order(record: RunRecord, state: OrderState, filled: bool = False) -> RunRecord:
    line = record.orders[0]
    line = line._replace(
        state=state,
        filled_qty=line.filled_qty - 1 if filled else ZERO,
        filled_avg_price=line.filled_avg_price if filled else None,
    )
    return record._replace(orders=(line, *record.orders[1:]))


def found(record: RunRecord) -> list[tuple[str, str, str]]:
    return [(item.level, item.title, item.command) for item in attention(record)]


def test_quiet_day() -> None:
    assert found(quiet()) == []
    assert sentence(quiet()) == (
        "7 orders placed and filled (5 sells, 2 buys); turnover 19.6 % of capital, $13.08 lost to slippage (+3.4 bp);"
        " largest drift 7.62 → 0.19 pp; nothing needs you."
    )


def test_a_cycle_without_orders_says_once_why() -> None:
    idle = quiet()._replace(orders=(), outcome=CycleOutcome.HOLDING, because="positions match their targets")
    assert sentence(idle).startswith("No orders. Holding: positions match their targets; ")
    late = idle._replace(outcome=CycleOutcome.SKIPPED_TOO_LATE, because="12 s are left")
    assert sentence(late).startswith("No orders. Skipped: too close to the close (12 s are left)")


@pytest.mark.parametrize(
    ("state", "filled", "expected"),
    [
        (OrderState.UNKNOWN, False, ("act", "Unknown at the broker: sell 11 AAPL", "rebalancer explain AAPL")),
        (OrderState.REFUSED, False, ("act", "Refused: sell 11 AAPL", "rebalancer explain AAPL")),
        (OrderState.OPEN, False, ("act", "Still open: sell 11 AAPL", "rebalancer run-now")),
        (OrderState.INTENDED, False, ("act", "Still open: sell 11 AAPL", "rebalancer run-now")),
        (OrderState.NOT_SENT, False, ("watch", "Not sent: sell 11 AAPL", "rebalancer explain AAPL")),
        (OrderState.CANCELED, False, ("watch", "Not filled: sell 11 AAPL", "rebalancer explain AAPL")),
        (OrderState.CANCELED, True, ("watch", "Partly filled: sell 11 AAPL", "rebalancer explain AAPL")),
        (OrderState.EXPIRED, False, ("watch", "Not filled: sell 11 AAPL", "rebalancer explain AAPL")),
        (OrderState.REPLACED, False, ("watch", "Not filled: sell 11 AAPL", "rebalancer explain AAPL")),
    ],
)
def test_order_states(state: OrderState, filled: bool, expected: tuple[str, str, str]) -> None:
    assert found(first_order(quiet(), state, filled)) == [expected]


@pytest.mark.parametrize("outcome", CycleOutcome)
def test_every_halt_needs_somebody_and_nothing_else_does(outcome: CycleOutcome) -> None:
    levels = [item.level for item in attention(quiet()._replace(outcome=outcome, because="a reason"))]
    needs = outcome.startswith("HALTED") or outcome is CycleOutcome.ABANDONED
    assert levels == (["act"] if needs else [])


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (LimitUse("sector:Energy", 0.3, 0.1, 0.3, True), []),
        (LimitUse("sector:A", 0.3, 0.1, 0.31, True), [("act", "Over the limit: sector A", "rebalancer config show")]),
        (LimitUse("daily_loss", 0.02, 0.0, 0.0159, False, LimitKind.LOSS), []),
        (LimitUse("loss", 1, 0, 0.81, False, LimitKind.LOSS), [("watch", "Near the limit: loss", "rebalancer status")]),
        (LimitUse("sector:Glossy", 0.3, 0.0, 0.29, False), []),
        (LimitUse("position:LOSS", 0.1, 0.0, 0.1, True), []),
        (LimitUse("a", 100, 0, 81, False, LimitKind.ORDERS), [("watch", "Near the limit: a", "rebalancer status")]),
        (LimitUse("sector:none", 0.0, 0.0, 0.0, False), []),
    ],
)  # fmt: skip
def test_limits(limit: LimitUse, expected: list[tuple[str, str, str]]) -> None:
    record = quiet()
    assert found(record._replace(plan=record.plan._replace(limits=(limit,)))) == expected


def test_frozen_and_unexplained_are_one_thing() -> None:
    titles = [item.title for item in attention(sample_record())]
    assert titles == [
        "Unknown at the broker: sell 9 NVDA",
        "Refused: buy 14 JPM",
        "Frozen: PLTR",
        "Not filled: sell 3 UNH",
        "Partly filled: buy 15 CAT",
        "Near the limit: orders per execution",
    ]


def test_restricted_account() -> None:
    record = quiet()
    account = record.snapshot.account._replace(restrictions=("trading_blocked",))
    assert found(record._replace(account_after=account)) == [("act", "Account restricted", "rebalancer status")]


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_words_and_a_mark(outcome: Outcome) -> None:
    word = outcome_word(outcome)
    assert word.text == OUTCOME_WORD[outcome]
    assert word.mark


def test_every_state_has_words() -> None:
    words = [order_word(state, ZERO) for state in OrderState]
    assert len({str(word) for word in words}) == len(OrderState)
    assert len({str(cycle_word(outcome)) for outcome in CycleOutcome}) == len(CycleOutcome)


@pytest.mark.parametrize("record", [sample_record(), dry(sample_record())], ids=["run", "dry"])
def test_every_verdict_is_told_once(record: RunRecord) -> None:
    ordered = {trade.line.symbol for trade in trades(record)}
    told = [row.symbol for row in not_traded(record)]
    assert sorted([*ordered, *told]) == sorted(v.symbol for v in (*record.verdicts, *record.plan.unsignalled))


def test_allocation_adds_up() -> None:
    record = sample_record()
    rows = by_symbol(record)
    sectors = by_sector(record, rows)
    assert sum(row.now or 0 for row in rows) == pytest.approx(sum(row.now or 0 for row in sectors))
    assert sum(row.after or 0 for row in rows) == pytest.approx(sum(row.after or 0 for row in sectors))
    assert largest_drift(rows)[1] == pytest.approx(0.0534)
    assert largest_drift(by_symbol(dry(record)))[1] is None


def test_slippage_is_a_cost_on_both_sides() -> None:
    record = quiet()
    worse = record._replace(
        orders=tuple(
            line._replace(filled_avg_price=line.arrival_price + (1 if line.side == "buy" else -1))
            for line in record.orders
        )
    )
    assert totals(worse).slippage == sum(line.filled_qty for line in record.orders)


@pytest.mark.parametrize(
    ("symbol", "command"),
    [
        ("AAPL", "rebalancer explain AAPL"),
        ("BRK.B", "rebalancer explain BRK.B"),
        ("BTC/USD", "rebalancer explain BTC/USD"),
        ("aapl", "rebalancer history"),
        (" AAPL", "rebalancer history"),
        ("A;reboot", "rebalancer history"),
        ("$(id)", "rebalancer history"),
        ("", "rebalancer history"),
    ],
)
def test_only_a_proper_symbol_enters_a_command(symbol: str, command: str) -> None:
    assert explain_command(symbol) == command


@pytest.mark.parametrize(("binds", "near"), [(False, False), (True, True)])
def test_a_full_execution_is_worth_a_look_only_when_an_order_had_to_wait(binds: bool, near: bool) -> None:
    assert is_near(LimitUse("orders_per_execution", 10, 0, 10, binds, LimitKind.ORDERS)) is near
