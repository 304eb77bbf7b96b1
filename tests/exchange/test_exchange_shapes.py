"""Fields and filters that Alpaca has added in 2026: groups of orders, corporate actions, activities, locations."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import requests

from rebalancer.exchange import market_data, orders
from rebalancer.exchange.announcements import corporate_actions
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.records import list_activities
from rebalancer.exchange.replacement import replace_order
from tests.exchange.helpers import DAY, held, refused, send, state

EXITS = {"take_profit": {"limit_price": "400"}, "stop_loss": {"stop_price": "100"}}
LIMIT = {"type": "limit", "limit_price": "150", "time_in_force": "gtc"}


def roles(order: dict[str, Any]) -> list[tuple[object, object]]:
    return [(row["type"], row["group_role"]) for row in (order, *order["legs"])]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            {**LIMIT, "order_class": "bracket", **EXITS},
            [("limit", "parent"), ("limit", "take_profit"), ("stop", "stop_loss")],
        ),
        (
            {**LIMIT, "order_class": "oto", "stop_loss": EXITS["stop_loss"]},
            [("limit", "parent"), ("stop", "stop_loss")],
        ),
        (
            {**LIMIT, "order_class": "oto", "take_profit": EXITS["take_profit"]},
            [("limit", "parent"), ("limit", "take_profit")],
        ),
        (
            {"type": "limit", "time_in_force": "gtc", "side": "sell", "order_class": "oco", **EXITS},
            [("limit", "parent"), ("stop", "stop_loss")],
        ),
    ],
    ids=["bracket", "oto stop", "oto target", "oco"],
)
def test_orders_of_a_group_share_an_id_and_have_a_role(
    exchange: Exchange, body: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    held(exchange)
    order: dict[str, Any] = exchange.submit({"symbol": "AAPL", "qty": "5", "side": "buy", **body})
    assert roles(order) == found
    group = order["group_id"]
    assert UUID(str(group)).version == 4
    assert {row["group_id"] for row in order["legs"]} == {group}
    exchange.clock.advance(1)
    flat = orders.list_orders(exchange, {"status": "open", "nested": "false"})
    assert {row["group_id"] for row in flat} == {group}
    events = {row["order"]["id"]: row["order"]["group_id"] for row in told(exchange) if "group_id" in row["order"]}
    assert set(events.values()) == {group}


def told(exchange: Exchange) -> list[Any]:
    return [json.loads(event.body) for event in exchange.events.after(0)]


def test_a_replacement_stays_in_its_group(exchange: Exchange) -> None:
    entry = send(exchange, **LIMIT, order_class="bracket", **EXITS)
    exchange.clock.advance(1)
    new = replace_order(exchange, str(entry["id"]), {"limit_price": "151"})
    exchange.clock.advance(1)
    moved = orders.get_order(exchange, str(new["id"]), {"nested": "true"})
    assert (moved["group_id"], moved["group_role"], new["group_id"]) == (entry["group_id"], "parent", entry["group_id"])
    legs: Any = moved["legs"]
    assert {leg["group_id"] for leg in legs} == {entry["group_id"]}
    leg = replace_order(exchange, str(legs[1]["id"]), {"stop_price": "101"})
    assert (leg["group_id"], leg["group_role"]) == (entry["group_id"], "stop_loss")
    exchange.clock.advance(1)
    again = replace_order(exchange, str(new["id"]), {"limit_price": "152"})
    assert again["group_id"] == entry["group_id"]


def test_two_groups_have_two_ids_and_a_simple_order_has_none(exchange: Exchange) -> None:
    first, second = (send(exchange, **LIMIT, order_class="bracket", **EXITS) for _ in range(2))
    assert first["group_id"] != second["group_id"]
    simple = send(exchange, **LIMIT)
    exchange.clock.advance(1)
    replaced = replace_order(exchange, str(simple["id"]), {"limit_price": "151"})
    assert not {"group_id", "group_role"} & {*simple, *replaced, *state(exchange, simple)}


def test_several_legs_are_refused_with_their_own_words(exchange: Exchange) -> None:
    """They have neither symbol nor side, which was what the refusal said."""
    leg = {"symbol": "AAPL261218C00270000", "ratio_qty": "1", "side": "buy", "position_intent": "buy_to_open"}
    body = {
        "order_class": "mleg",
        "qty": "1",
        "type": "limit",
        "limit_price": "1",
        "time_in_force": "day",
        "legs": [leg],
    }
    assert refused(lambda: exchange.submit(body)) == (422, 42210000, "order class mleg is not supported")


def test_corporate_actions_by_region_and_quality(exchange: Exchange) -> None:
    announce_dividend(exchange, "KO", date(2026, 12, 1), date(2026, 12, 15), Decimal("0.51"))
    span = {"start": "2026-11-20", "end": "2026-12-31"}

    def found(**more: str) -> Any:
        return corporate_actions(exchange, {**span, **more})["corporate_actions"]

    whole = found()
    assert [row["symbol"] for row in whole["cash_dividends"]] == ["KO"]
    assert found(region="us") == found(region="all") == found(data_quality="complete", region="us") == whole
    assert found(data_quality="all") == whole
    assert found(region="non_us") == {}
    for kind in ("partial_call", "reorganization"):
        assert found(types=kind) == {}
    for wrong in (
        {"region": "mars"},
        {"data_quality": "poor"},
        {"ids": "a", "region": "us"},
        {"ids": "a", "data_quality": "all"},
    ):
        with pytest.raises(ApiError) as caught:
            found(**wrong) if "ids" not in wrong else corporate_actions(exchange, wrong)
        assert caught.value.status == 400


def test_filters_that_stand_for_several_types(exchange: Exchange) -> None:
    held(exchange)
    exchange.submit({"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "gtc", "qty": "0.01"})
    announce_split(exchange, "AAPL", date(2026, 11, 23), 2, 1)
    exchange.clock.advance(4 * DAY)

    def kinds(kind: str) -> set[object]:
        listed = list_activities(exchange, None, {"activity_types": kind})
        assert list_activities(exchange, kind, {}) == listed
        return {row["activity_type"] for row in listed}

    assert kinds("TRANS") == {"CSD"}
    assert kinds("TRD") == {"FILL"}
    assert kinds("MISC") == {"CFEE", "SPLIT"}
    assert kinds("SWP") == set()
    for word in ("CGD", "REO", "ROC", "OCT", "FI", "MEM", "DVF", "FIMAT"):
        assert kinds(word) == set()
    assert refused(lambda: list_activities(exchange, "LUNCH", {}))[0] == 422


def test_activities_of_an_order_and_what_they_carry(exchange: Exchange) -> None:
    first, second = send(exchange), send(exchange, symbol="KO")
    exchange.clock.advance(1)
    for order in (first, second):
        rows = list_activities(exchange, None, {"order_id": str(order["id"])})
        assert [(row["activity_type"], row["order_id"], row["symbol"]) for row in rows] == [
            ("FILL", order["id"], order["symbol"])
        ]
    (deposit,) = list_activities(exchange, "CSD", {})
    assert (deposit["currency"], deposit["created_at"], deposit["date"]) == (
        "USD", "2026-11-19T20:59:00Z", "2026-11-19",
    )  # fmt: skip


def test_the_currency_is_told_when_it_is_asked_for(exchange: Exchange) -> None:
    asked = {"symbols": "AAPL"}
    assert "currency" not in market_data.latest_one(exchange, "quotes", asked, "stocks")
    for row in (
        market_data.latest_one(exchange, "quotes", {**asked, "currency": "USD"}, "stocks"),
        market_data.page(exchange, "trades", {**asked, "currency": "USD", "limit": "1"}, "stocks"),
        market_data.page_one(exchange, "trades", {**asked, "currency": "USD", "limit": "1"}, "stocks"),
        market_data.snapshot_one(exchange, {**asked, "currency": "USD"}, "stocks"),
    ):
        assert row["currency"] == "USD"
    assert market_data.snapshot_one(exchange, asked, "stocks")["symbol"] == "AAPL"


@pytest.mark.parametrize("location", ["us", "us-1", "us-2", "eu-1", "bs-1"])
def test_every_crypto_location_shows_the_one_market(running: Any, location: str) -> None:
    def found(where: str, path: str) -> Any:
        answer = requests.get(
            f"{running.url}/v1beta3/crypto/{where}/{path}",
            params={"symbols": "BTC/USD", "timeframe": "1Hour", "start": "2026-11-18", "end": "2026-11-19"},
            timeout=300,
        )
        return answer.status_code, answer.json()

    assert found(location, "bars") == found("us", "bars")
    assert found(location, "latest/bars")[0] == 200
    assert found("mars", "bars") == (400, {"message": "invalid location: mars"})


def test_there_are_no_news(exchange: Exchange) -> None:
    nothing = {"news": [], "next_page_token": None}
    assert market_data.news({}) == market_data.news({"symbols": "AAPL", "limit": "50", "sort": "asc"}) == nothing
    for wrong in ({"limit": "51"}, {"sort": "up"}, {"start": "soon"}, {"include_content": "maybe"}):
        with pytest.raises(ApiError) as caught:
            market_data.news(wrong)
        assert caught.value.status == 400
    assert exchange.account()["pending_transfer_out"] == "0"
