"""The admin port: time, a human's hand, halts and transfers; and that nothing of it is on the trading port."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import ExchangeUnavailable, RunningExchange, start_exchange

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
BUY = {"symbol": "KO", "qty": 2, "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture(scope="module")
def still() -> Iterator[RunningExchange]:
    options = ExchangeOptions(rate_limit_per_minute=0, speed=0, partial_fill_probability=0, admin_port=0)
    with start_exchange(options) as server:
        yield server


def ask(server: RunningExchange, path: str) -> Any:
    return requests.get(server.url + path, headers=KEYS, timeout=300).json()


def admin(server: RunningExchange, path: str, body: object) -> requests.Response:
    return requests.post(f"{server.admin_url}/sim/{path}", json=body, timeout=300)


def test_a_trading_day_passes_in_two_calls(still: RunningExchange) -> None:
    assert ask(still, "/v2/clock")["is_open"] is True
    order = requests.post(
        f"{still.url}/v2/orders", json={**BUY, "type": "limit", "limit_price": "1.01"}, headers=KEYS, timeout=20
    ).json()
    assert admin(still, "clock", {"to": "2026-11-20T21:00:00Z"}).json()["session_open"] is False
    assert ask(still, f"/v2/orders/{order['id']}")["status"] == "expired"
    assert admin(still, "clock", {"to": "2026-11-23T14:30:00Z"}).json()["session_open"] is True
    assert ask(still, "/v2/clock")["timestamp"] == "2026-11-23T09:30:00-05:00"
    state = admin(still, "clock", {"advance_seconds": 90.5}).json()
    assert state["now"] == "2026-11-23T14:31:30.500000Z"


def test_speed_changes_on_the_way(still: RunningExchange) -> None:
    before = still.clock.now()
    assert admin(still, "clock", {"speed": 100_000}).json()["speed"] == 100_000
    while (still.clock.now() - before).total_seconds() < 60:
        pass
    assert admin(still, "clock", {"speed": 0}).json()["speed"] == 0
    stopped = still.clock.now()
    ask(still, "/v2/clock")
    assert still.clock.now() == stopped


def test_a_humans_trade_and_cancellation(still: RunningExchange) -> None:
    placed = admin(still, "trade", {**BUY, "client_order_id": "by-hand", "type": "limit", "limit_price": "1.01"})
    assert placed.status_code == 200
    still.clock.advance(1)
    assert [one["client_order_id"] for one in ask(still, "/v2/orders")] == ["by-hand"]
    assert admin(still, "cancel", {"client_order_id": "by-hand"}).json()["status"] == "pending_cancel"
    still.clock.advance(1)
    assert ask(still, "/v2/orders") == []
    assert admin(still, "cancel", {"client_order_id": "nobody"}).status_code == 404
    assert admin(still, "trade", {**BUY, "symbol": "NOPE"}).json()["code"] == 42210000


def test_a_halt_freezes_prices_and_fills(still: RunningExchange) -> None:
    admin(still, "clock", {"to": "2026-11-24T15:00:00Z"})
    assert admin(still, "halt", {"symbol": "KO"}).json() == {"halted": ["KO"]}
    order = admin(still, "trade", BUY).json()
    quote = ask(still, "/v2/stocks/quotes/latest?symbols=KO")["quotes"]["KO"]
    admin(still, "clock", {"advance_seconds": 600})
    assert ask(still, "/v2/stocks/quotes/latest?symbols=KO")["quotes"]["KO"] == quote
    assert ask(still, f"/v2/orders/{order['id']}")["status"] == "accepted"
    assert requests.get(f"{still.admin_url}/sim/state", timeout=300).json()["halted"] == ["KO"]
    assert admin(still, "halt", {"symbol": "KO", "halted": False}).json() == {"halted": []}
    admin(still, "clock", {"advance_seconds": 1})
    filled = ask(still, f"/v2/orders/{order['id']}")
    assert (filled["status"], filled["filled_at"] >= "2026-11-24T15:10:00") == ("filled", True)
    bars = "/v2/stocks/bars?symbols=KO&timeframe=1Min&start=2026-11-24T14:58:00Z&end=2026-11-24T15:12:00Z"
    admin(still, "clock", {"to": "2026-11-24T15:13:00Z"})
    found = {one["t"][11:16]: one["n"] for one in ask(still, bars)["bars"]["KO"]}
    assert found == {"14:58": 4, "14:59": 4, "15:00": 1, "15:10": 4, "15:11": 4, "15:12": 4}  # one before the halt


def test_a_halted_order_can_be_cancelled_and_expires(still: RunningExchange) -> None:
    admin(still, "halt", {"symbol": "GE"})
    first, second = (admin(still, "trade", {**BUY, "symbol": "GE", "qty": 1}).json()["id"] for _ in range(2))
    admin(still, "clock", {"advance_seconds": 5})
    requests.delete(f"{still.url}/v2/orders/{first}", headers=KEYS, timeout=300)
    admin(still, "clock", {"advance_seconds": 8 * 3600})
    states = [ask(still, f"/v2/orders/{one}")["status"] for one in (first, second)]
    assert states == ["canceled", "expired"]
    admin(still, "halt", {"symbol": "GE", "halted": False})


def test_halts_survive_a_restart(tmp_path: Any) -> None:
    options = ExchangeOptions(state=tmp_path / "s.db", admin_port=0)
    with start_exchange(options) as server:
        admin(server, "halt", {"symbol": "KO"})
    with start_exchange(options) as server:
        assert server.exchange.market.halts.halted(server.clock.micros()) == ["KO"]


def test_transfers(still: RunningExchange) -> None:
    before = ask(still, "/v2/account")["cash"]
    assert admin(still, "deposit", {"amount": "1000.50"}).status_code == 200
    assert admin(still, "deposit", {"amount": 1000.5}).status_code == 200
    assert admin(still, "deposit", {"amount": "-2001"}).status_code == 200
    assert ask(still, "/v2/account")["cash"] == before
    rows = ask(still, "/v2/account/activities?activity_types=CSD,CSW")
    assert sorted(row["net_amount"] for row in rows) == ["-2001", "1000.5", "1000.5", "100000"]
    assert {row["activity_type"] for row in rows if row["net_amount"] == "-2001"} == {"CSW"}
    still.exchange.books.ledger.audit()


def test_faults_come_and_go(still: RunningExchange) -> None:
    rule = {"name": "gone", "kind": "http_error", "request": "GET /v2/account", "times": 1}
    assert admin(still, "faults", {"seed": 4, "rules": [rule]}).json() == [
        {"name": "gone", "kind": "http_error", "matched": 0, "fired": 0}
    ]
    url = f"{still.url}/v2/account"
    assert [requests.get(url, headers=KEYS, timeout=300).status_code for _ in range(2)] == [502, 200]
    assert requests.get(f"{still.admin_url}/sim/faults", timeout=300).json()[0]["matched"] == 2
    assert requests.delete(f"{still.admin_url}/sim/faults", timeout=300).status_code == 204
    assert requests.get(f"{still.admin_url}/sim/faults", timeout=300).json() == []


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("clock", {}, "give advance_seconds or to"),
        ("clock", {"advance_seconds": -1}, "-1 is not a number of seconds"),
        ("clock", {"advance_seconds": "5"}, "is not a number"),
        ("clock", {"to": "2020-01-01T00:00:00Z"}, "is not an RFC 3339 time from"),
        ("clock", {"to": "2033-01-01T00:00:00Z"}, "outside the exchange's calendar"),
        ("clock", {"advance_seconds": 1, "to": "2027-01-01T00:00:00Z"}, "give advance_seconds or to"),
        ("clock", {"speed": -1}, "speed: -1 is not"),
        ("clock", {"seconds": 1}, "seconds: is not known here"),
        ("halt", {"symbol": "NOPE"}, "'NOPE' is not listed"),
        ("halt", {"symbol": "KO", "halted": 1}, "is not true or false"),
        ("deposit", {"amount": "1.234"}, "is not an amount"),
        ("deposit", {"amount": "NaN"}, "is not an amount"),
        ("deposit", {"amount": 0}, "is not an amount"),
        ("deposit", {"amount": "-100000000"}, "there is only"),
        ("cancel", {}, "give order_id or client_order_id"),
        ("faults", {"rules": [{"kind": "hang", "second": 1}]}, "rules[0].second: is not known here"),
    ],
)
def test_mistakes_are_explained(still: RunningExchange, path: str, body: dict[str, Any], words: str) -> None:
    before = still.clock.now()
    answer = admin(still, path, body)
    assert answer.status_code == 422
    assert words in answer.json()["message"]
    assert still.clock.now() == before


def test_only_programs_of_this_machine_may_call(still: RunningExchange) -> None:
    url = f"{still.admin_url}/sim/clock"
    for host in ("evil.example", "127.0.0.1.evil.example", "user@127.0.0.1", ""):
        answer = requests.post(url, json={"advance_seconds": 1}, headers={"Host": host}, timeout=300)
        assert answer.status_code in (400, 403), host
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert (
            requests.post(url, data='{"advance_seconds": 1}', headers={"Content-Type": kind}, timeout=300).status_code
            == 415
        )
    assert str(still.admin_url).startswith("http://127.0.0.1:")


def test_nothing_of_it_is_on_the_trading_port(still: RunningExchange) -> None:
    for path in ("state", "clock", "faults", "trade", "halt", "deposit", "cancel"):
        for method in ("GET", "POST", "DELETE"):
            answer = requests.request(method, f"{still.url}/sim/{path}", json={}, headers=KEYS, timeout=300)
            assert answer.status_code == 404, (method, path)
    assert requests.get(f"{still.admin_url}/v2/account", headers=KEYS, timeout=300).status_code == 404


def test_a_taken_admin_port_is_refused(still: RunningExchange) -> None:
    port = int(str(still.admin_url).rpartition(":")[2])
    with pytest.raises(ExchangeUnavailable, match="choose another --admin-port"):
        start_exchange(ExchangeOptions(admin_port=port))
    with start_exchange(ExchangeOptions()) as server:
        assert server.admin_url is None


# --- from the command line


def served(*options: str) -> subprocess.Popen[str]:
    script = "from rebalancer.cli.main import main; main()"
    command = [sys.executable, "-c", script, "exchange", "serve", "--port", "0", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_command_serves_replay_faults_and_admin_port(tmp_path: Path) -> None:
    (tmp_path / "ACME.csv").write_text("timestamp,open,high,low,close\n2025-03-10T13:30:00Z,10,11,9,10.5\n")
    faults = tmp_path / "faults.yaml"
    faults.write_text("rules:\n- {kind: http_error, request: GET /v2/clock, times: 1}\n")
    process = served("--replay", str(tmp_path), "--faults", str(faults), "--admin-port", "0", "--speed", "0")
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(2)]
        assert [line[:-1] for line in lines] == [["exchange", "listening", "on"], ["admin", "port", "on"]]
        url, port = lines[0][-1], lines[1][-1]
        assert requests.get(f"{port}/sim/state", timeout=300).json()["now"] == "2025-03-10T13:30:00Z"
        codes = [requests.get(f"{url}/v2/clock", headers=KEYS, timeout=300).status_code for _ in range(2)]
        assert codes == [502, 200]
    finally:
        process.terminate()
        process.communicate()


def test_the_command_explains_a_bad_file(tmp_path: Path) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("rules:\n- kind: explode\n")
    process = served("--faults", str(faults))
    _, words = process.communicate(timeout=600)
    assert process.returncode == 78
    assert f"{faults}:2: rules[0].kind: 'explode' is not a kind of fault" in words
