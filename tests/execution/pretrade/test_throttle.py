"""The throttle counts attempts over restarts and processes, latches, and opens only for a person."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Rules
from rebalancer.execution.pretrade import rearm_throttle
from rebalancer.execution.pretrade.attempts import Attempt
from rebalancer.execution.pretrade.case import Case
from rebalancer.execution.pretrade.guards import orders_per_minute
from rebalancer.journal import Journal
from rebalancer.planning import plan
from tests.execution.pretrade.conftest import MakePost
from tests.execution.pretrade.hands import NOON, Post, order, readings
from tests.planning.worlds import world

FOUR = Rules.model_validate({"gate": {"max_orders_per_minute": 4}})


def orders(first: int, last: int) -> list:  # type: ignore[type-arg]  # of orders
    return [order(f"o{n}", qty=str(n)) for n in range(first, last + 1)]


def test_it_latches_over_restarts_until_a_person_opens_it(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    with Journal.open(file) as journal:
        post = Post(tmp_path, journal, "acc", FOUR)
        post.gate.take(readings({"BBB": "10"}))
        assert post.send(*orders(1, 2)) == ["", ""]
    with Journal.open(file) as journal:
        post = Post(tmp_path, journal, "acc", FOUR)
        post.gate.take(readings({"BBB": "10"}, cycle_id="c2"))
        assert post.send(*orders(3, 5), cycle_id="c2") == ["", "", "orders_per_minute"]
        assert post.ask(order("o5", qty="5")) == "throttle"
    with Journal.open(file) as journal:
        post = Post(tmp_path, journal, "acc", FOUR)
        post.wire.time += timedelta(hours=1)
        post.gate.take(readings({"BBB": "10"}, cycle_id="c3"))
        assert post.send(order("o6", "BBB", "sell"), cycle_id="c3") == ["throttle"], "reductions wait too"
        assert [(e.key, e.body["level"]) for e in journal.events(kind="alert")] == [("throttle", "action")]
        assert [e.key for e in journal.events(kind="latched")] == ["throttle"]
        assert rearm_throttle(journal, "acc", post.wire.time, "looked into it") is True
        assert rearm_throttle(journal, "acc", post.wire.time, "again") is False
        assert [e.body for e in journal.events(kind="rearmed")] == [{"reason": "looked into it"}]
        assert post.ask(order("o6", "BBB", "sell")) == ""


def test_two_processes_share_one_count(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.sqlite") as one, Journal.open(tmp_path / "j.sqlite") as two:
        posts = [Post(tmp_path, journal, "acc", FOUR) for journal in (one, two)]
        for number, post in enumerate(posts):
            post.gate.take(readings(cycle_id=f"c{number}"))
        sent = [posts[n % 2].send(o, cycle_id=f"c{n % 2}")[0] for n, o in enumerate(orders(1, 6))]
        assert sent == ["", "", "", "", "orders_per_minute", "throttle"]


def test_what_never_left_is_not_counted_and_a_minute_passes(make_post: MakePost) -> None:
    post = make_post(rules=FOUR)
    post.gate.take(readings())
    assert post.send(*orders(1, 4)) == [""] * 4
    post.book("o1", OrderState.NOT_SENT)
    post.book("o2", OrderState.UNKNOWN)
    post.book("o2", OrderState.NOT_SENT)
    assert post.send(*orders(5, 5)) == [""], "one of the four surely never left, another may have"
    post.wire.time = NOON + timedelta(seconds=61)
    assert post.send(*orders(6, 9)) == [""] * 4
    assert post.journal.events(kind="latched", account_id=post.account_id) == ()


@pytest.mark.parametrize("most", [0, 1, 2, 5, 60])
def test_a_plan_alone_never_latches_it(most: int) -> None:
    """Sent within one second, the orders of any plan pass the count; one more would not, where there are so many."""
    full = 0
    for seed in range(80):
        snapshot, rules = world(seed, calm=True)
        rules = rules.model_copy(update={"gate": rules.gate.model_copy(update={"max_orders_per_minute": most})})
        before: tuple[Attempt, ...] = ()
        for made in plan(snapshot, rules).orders:
            case = Case(made, rules, NOON, readings(), None, None, None, False, before, {}, False)
            assert orders_per_minute(case) is None, seed
            before += (Attempt(1, made.client_order_id, "c", made.symbol, made.side, made.qty, {}, NOON),)
        if before:
            case = Case(order("one"), rules, NOON, readings(), None, None, None, False, before, {}, False)
            full += orders_per_minute(case) is not None
    assert (full > 3) is (0 < most < 60)


def test_another_account_is_not_throttled(make_post: MakePost) -> None:
    first, second = make_post(rules=FOUR), make_post(rules=FOUR)
    for post in (first, second):
        post.gate.take(readings())
    assert first.send(*orders(1, 5))[-1] == "orders_per_minute"
    assert second.send(*orders(1, 1)) == [""]
