"""Laws of the books after any history: nothing is created, everything is explained, nothing is forgotten."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.exchange import orders, positions
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.ledger import Posting, Unbalanced
from rebalancer.exchange.margin import AccountNumbers
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.records import list_activities
from rebalancer.exchange.starter import open_exchange

SYMBOLS = ("AAPL", "KO", "NVR", "BTC/USD", "ETH/USD")
ORDER = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(SYMBOLS),
        "side": st.sampled_from(["buy", "sell"]),
        "type": st.sampled_from(["market", "limit"]),
        "time_in_force": st.sampled_from(["day", "gtc", "ioc"]),
        "size": st.sampled_from(["1", "7", "0.37", "40", "$25", "$900.55", "$120000", "900"]),
        "offset": st.integers(-60, 60),
    }
)
ACTION = st.one_of(
    st.tuples(st.just("order"), ORDER),
    st.tuples(st.just("advance"), st.sampled_from([0.03, 1.0, 900.0, 20_000.0, 90_000.0])),
    st.tuples(st.just("cancel"), st.none()),
    st.tuples(st.just("close"), st.sampled_from(SYMBOLS)),
    st.tuples(st.just("close all"), st.booleans()),
    st.tuples(st.just("restart"), st.none()),
)
Action = tuple[str, object]


def submit(exchange: Exchange, wish: dict[str, object]) -> None:
    """Send an order near the market; when it is accepted, buying power must have covered it."""
    size, symbol = str(wish["size"]), str(wish["symbol"])
    body = {key: wish[key] for key in ("symbol", "side", "type", "time_in_force")}
    body |= {"notional": size[1:]} if size.startswith("$") else {"qty": size}
    if wish["type"] == "limit":
        last = exchange.market.last(symbol, exchange.clock.micros())
        body["limit_price"] = str((last * (1 + Decimal(int(str(wish["offset"]))) / 5000)).quantize(Decimal("0.01")))
    before = numbers(exchange)
    order = exchange.submit(body)
    after = numbers(exchange)
    power = before.non_marginable_buying_power if order["asset_class"] == "crypto" else before.buying_power
    assert 0 <= after.reserved - before.reserved <= power


def numbers(exchange: Exchange) -> AccountNumbers:
    with exchange.reading() as at:
        return exchange.numbers(at)


def act(exchange: Exchange, action: Action) -> None:
    """Do one thing; refusals are part of the history."""
    kind, value = action
    try:
        if kind == "order":
            assert isinstance(value, dict)
            submit(exchange, value)
        elif kind == "advance":
            assert isinstance(value, float)
            exchange.clock.advance(value)
            exchange.catch_up()
        elif kind == "cancel":
            orders.cancel_all(exchange)
        elif kind == "close":
            positions.close_position(exchange, str(value).replace("/", ""), {})
        elif kind == "close all":
            positions.close_all(exchange, {"cancel_orders": str(value)})
    except ApiError:
        pass


def all_activities(exchange: Exchange) -> list[dict[str, object]]:
    """Read page by page, oldest first."""
    found: list[dict[str, object]] = []
    while True:
        token = {"page_token": str(found[-1]["id"])} if found else {}
        page = list_activities(exchange, None, {"direction": "asc", "page_size": "3", **token})
        if not page:
            return found
        found += page


def explained(activities: list[dict[str, object]]) -> tuple[Decimal, dict[str, Decimal]]:
    """Cash and positions as the activities tell them."""
    cash, held = Decimal(0), defaultdict[str, Decimal](Decimal)
    for row in activities:
        if row["activity_type"] == "FILL":
            sign = 1 if row["side"] == "buy" else -1
            qty = sign * Decimal(str(row["qty"]))
            cash -= qty * Decimal(str(row["price"]))
            held[str(row["symbol"]).replace("/", "")] += qty
        else:
            cash += Decimal(str(row["net_amount"]))
            if row["activity_type"] == "CFEE" and row["symbol"] != "USD":
                held[str(row["symbol"])] += Decimal(str(row["qty"]))
    return cash, {symbol: qty for symbol, qty in held.items() if qty}


def state_of(exchange: Exchange) -> tuple[object, ...]:
    return (
        exchange.account(),
        positions.list_positions(exchange),
        orders.list_orders(exchange, {"status": "all", "limit": "500"}),
        all_activities(exchange),
        exchange.books.ledger.balances(),
    )


@settings(max_examples=60, deadline=None)
@given(actions=st.lists(ACTION, max_size=25), multiplier=st.sampled_from([1, 2, 4]))
def test_any_history_balances_is_explained_and_survives_restarts(actions: list[Action], multiplier: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = ExchangeOptions(
            Path(folder) / "state.db", speed=0, multiplier=multiplier, partial_fill_probability=0.5
        )
        exchange = open_exchange(options)
        for action in actions:
            if action[0] == "restart":
                before = state_of(exchange)
                exchange.close()
                exchange = open_exchange(options)
                assert state_of(exchange) == before
            else:
                act(exchange, action)
        exchange.clock.advance(86_400 * 2)  # fees of the last day are listed
        account = exchange.account()
        exchange.books.ledger.audit()
        cash, held = explained(all_activities(exchange))
        rows = positions.list_positions(exchange)
        assert held == {row["symbol"]: Decimal(str(row["qty"])) for row in rows}
        assert account["cash"] == str(cash.quantize(Decimal("0.01"))).rstrip("0").rstrip(".")
        worth = sum(Decimal(str(row["market_value"])) for row in rows)
        assert abs(Decimal(str(account["equity"])) - cash - worth) <= Decimal("0.005")
        listed = orders.list_orders(exchange, {"status": "all", "limit": "500"})
        filled = sum(Decimal(str(row["filled_qty"])) for row in listed)
        fills = [row for row in all_activities(exchange) if row["activity_type"] == "FILL"]
        assert filled == sum(Decimal(str(row["qty"])) for row in fills)
        if multiplier == 1:
            assert all(Decimal(str(row["qty"])) > 0 for row in rows)
        exchange.close()


def test_an_unbalanced_event_is_impossible(exchange: Exchange) -> None:
    with exchange.store.transaction(), pytest.raises(Unbalanced):
        exchange.books.ledger.post(0, "theft", "x", [Posting("cash", "USD", Decimal(1))])
    assert exchange.books.ledger.balances() == {
        ("cash", "USD"): Decimal(100_000),
        ("funding", "USD"): Decimal(-100_000),
    }


def test_the_audit_finds_a_changed_balance(exchange: Exchange) -> None:
    exchange.books.ledger.audit()
    exchange.store.set_balance("cash", "USD", Decimal(1))
    exchange._load()
    with pytest.raises(Unbalanced):
        exchange.books.ledger.audit()


def test_a_failure_in_the_middle_of_a_request_leaves_no_trace(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of(exchange)
    monkeypatch.setattr(exchange.store, "set_meta", lambda key, value: 1 / 0)  # the last write of a request
    with pytest.raises(ZeroDivisionError):
        exchange.submit({"symbol": "KO", "side": "buy", "type": "market", "time_in_force": "day", "qty": 1})
    monkeypatch.undo()
    assert state_of(exchange) == before
    exchange.submit({"symbol": "KO", "side": "buy", "type": "market", "time_in_force": "day", "qty": 1})
    exchange.clock.advance(1)
    assert positions.get_position(exchange, "KO")["qty"] == "1"
