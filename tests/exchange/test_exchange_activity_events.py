"""Activities as server-sent events: everything that is listed, once, in order, again when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import requests

from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from rebalancer.exchange.streams.activity_events import ActivityEvents

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
DAY = 86_400.0


@pytest.fixture(scope="module")
def lived() -> Iterator[RunningExchange]:
    """An account with trades, a dividend, a split, a coin fee and charges; its clock stands still."""
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    options = ExchangeOptions(rate_limit_per_minute=0, speed=0, partial_fill_probability=0, charges=True)
    with start_exchange(options) as server:
        exchange = server.exchange
        order = {"side": "buy", "type": "market", "time_in_force": "day"}
        exchange.submit({**order, "symbol": "KO", "qty": "100"})
        exchange.submit({**order, "symbol": "AAPL", "qty": "3"})
        exchange.submit({**order, "symbol": "BTC/USD", "qty": "0.01", "time_in_force": "gtc"})
        exchange.clock.advance(1)
        exchange.submit({**order, "symbol": "AAPL", "side": "sell", "qty": "1"})
        announce_dividend(exchange, "KO", date(2026, 11, 23), date(2026, 11, 24), Decimal("0.51"))
        announce_split(exchange, "AAPL", date(2026, 11, 24), 4, 1)
        exchange.clock.advance(6 * DAY)
        exchange.catch_up()
        yield server
    patch.undo()


def told(running: RunningExchange, query: str) -> list[dict[str, Any]]:
    """All events of a stream with an end."""
    url = f"{running.url}/v2beta1/events/activities?{query}"
    with requests.get(url, headers=KEYS, timeout=300, stream=True) as answer:
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        lines = [line for line in answer.iter_lines(decode_unicode=True) if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


EVERYTHING = "since=2026-11-01&until=2026-11-26"


def test_every_listed_activity_is_one_event_in_order(lived: RunningExchange) -> None:
    listed = requests.get(
        f"{lived.url}/v2/account/activities", params={"direction": "asc"}, headers=KEYS, timeout=300
    ).json()
    events = told(lived, EVERYTHING)
    assert [(e["activity_type"], e["ref_id"], e.get("activity_subtype")) for e in events] == [
        (row["activity_type"], row["id"].rpartition("::")[2], row.get("activity_sub_type")) for row in listed
    ]
    assert {e["activity_type"] for e in events} == {"CSD", "FILL", "CFEE", "FEE", "DIV", "SPLIT"}
    ids = [e["event_id"] for e in events]
    assert ids == sorted(set(ids))


def test_what_an_event_says(lived: RunningExchange) -> None:
    events = told(lived, EVERYTHING)
    cash = sum(Decimal(e["net_amount"]) for e in events)
    account = requests.get(f"{lived.url}/v2/account", headers=KEYS, timeout=300).json()
    assert cash.quantize(Decimal("0.01")) == Decimal(account["cash"]).quantize(Decimal("0.01"))
    first = {e["activity_type"]: e for e in reversed(events)}
    fill = first["FILL"]
    order = requests.get(f"{lived.url}/v2/orders/{fill['details']['order_id']}", headers=KEYS, timeout=300).json()
    assert fill == {
        "event_id": fill["event_id"],
        "at": "2026-11-20T15:05:00.040000Z",
        "executed_at": "2026-11-20T15:05:00.040000Z",
        "activity_type": "FILL",
        "status": "executed",
        "currency": "USD",
        "ref_id": fill["ref_id"],
        "settle_date": "2026-11-23",
        "net_amount": format(-100 * Decimal(fill["price"]).normalize(), "f").rstrip("0").rstrip("."),
        "price": order["filled_avg_price"],
        "qty": "100",
        "details": {
            "order_id": order["id"],
            "side": "buy",
            "symbol": "KO",
            "leaves_qty": "0",
            "cum_qty": "100",
            "order_status": "filled",
            "asset_id": order["asset_id"],
            "client_order_id": order["client_order_id"],
            "execution_type": "fill",
        },
    }
    dividend, split = first["DIV"], first["SPLIT"]
    assert (dividend["net_amount"], dividend["settle_date"]) == ("51", "2026-11-24")
    assert dividend["details"] == {
        "system_date": "2026-11-24", "position_date": "2026-11-24", "ca_id": dividend["details"]["ca_id"],
        "symbol": "KO", "ex_date": "2026-11-23", "payable_date": "2026-11-24", "cusip": "", "foreign": False,
        "special": False, "rate": "0.51", "entitled_qty": "100", "cash_payout": "51",
    }  # fmt: skip
    assert split["details"] == {
        "system_date": "2026-11-24", "position_date": "2026-11-24", "ca_id": split["details"]["ca_id"],
        "symbol": "AAPL", "ex_date": "2026-11-24", "payable_date": split["details"]["payable_date"],
        "old_cusip": "", "new_cusip": "", "old_rate": "1", "new_rate": "4", "old_qty": "2", "new_qty": "8",
    }  # fmt: skip
    assert first["CSD"]["details"] == {"system_date": "2026-11-19"}
    assert first["CFEE"]["details"]["symbol"] in ("BTC/USD", "BTCUSD")


def test_parts_can_be_asked_for_again(lived: RunningExchange) -> None:
    whole = told(lived, EVERYTHING)
    third, fifth = whole[2]["event_id"], whole[4]["event_id"]
    assert told(lived, f"since_id={third}&until_id={fifth}") == whole[3:5]
    assert told(lived, f"since_id={whole[-1]['event_id']}&until=2026-11-26") == []
    assert told(lived, f"since={whole[3]['at']}&until_id={fifth}") == [
        e for e in whole[:5] if e["at"] >= whole[3]["at"]
    ]
    assert told(lived, "since=2026-11-01&until=2026-11-02") == []


@pytest.mark.parametrize("page", [1, 2, 3])
def test_the_size_of_a_page_changes_nothing(lived: RunningExchange, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebalancer.exchange.streams.activity_events._PAGE", page)
    events = ActivityEvents(lived.exchange)
    with lived.exchange.reading():
        seen, place = [], (0, 0)
        while found := events.after(place):
            seen += [event.id for event in found]
            place = found[-1].place
        assert events.after(events.last()) == []
    assert seen == [event["event_id"] for event in told(lived, EVERYTHING)]


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "since_id=ABC", "until=2026-11-20", "since=2026-11-20&since_id=01HCNKR9DFTX0HR6RMPXKV8KEK"],
)
def test_refusals(lived: RunningExchange, query: str) -> None:
    answer = requests.get(f"{lived.url}/v2beta1/events/activities?{query}", headers=KEYS, timeout=300)
    assert (answer.status_code, answer.json()["code"]) == (422, 40010001)


def test_what_happens_now_is_told_and_nothing_of_before() -> None:
    with start_exchange(ExchangeOptions(rate_limit_per_minute=0, speed=0, partial_fill_probability=0)) as server:
        url = f"{server.url}/v2beta1/events/activities"
        with requests.get(url, headers=KEYS, timeout=300, stream=True) as answer:
            lines = answer.iter_lines(decode_unicode=True)
            assert next(lines) == ": welcome"
            body = {"symbol": "KO", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
            server.exchange.submit(body)
            server.clock.advance(1)
            line = next(line for line in lines if line.startswith("data: "))
    assert json.loads(line.removeprefix("data: "))["activity_type"] == "FILL"
