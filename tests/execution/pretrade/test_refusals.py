"""Every refusal of the gate can happen, each for its own reason and no other; and what passes, passes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.brokers.protocol import BrokerClock
from rebalancer.core.facts import Account, OpenOrder, Position, Session
from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Rules
from rebalancer.execution.kill_switch import FILE_NAME
from rebalancer.execution.pretrade.readings import leeway
from tests.execution.pretrade.conftest import MakePost
from tests.execution.pretrade.hands import HOURS, NOON, RULES, order, quote, readings

D = Decimal
NAN, INF = D("NaN"), D("Infinity")
CLOSED = Session(False, HOURS.open, HOURS.close)


def rules(**sections: Any) -> Rules:
    return Rules.model_validate(sections)


def test_a_plain_order_leaves(make_post: MakePost) -> None:
    post = make_post()
    post.gate.take(readings())
    one = order("a")
    assert post.send(one) == [""]
    assert post.wire.posted == [post.own(one)]
    assert post.wire.calls == [], "what the cycle has read is not read again"


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": NAN}, {"qty": INF}, {"qty": D(0)}, {"qty": D(-1)}, {"qty": None}, {"qty": 10.0},
        {"price": NAN}, {"price": D(0)}, {"price": None}, {"price": D("sNaN")},
        {"reserve": NAN}, {"reserve": D(-1)},
        {"type": "limit", "limit_price": NAN}, {"type": "limit"}, {"type": "limit", "limit_price": D(-1)},
        {"limit_price": D(100)}, {"type": "stop"}, {"side": "hold"},
    ],
)  # fmt: skip
def test_what_is_no_order(make_post: MakePost, changes: dict[str, Any]) -> None:
    post = make_post()
    post.gate.take(readings({"AAA": "10"}))
    post.write(order("a"))
    assert post.ask(order("a")._replace(**changes)) == "form"
    assert post.wire.posted == []


def test_an_order_must_be_the_one_in_the_journal_and_leaves_once(make_post: MakePost) -> None:
    post = make_post()
    post.gate.take(readings())
    assert post.ask(order("a")) == "intent"
    post.write(order("a"))
    assert post.ask(order("a", qty="11")) == "intent"
    assert post.ask(order("a", symbol="BBB")) == "intent"
    assert post.ask(order("a", time_in_force="gtc")) == "intent"
    assert post.ask(order("a")) == ""
    assert post.ask(order("a")) == "intent"
    assert len(post.wire.posted) == 1


def test_an_order_with_a_known_fate_never_leaves_again(make_post: MakePost) -> None:
    post = make_post()
    post.write(order("a"))
    post.book("a", OrderState.UNKNOWN)
    post.gate.take(readings())
    assert post.ask(order("a")) == "intent"


def test_without_a_reading_nothing_leaves(make_post: MakePost) -> None:
    post = make_post()
    assert post.send(order("a")) == ["readings"]
    post.gate.prepare("c1", [order("a")])
    assert post.wire.calls == ["clock"], "the broker does not answer"
    assert post.ask(order("a")) == "readings"


def test_outside_a_cycle_the_gate_reads_for_itself(make_post: MakePost) -> None:
    post = make_post()
    account = Account("a", D(100000), D(100000), D(100000), D(0), D(0), D(2), False)
    post.wire.told = {
        "clock": BrokerClock(NOON, HOURS), "account": account, "orders": (), "quotes": (quote("AAA"),),
        "positions": (Position("AAA", D(10), D(10), D(90)),),
    }  # fmt: skip
    post.gate.prepare("exit-1", [order("a", side="sell")])
    assert sorted(post.wire.calls) == ["account", "clock", "orders", "positions", "quotes"]
    assert post.send(order("a", side="sell"), order("b", side="sell", qty="1")) == ["", "oversell"]


def test_the_kill_switch_by_file_by_row_and_unreadable(make_post: MakePost) -> None:
    for how in ("file", "row", "unreadable"):
        post = make_post()
        post.gate.take(readings({"AAA": "10"}))
        post.write(order("a", side="sell"))
        switch = post.kill._state / FILE_NAME
        if how == "file":
            switch.write_text("enough")
        elif how == "row":
            post.journal.set_kill(post.account_id, NOON, "enough")
        else:
            switch.mkdir()
        assert post.ask(order("a", side="sell")) == "kill_switch", how
        if switch.is_dir():
            switch.rmdir()
        switch.unlink(missing_ok=True)


def test_stocks_wait_for_the_session_and_coins_do_not(make_post: MakePost) -> None:
    post = make_post()
    coin = order("c", symbol="BTC/USD", qty="1")
    for number, (session, moment) in enumerate(
        [(CLOSED, NOON), (HOURS, HOURS.close), (HOURS, HOURS.open - timedelta(seconds=1))]
    ):
        post.wire.time = moment
        post.gate.take(readings(session=session, quotes=[quote("AAA", now=moment), quote("BTC/USD", now=moment)]))
        assert post.send(order(f"a{number}")) == ["session"]
    assert post.send(coin) == [""], "before the open"


def test_nothing_is_sold_twice(make_post: MakePost) -> None:
    post = make_post()
    resting = OpenOrder("x", "AAA", "sell", D(5), D(2), "limit", False, D(120))
    post.gate.take(readings({"AAA": "10"}, open_orders=[resting]))
    sells = [order(f"a{n}", side="sell", qty=qty) for n, qty in enumerate(["8", "5", "2", "1"])]
    assert post.send(*sells) == ["oversell", "", "", "oversell"]


def test_an_unknown_quantity_may_be_everything(make_post: MakePost) -> None:
    post = make_post()
    dollars = OpenOrder("x", "AAA", "sell", NAN, D(0), "market", False)
    post.gate.take(readings({"AAA": "10", "BBB": "10"}, open_orders=[dollars]))
    sells = order("a", side="sell", qty="1"), order("b", "BBB", "sell", "10"), order("c", "CCC")
    assert post.send(*sells) == ["oversell", "", "total_exposure"]


def test_a_fill_that_came_frees_and_takes_shares(make_post: MakePost) -> None:
    post = make_post()
    post.gate.take(readings({"AAA": "10"}))
    first = order("a", side="sell", qty="6")
    assert post.send(first) == [""]
    post.book("a", OrderState.CANCELED, "4")
    assert post.send(order("b", side="sell", qty="7"), order("c", side="sell", qty="6")) == ["oversell", ""]


def test_shorts(make_post: MakePost) -> None:
    opening = order("a", side="sell", position_intent="sell_to_open", phase="increase")
    post = make_post()
    post.gate.take(readings({"BBB": "-10"}))
    assert post.send(opening) == ["oversell"], "short selling is not allowed"
    back = [order(f"b{n}", "BBB", qty=q, position_intent="buy_to_close") for n, q in enumerate(["11", "10", "1"])]
    assert post.send(*back) == ["oversell", "", "oversell"], "never through zero"
    shorts = make_post(rules=rules(position_sizing={"allow_short": True}))
    shorts.gate.take(readings({"BBB": "10"}))
    assert shorts.send(opening) == [""]
    through = order("c", "BBB", "sell", "11", position_intent="sell_to_open")
    closing = order("d", "CCC", "sell", "1")
    assert shorts.send(through, closing) == ["oversell", "oversell"]


def test_the_days_orders(make_post: MakePost) -> None:
    tight = rules(risk_management={"max_orders_per_day": 5, "reserved_order_fraction": 0.4})
    post = make_post(rules=tight)
    post.gate.take(readings({"CCC": "10"}))
    opens = [order(f"a{n}", qty=str(n + 1)) for n in range(4)]
    assert post.send(*opens) == ["", "", "", "orders_per_day"], "two of five are kept for reductions"
    post.book("a3", OrderState.NOT_SENT)
    closes = [order(f"b{n}", "CCC", "sell", "1") for n in range(3)]
    assert post.send(*closes) == ["", "", ""], "no count of a day holds back a reduction"
    post.wire.time += timedelta(days=1)
    fresh = HOURS._replace(open=HOURS.open + timedelta(days=1), close=HOURS.close + timedelta(days=1))
    post.gate.take(readings(session=fresh, cycle_id="c2", quotes=[quote("AAA", now=post.wire.time)]))
    assert post.send(order("d1"), cycle_id="c2") == [""]


def test_the_orders_of_one_symbol_and_of_one_cycle(make_post: MakePost) -> None:
    tight = rules(
        risk_management={"max_orders_per_symbol_per_day": 2}, execution={"max_orders_per_execution": 3}
    )  # fmt: skip
    post = make_post(rules=tight)
    post.gate.take(readings({"AAA": "10"}))
    sent = post.send(order("a", qty="1"), order("b", qty="2"), order("c", qty="3"), order("d", side="sell", qty="1"))
    assert sent == ["", "", "orders_per_symbol", ""], "a reduction passes"
    post.book("c", OrderState.NOT_SENT)
    assert post.send(order("e", "BBB"), order("f", "AAA", "sell", "2")) == ["orders_per_execution", ""]
    post.gate.take(readings({"AAA": "10"}, cycle_id="c2"))
    assert post.send(order("g", "BBB", qty="9"), cycle_id="c2") == [""]


@pytest.mark.parametrize(
    ("state", "filled", "said"),
    [
        (OrderState.FILLED, "10", "duplicate"), (OrderState.OPEN, "0", "duplicate"),
        (OrderState.UNKNOWN, "0", "duplicate"), (OrderState.CANCELED, "1", "duplicate"),
        (OrderState.CANCELED, "0", ""), (OrderState.REFUSED, "0", ""), (OrderState.NOT_SENT, "0", ""),
    ],
)  # fmt: skip
def test_the_same_order_again(make_post: MakePost, state: OrderState, filled: str, said: str) -> None:
    post = make_post()
    post.write(order("a"))
    post.book("a", state, filled)
    post.gate.take(readings(cycle_id="c2"))
    post.wire.time += timedelta(seconds=RULES.gate.duplicate_window_seconds)
    again = [order("b"), order("c", qty="11"), order("d", "BBB")]
    assert post.send(*again, cycle_id="c2") == [said, "", ""]


def test_the_same_order_again_after_a_while(make_post: MakePost) -> None:
    post = make_post()
    post.write(order("a"))
    post.wire.time += timedelta(seconds=RULES.gate.duplicate_window_seconds + 1)
    post.gate.take(readings(cycle_id="c2"))
    assert post.send(order("b"), cycle_id="c2") == [""]


@pytest.mark.parametrize(
    "bad",
    [
        quote("AAA", age_seconds=121), quote("AAA", age_seconds=-6), quote("AAA", "NaN"), quote("AAA", "0"),
        quote("AAA")._replace(bid=None), quote("AAA")._replace(bid=D(101)), quote("BBB"),
        quote("AAA")._replace(ask=INF),
        quote("AAA")._replace(bid=D(97), ask=D(103)),
    ],
)  # fmt: skip
def test_without_a_fresh_quote_nothing_is_opened(make_post: MakePost, bad: Any) -> None:
    post = make_post()
    post.gate.take(readings({"AAA": "10"}, quotes=[bad]))
    assert post.send(order("a"), order("b", side="sell")) == ["quote", ""]


def test_quotes_that_grew_old_are_read_again_once(make_post: MakePost) -> None:
    post = make_post()
    post.gate.take(readings({"AAA": "10"}))
    post.wire.time += timedelta(seconds=200)
    post.gate.prepare("c1", [order("b", side="sell")])
    assert post.wire.calls == [], "a reduction needs none"
    post.gate.prepare("c1", [order("a")])
    assert post.wire.calls == ["quotes"]
    assert post.send(order("a")) == ["quote"]
    post.wire.told["quotes"] = (quote("AAA", now=post.wire.time),)
    post.gate.prepare("c1", [order("a2")])
    assert post.send(order("a2", qty="11")) == [""]


def test_a_price_that_ran_away(make_post: MakePost) -> None:
    post = make_post()
    post.gate.take(readings({"AAA": "10"}, quotes=[quote("AAA", "105.1")]))
    assert post.send(order("a"), order("b", side="sell")) == ["price_move", ""]
    post.gate.take(readings(quotes=[quote("AAA", "105")]))
    assert post.send(order("c", qty="9")) == [""]
    limits = [order(f"l{p}", qty="8", type="limit", limit_price=D(p), price=D(105)) for p in ("111", "110")]
    assert post.send(*limits) == ["price_move", "duplicate"], "the first one's limit is far beyond the quote"


def test_how_many_shares_and_how_many_dollars(make_post: MakePost) -> None:
    post = make_post(
        rules=rules(
            gate={"max_order_quantity": "20"}, position_sizing={"max_order_value": "1500", "max_trade_size": "1500"}
        )
    )
    post.gate.take(readings({"BBB": "500"}))
    assert post.send(order("a", qty="21"), order("b", qty="15.1"), order("c", qty="15")) == [
        "order_quantity", "order_value", ""
    ]  # fmt: skip
    assert post.send(order("d", "BBB", "sell", "500")) == [""], "a reduction passes"
    post.gate.take(readings(quotes=[quote("AAA", "104")]))
    assert post.send(order("e", qty="14.5")) == ["order_value"], "the price now counts if it is higher"


def test_one_name_and_everything(make_post: MakePost) -> None:
    most = D("0.15") * D(200000)
    assert D(1) < leeway(RULES) < D("1.07")
    post = make_post(rules=rules(position_sizing={"max_order_value": "200000", "max_total_exposure": 0.3}))
    post.gate.take(readings({"AAA": "100"}))
    planned = (most - 10000) / 100
    assert post.send(order("a", qty=str(planned * D("1.1"))), order("b", qty=str(planned))) == ["position_size", ""]
    assert post.send(order("c", "BBB", qty="300"), order("d", "CCC", qty="30")) == ["", "total_exposure"]
    assert post.send(order("e", "AAA", "sell", "100")) == [""]


@pytest.mark.parametrize("equity", ["NaN", "Infinity", "0", "-5"])
def test_without_equity_nothing_is_opened(make_post: MakePost, equity: str) -> None:
    post = make_post()
    post.gate.take(readings({"BBB": "10"}, equity=equity))
    assert post.send(order("a"), order("b", "BBB", "sell")) == ["position_size", ""]


def test_a_holding_that_nobody_can_value_lets_nothing_be_opened(make_post: MakePost) -> None:
    post = make_post()
    worthless = readings({"ZZZ": "10"})._replace(entry={})
    post.gate.take(worthless)
    assert post.send(order("a"), order("b", "ZZZ", "sell")) == ["total_exposure", ""]
    post.gate.take(worthless._replace(positions={"ZZZ": NAN}))
    assert post.send(order("c", qty="1"), order("d", "ZZZ", "sell")) == ["total_exposure", "oversell"]


def test_a_holding_with_a_wild_quote_counts_at_its_last_trade(make_post: MakePost) -> None:
    wild = quote("BBB")._replace(bid=D(1), ask=D(10_000_000))
    post = make_post()
    post.gate.take(readings({"BBB": "10"}, quotes=[quote("AAA"), wild]))
    assert post.send(order("a")) == [""]


def test_a_flatten_does_nothing_but_reduce(make_post: MakePost) -> None:
    post = make_post(
        rules=rules(risk_management={"max_orders_per_day": 0}, gate={"max_orders_per_minute": 0}), closing_only=True
    )
    post.kill.engage(post.account_id, NOON, "enough")
    post.gate.take(readings({"AAA": "10", "BBB": "-10"}))
    sent = post.send(
        order("a", side="sell", qty="11"),
        order("b", side="sell"),
        order("c", "BBB", qty="10", position_intent="buy_to_close"),
        order("d", "CCC"),
        order("e", "BBB", "sell", "1"),
    )
    assert sent == ["oversell", "", "", "closing_only", "closing_only"]
    assert post.journal.events(kind="latched", account_id=post.account_id) == ()
