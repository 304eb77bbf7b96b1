"""Locates as Alpaca's file of June 2026 describes them: objects, filters, pages, refusals, and their trading date."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests

from rebalancer.exchange import locates
from rebalancer.exchange.borrow_plan import BorrowChange
from rebalancer.exchange.borrowing import schedule_borrowing
from rebalancer.exchange.calendar import new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.starter import RunningExchange
from tests.exchange.helpers import DAY, HOUR, Row, refused, send

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


def bought(exchange: Exchange, qty: int = 100, **more: object) -> Row:
    return locates.locate(exchange, {"symbol": "AMC", "qty": qty, **more})


def price(exchange: Exchange) -> str:
    (row,) = locates.quotes(exchange, {"symbols": "AMC"})["quotes"]  # type: ignore[misc] # one row
    return str(row["price"])


def test_quotes_and_why_there_are_none(exchange: Exchange) -> None:
    assert locates.quotes(exchange, {"symbols": "AMC, AAPL,AMC,ZZZZ,TWTR,BTC/USD"}) == {
        "quotes": [
            {"symbol": "AMC", "price": price(exchange), "available_qty": 10_000, "quoted_at": "2026-11-20T15:05:00Z"}
        ],
        "errors": [
            {
                "symbol": "AAPL",
                "code": "easy_to_borrow",
                "message": "security is easy-to-borrow and does not require a locate",
            },
            {"symbol": "ZZZZ", "code": "symbol_not_found", "message": "symbol not found"},
            {"symbol": "TWTR", "code": "symbol_not_found", "message": "symbol not found"},
            {"symbol": "BTC/USD", "code": "symbol_not_found", "message": "symbol not found"},
        ],
    }
    for symbols in ("", ",", ",".join(f"S{number}" for number in range(101))):
        assert refused(lambda symbols=symbols: locates.quotes(exchange, {"symbols": symbols})) == (
            400, "invalid_symbols", "symbols must contain 1 to 100 unique symbols",
        )  # fmt: skip


def test_a_locate_and_the_rejected_ones(exchange: Exchange) -> None:
    fee = Decimal(price(exchange))
    found = bought(exchange, 200, limit_price="1.5", all_or_none=True)
    assert found == {
        "id": found["id"],
        "symbol": "AMC",
        "requested_qty": 200,
        "limit_price": "1.5",
        "all_or_none": True,
        "status": "active",
        "created_at": "2026-11-20T15:05:00Z",
        "located_qty": 200,
        "located_price": str(fee),
        "total_fee": format((fee * 200).normalize(), "f"),
        "expires_at": "2026-11-21T01:00:00Z",
    }
    part = bought(exchange, 10_100)
    assert (part["requested_qty"], part["located_qty"], part["limit_price"]) == (10_100, 10_000, None)
    cash = exchange.account()["cash"]
    dear = bought(exchange, limit_price="0.00001")
    assert dear == {
        "id": dear["id"],
        "symbol": "AMC",
        "requested_qty": 100,
        "limit_price": "0.00001",
        "all_or_none": False,
        "status": "rejected",
        "rejection_reason": "limit_price_exceeded",
        "created_at": "2026-11-20T15:05:00Z",
    }
    whole = bought(exchange, 10_100, all_or_none=True)
    assert (whole["status"], whole["rejection_reason"]) == ("rejected", "inventory_unavailable")
    assert exchange.account()["cash"] == cash
    assert [locates.get_locate(exchange, str(row["id"])) for row in (found, part, dear, whole)] == [
        found, part, dear, whole,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_request_body"),
        ({"symbol": "AMC"}, 400, "invalid_request_body"),
        ({"symbol": 7, "qty": 100}, 400, "invalid_request_body"),
        ({"symbol": "AMC", "qty": "100"}, 400, "invalid_request_body"),
        ({"symbol": "AMC", "qty": True}, 400, "invalid_request_body"),
        ({"symbol": "AMC", "qty": Decimal("100.0")}, 400, "invalid_request_body"),
        ({"symbol": "AMC", "qty": 100, "all_or_none": "yes"}, 400, "invalid_request_body"),
        ({"symbol": "AMC", "qty": 150}, 400, "invalid_input"),
        ({"symbol": "AMC", "qty": 0}, 400, "invalid_input"),
        ({"symbol": "AMC", "qty": -100}, 400, "invalid_input"),
        ({"symbol": "AMC", "qty": 100, "limit_price": 1}, 400, "invalid_limit_price"),
        ({"symbol": "AMC", "qty": 100, "limit_price": "1e1"}, 400, "invalid_limit_price"),
        ({"symbol": "AAPL", "qty": 100}, 422, "easy_to_borrow"),
        ({"symbol": "ZZZZ", "qty": 100}, 422, "symbol_not_found"),
    ],
)
def test_refusals(exchange: Exchange, body: Row, status: int, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        locates.locate(exchange, body)
    assert (caught.value.status, caught.value.body["code"]) == (status, code)
    assert locates.listed(exchange, {}) == {"locates": [], "next_page_token": None}


def test_without_the_money_there_is_no_locate(exchange: Exchange) -> None:
    send(exchange, notional="99900", qty=None)
    exchange.clock.advance(1)
    send(exchange, notional="94000", qty=None, symbol="MSFT")
    exchange.clock.advance(1)
    while Decimal(str(exchange.account()["buying_power"])) > 2 * 10_000 * Decimal(price(exchange)):
        bought(exchange, 10_000)
    with pytest.raises(ApiError) as caught:
        bought(exchange, 10_000)
    assert (caught.value.status, caught.value.body) == (
        422, {"code": "insufficient_buying_power", "message": "insufficient buying power to cover locate fee"},
    )  # fmt: skip


def test_a_locate_lives_until_eight_in_the_evening(exchange: Exchange) -> None:
    """Friday 10:05: the date rolls at 20:00, and what is bought then is Saturday's."""
    day = bought(exchange)
    exchange.clock.advance(10 * HOUR)
    evening = bought(exchange)
    assert (day["expires_at"], evening["expires_at"]) == ("2026-11-21T01:00:00Z", "2026-11-22T01:00:00Z")
    shown = locates.listed(exchange, {})["locates"]
    assert shown == [evening, {**day, "status": "expired"}]
    for query, rows in (
        ({"status": "active"}, [evening]),
        ({"status": "expired"}, [{**day, "status": "expired"}]),
        ({"status": "rejected"}, []),
        ({"symbol": "AMC"}, shown),
        ({"symbol": "KO"}, []),
        ({"start": "2026-11-21"}, [evening]),
        ({"end": "2026-11-21"}, [{**day, "status": "expired"}]),
        ({"start": "2026-11-20", "end": "2026-11-20"}, []),
    ):
        assert locates.listed(exchange, query) == {"locates": rows, "next_page_token": None}, query
    assert send(exchange, "sell", "AMC", qty="60")["status"] == "accepted"  # queued, and located for today


def test_pages(exchange: Exchange) -> None:
    for _ in range(5):
        exchange.clock.advance(1)
        bought(exchange)
    whole = locates.listed(exchange, {})["locates"]
    assert isinstance(whole, list)
    assert [row["created_at"] for row in whole] == sorted((row["created_at"] for row in whole), reverse=True)
    seen: list[Row] = []
    query: dict[str, str] = {"limit": "2"}
    for size in (2, 2, 1):
        page = locates.listed(exchange, query)
        assert isinstance(page["locates"], list)
        assert len(page["locates"]) == size
        seen += page["locates"]
        query = {**query, "page_token": str(page["next_page_token"])}
    assert (seen, page["next_page_token"]) == (whole, None)


@pytest.mark.parametrize(
    "query",
    [{"status": "filled"}, {"limit": "0"}, {"limit": "10001"}, {"limit": "x"}, {"start": "soon"}, {"page_token": "%"},
     {"page_token": "eA=="}],
)  # fmt: skip
def test_wrong_filters(exchange: Exchange, query: dict[str, str]) -> None:
    with pytest.raises(ApiError) as caught:
        locates.listed(exchange, query)
    assert (caught.value.status, caught.value.body["code"]) == (400, "invalid_input")


def test_what_is_not_there(exchange: Exchange) -> None:
    for identity, status, body in (
        ("00000000-0000-4000-8000-000000000000", 404, {"message": "locate not found"}),
        ("7", 400, {"code": "invalid_input", "message": "invalid input: locate_id is not a UUID"}),
    ):
        with pytest.raises(ApiError) as caught:
            locates.get_locate(exchange, identity)
        assert (caught.value.status, caught.value.body) == (status, body)


def test_a_name_that_has_become_hard_to_borrow_is_quoted(exchange: Exchange) -> None:
    tomorrow = new_york_day(exchange.clock.micros()) + 3
    schedule_borrowing(exchange, BorrowChange(tomorrow, "KO", False))
    exchange.clock.advance(3 * DAY)
    assert [row["symbol"] for row in locates.quotes(exchange, {"symbols": "KO"})["quotes"]] == ["KO"]  # type: ignore[attr-defined] # a list


def test_over_http(running: RunningExchange) -> None:
    url = f"{running.url}/v1/locates"
    made = requests.post(url, json={"symbol": "AMC", "qty": 100}, headers=KEYS, timeout=300)
    assert made.status_code == 201
    one = requests.get(f"{url}/{made.json()['id']}", headers=KEYS, timeout=300)
    assert (one.status_code, one.json()) == (200, made.json())
    for body in ("[1]", "{", ""):
        answer = requests.post(url, data=body, headers={**KEYS, "Content-Type": "application/json"}, timeout=300)
        assert (answer.status_code, answer.json()) == (
            400, {"code": "invalid_request_body", "message": "invalid request body"},
        )  # fmt: skip
