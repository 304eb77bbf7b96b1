"""One rule of patience, and the early reading of a phase: used only when it proves itself."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.decisions import Order
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused
from rebalancer.core.facts import Account, Position
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import NOTHING
from rebalancer.core.venue_rules import ALPACA
from rebalancer.execution.await_final import await_final
from rebalancer.execution.early_reading import EarlyReading, read_early
from rebalancer.ops.clock import one_by_one
from rebalancer.planning.verdicts import OrderEnd

D = Decimal


class Clock:
    """Waiting takes no time."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return sum(self.waits)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def wall(self) -> datetime:
        return datetime(2026, 11, 20, tzinfo=UTC)


def looks(*answers: Any) -> Any:
    """A look that gives these answers, one after the other, and the last of them for ever."""
    left = list(answers)

    def look() -> Any:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


def test_pauses_double_up_to_a_second_and_end_at_the_deadline() -> None:
    clock = Clock()
    assert await_final(looks(["a"]), clock, 5.0) == ["a"]
    assert clock.waits == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 0.45])


def test_one_look_when_all_have_ended_or_no_time_is_left() -> None:
    for answer, deadline in (([], 5.0), (["a"], 0.0)):
        clock = Clock()
        assert await_final(looks(answer), clock, deadline) == answer
        assert clock.waits == []


def test_it_ends_when_it_is_urgent() -> None:
    clock = Clock()
    assert await_final(looks(["a"]), clock, 5.0, is_urgent=lambda: len(clock.waits) == 2) == ["a"]
    assert clock.waits == [0.05, 0.1]


def test_what_is_shown_may_move_the_deadline() -> None:
    clock = Clock()
    assert await_final(looks(["a"]), clock, lambda: 0.15 if len(clock.waits) < 2 else 0.35) == ["a"]
    assert sum(clock.waits) == pytest.approx(0.35)


def test_no_answer_is_asked_again_after_the_longest_pause() -> None:
    clock, lost = Clock(), BrokerUnavailable("no answer")
    assert await_final(looks(["a"], lost, ["a"], []), clock, 10.0) == []
    assert clock.waits == [0.05, 1.0, 1.0]
    with pytest.raises(BrokerUnavailable):
        await_final(looks(["a"], lost), Clock(), 2.0)
    with pytest.raises(CredentialsRefused):
        await_final(looks(CredentialsRefused("no")), Clock(), 2.0)


def order(name: str, side: str, qty: str) -> Order:
    opening = side == "buy"
    return Order(
        client_order_id=name, phase="increase" if opening else "reduce", symbol=name.upper(), side=side,  # type: ignore[arg-type]
        qty=D(qty), notional=D(0), type="market", limit_price=None, time_in_force="day",
        position_intent="buy_to_open" if opening else "sell_to_close", price=D(10), reserve=D(0), drift=0.0,
        because=NOTHING,
    )  # fmt: skip


def end(name: str, qty: str, price: str | None, state: OrderState = OrderState.FILLED) -> OrderEnd:
    return OrderEnd(name, state, D(qty), None if price is None else D(price))


def account(cash: Decimal) -> Account:
    return Account("a", D(1000), D(1000), D(1000), cash, D(2000), D(2), shorting_enabled=True)


FILLS = st.lists(
    st.tuples(st.sampled_from(("buy", "sell")), st.integers(1, 50), st.integers(100, 90_000)), min_size=1, max_size=6
)


@given(fills=FILLS, data=st.data())
def test_an_account_counts_only_with_all_that_was_traded(
    fills: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """Any reading that lacks some of the fills is refused, unless what is lacking adds up to nothing."""
    orders = [order(f"o{n}", side, str(qty)) for n, (side, qty, _) in enumerate(fills)]
    ends = {f"o{n}": end(f"o{n}", str(qty), str(D(cents) / 100)) for n, (_, qty, cents) in enumerate(fills)}
    paid = [D(cents) / 100 * qty * (1 if side == "sell" else -1) for side, qty, cents in fills]
    seen = data.draw(st.sets(st.integers(0, len(fills) - 1)))
    lacking = sum((p for n, p in enumerate(paid) if n not in seen), D(0))
    read = EarlyReading((), account(D(500) + sum(paid, D(0)) - lacking), None)
    found = read.account_with(D(500), orders, ends, ALPACA)
    assert (found is not None) == (abs(lacking) <= D("0.01") * len(fills))


@pytest.mark.parametrize(
    "ends",
    [
        {},
        {"aa": end("aa", "1", "10", OrderState.OPEN)},
        {"aa": end("aa", "1", None)},
    ],
)
def test_an_order_without_a_known_end_proves_nothing(ends: dict[str, OrderEnd]) -> None:
    read = EarlyReading((), account(D(510)), None)
    assert read.account_with(D(500), [order("aa", "sell", "1")], ends, ALPACA) is None


def test_fees_in_coins_and_missing_readings_prove_nothing() -> None:
    coin = order("c", "sell", "1")._replace(symbol="BTC/USD")
    ends = {"c": end("c", "1", "10")}
    assert EarlyReading((), account(D(510)), None).account_with(D(500), [coin], ends, ALPACA) is None
    assert EarlyReading().account_with(D(500), [], {}, ALPACA) is None


def test_positions_count_when_each_is_as_expected() -> None:
    held = EarlyReading(None, None, (Position("A", D(3), D(3), D(1)),))
    assert held.are_held({"A": D(3), "B": D(0)})
    assert not held.are_held({"A": D(2)})
    assert not held.are_held({"A": D(3), "B": D(1)})


class Deaf:
    """A broker that answers nothing but the list of orders."""

    def orders(self, after: datetime) -> tuple[()]:
        return ()

    def account(self) -> Account:
        raise BrokerUnavailable("no answer")

    positions = account


def test_posts_come_first_and_a_read_without_an_answer_is_left_out() -> None:
    said: list[str] = []
    clock, broker = Clock(), Deaf()
    posts: list[Any] = [lambda: said.append(f"post {len(clock.waits)}") for _ in range(2)]
    results, read = read_early(posts, broker, clock, one_by_one, clock.wall(), positions=True)  # type: ignore[arg-type]
    assert said == ["post 0", "post 0"]
    assert results == [None, None]
    assert read == EarlyReading((), None, None, at=0.06), "asked after the first wait"
    assert read_early([], broker, clock, one_by_one, clock.wall(), positions=True) == ([], EarlyReading())  # type: ignore[arg-type]
