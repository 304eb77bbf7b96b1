"""For any stream of orders and answers: what the gate lets through keeps the limits, counted here in another way."""

from __future__ import annotations

import threading
from decimal import Decimal
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.core.facts import OpenOrder
from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Rules
from rebalancer.execution.pretrade.readings import leeway
from rebalancer.journal import Journal
from tests.execution.pretrade.hands import Post, order, quote, readings

D = Decimal
PRICES = {"AAA": D(100), "BBB": D(20), "CCC": D(400)}
_NUMBER = count(1)
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

symbols = st.sampled_from(sorted(PRICES))
steps = st.tuples(
    symbols,
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 80),
    st.sampled_from([None, (OrderState.FILLED, 100), (OrderState.CANCELED, 50), (OrderState.UNKNOWN, 0)]),
    st.booleans(),
)
holdings = st.fixed_dictionaries({}, optional=dict.fromkeys(PRICES, st.integers(1, 60).map(str)))


def limits(shorts: bool) -> Rules:
    return Rules.model_validate(
        {
            "position_sizing": {"max_total_exposure": 0.1, "max_position_size": 0.06, "allow_short": shorts},
            "gate": {"max_orders_per_minute": 1000},
            "risk_management": {"max_orders_per_day": 12, "max_orders_per_symbol_per_day": 6},
            "execution": {"max_orders_per_execution": 9},
        }
    )


def start(folder: Path, journal: Journal, rules: Rules, held: dict[str, str], resting: list[OpenOrder]) -> Post:
    post = Post(folder, journal, f"law-{next(_NUMBER)}", rules)
    quotes = [quote(symbol, str(price)) for symbol, price in PRICES.items()]
    post.gate.take(readings(held, quotes, resting))
    return post


@quick
@given(held=holdings, stream=st.lists(steps, max_size=14), shorts=st.booleans(), resting=st.lists(steps, max_size=2))
def test_exposure_shares_and_counts_hold_for_every_stream(
    tmp_path: Path, journal: Journal, held: dict[str, str], stream: list, shorts: bool, resting: list
) -> None:  # type: ignore[type-arg]  # of steps
    rules = limits(shorts)
    others = [
        OpenOrder(f"x{n}", symbol, side, D(qty), D(0), "limit", False)
        for n, (symbol, side, qty, _, _) in enumerate(resting)
    ]
    post = start(tmp_path, journal, rules, held, others)
    low = {symbol: D(held.get(symbol, 0)) for symbol in PRICES}  # if every sell fills and no buy does
    high = dict(low)
    for other in others:
        if other.side == "buy":
            high[other.symbol] += other.qty
        else:
            low[other.symbol] -= other.qty
    began = {symbol: D(held.get(symbol, 0)) for symbol in PRICES}
    sent = opened = 0
    most = 12 - int(12 * rules.risk_management.reserved_order_fraction)
    for number, (symbol, side, qty, end, closing) in enumerate(stream):
        intent = ("buy_to_" if side == "buy" else "sell_to_") + ("close" if closing else "open")
        made = order(f"s{number}", symbol, side, str(qty), price=PRICES[symbol], position_intent=intent)
        if post.send(made) != [""]:
            post.book(f"s{number}", OrderState.NOT_SENT)
            continue
        sent += 1
        was_held = began[symbol]
        opens = was_held >= 0 if side == "buy" else was_held <= 0
        opened += opens
        assert not opens or sent <= most, "the day's count holds back openings, and counts reductions"
        if side == "buy":
            high[symbol] += qty
        else:
            low[symbol] -= qty
        if end is not None:
            state, share = end
            filled = D(qty) * share / 100
            post.book(f"s{number}", state, str(filled))
            began[symbol] += filled if side == "buy" else -filled
            if state.is_final and side == "buy":
                high[symbol] -= qty - filled
                low[symbol] += filled
            elif state.is_final:
                low[symbol] += qty - filled
                high[symbol] -= filled
        capital = D(200000) * leeway(rules)
        worst = {s: max(abs(low[s]), abs(high[s])) * PRICES[s] for s in PRICES}
        if opens:
            assert sum(worst.values()) <= D("0.1") * capital
            assert worst[symbol] <= D("0.06") * capital
        elif was_held > 0:
            assert low[symbol] >= 0, "sold more than was held"
        else:
            assert high[symbol] <= 0, "bought back more than was short"
        if not shorts and not opens:
            assert side == "sell"
    assert opened <= 9


@quick
@given(parts=st.lists(st.lists(symbols, max_size=5), max_size=4))
def test_counts_hold_over_restarts(tmp_path: Path, journal: Journal, parts: list[list[str]]) -> None:
    rules = limits(shorts=False)
    account = f"law-{next(_NUMBER)}"
    passed: list[str] = []
    number = count(1)
    for life, wanted in enumerate(parts):
        post = Post(tmp_path, journal, account, rules)
        quotes = [quote(symbol, "1") for symbol in PRICES]
        post.gate.take(readings({}, quotes, cycle_id=f"c{life}"))
        for symbol in wanted:
            n = next(number)
            if post.send(order(f"s{n}", symbol, qty=str(n), price=D(1)), cycle_id=f"c{life}") == [""]:
                passed.append(symbol)
            else:
                post.book(f"s{n}", OrderState.NOT_SENT)
    reserved = int(12 * rules.risk_management.reserved_order_fraction)
    assert len(passed) <= 12 - reserved
    asked = [symbol for wanted in parts for symbol in wanted]
    for symbol in PRICES:
        assert passed.count(symbol) <= 6
        if len(asked) <= 12 - reserved:
            assert passed.count(symbol) == min(asked.count(symbol), 6), "what is within the limits passes"


def test_many_threads_together_never_pass_more_than_one_at_a_time(tmp_path: Path, journal: Journal) -> None:
    post = start(tmp_path, journal, limits(shorts=False), {"AAA": "10"}, [])
    sells = [order(f"t{n}", "AAA", "sell", "3") for n in range(8)]
    buys = [order(f"u{n}", "CCC", qty=str(10 + n), price=D(400)) for n in range(4)]
    post.write(*sells, *buys)
    wanted = [*sells, *buys]
    threads = [threading.Thread(target=post.ask, args=(one,)) for one in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sold = sum(one.qty for one in post.wire.posted if one.side == "sell")
    bought = sum(one.qty * 400 for one in post.wire.posted if one.side == "buy")
    assert sold == 9
    assert 0 < bought <= D("0.06") * 200000 * leeway(limits(shorts=False))
