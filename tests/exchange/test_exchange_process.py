"""The server as a process: restarts, kills, locks, keys, limits, and requests that nobody should send."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import ExchangeUnavailable, RunningExchange, open_exchange, start_exchange

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
ORDER = {"symbol": "KO", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}
SERVE = """
import sys
from pathlib import Path
from rebalancer.exchange.starter import ExchangeOptions, serve
sys.exit(serve(ExchangeOptions(state=Path(sys.argv[1]), rate_limit_per_minute=0)))
"""


def call(url: str, method: str = "GET", **extra: Any) -> requests.Response:
    headers = {**KEYS, **extra.pop("headers", {})}
    return requests.request(method, url, headers=headers, timeout=300, **extra)


@contextmanager
def served(state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A foreground exchange in a process of its own; the state is laid out here, which is quicker."""
    if not state.exists():
        open_exchange(ExchangeOptions(state=state)).close()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("exchange listening on http://127.0.0.1:")
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.communicate()


def test_a_restart_resumes_the_clock_and_the_state(tmp_path: Path) -> None:
    options = ExchangeOptions(state=tmp_path / "state.db", holdings="starter", rate_limit_per_minute=0)
    with start_exchange(options) as first:
        call(f"{first.url}/v2/orders", "POST", json={**ORDER, "client_order_id": "kept"})
        first.clock.advance(3600)
        before = call(f"{first.url}/v2/positions").json()
        stopped = first.clock
    with start_exchange(options._replace(cash=Decimal(5), seed=99)) as second:
        assert 0 <= (second.clock.now() - stopped.now()).total_seconds() + 5 < 5
        assert second.clock.now() >= datetime(2026, 11, 20, 16, 5, tzinfo=UTC)
        after = call(f"{second.url}/v2/positions").json()
        assert [(p["symbol"], p["qty"], p["cost_basis"]) for p in after] == [
            (p["symbol"], p["qty"], p["cost_basis"]) for p in before
        ]
        assert call(f"{second.url}/v2/orders:by_client_order_id?client_order_id=kept").json()["status"] == "filled"


def test_a_stopped_clock_resumes_exactly_where_it_stopped(tmp_path: Path) -> None:
    options = ExchangeOptions(state=tmp_path / "state.db", speed=0)
    first = open_exchange(options)
    first.clock.advance(1234.567891)
    first.close()
    stopped = datetime(2026, 11, 20, 15, 25, 34, 567891, tzinfo=UTC)
    for start, resumed in ((None, stopped), (datetime(2026, 1, 5, tzinfo=UTC), stopped)):
        again = open_exchange(options._replace(start=start))
        assert again.clock.now() == resumed
        again.close()
    later = open_exchange(options._replace(start=datetime(2026, 12, 1, 16, tzinfo=UTC)))
    assert later.clock.now() == datetime(2026, 12, 1, 16, tzinfo=UTC)
    later.close()


def test_after_a_kill_the_clock_resumes_later_than_anything_seen(tmp_path: Path) -> None:
    """The running clock is saved once a second, so the last reading may be up to that much later than the file says."""
    options = ExchangeOptions(state=tmp_path / "state.db")
    killed = open_exchange(options)
    killed.store.close()  # what a kill leaves behind: no orderly stop
    again = open_exchange(options)
    assert (again.clock.now() - datetime(2026, 11, 20, 15, 5, tzinfo=UTC)).total_seconds() >= 2
    again.close()


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    acknowledged = []
    with served(state) as (process, url), requests.Session() as session:
        for number in range(60):
            body = {**ORDER, "client_order_id": f"k{number}"}
            answer = session.post(f"{url}/v2/orders", json=body, headers=KEYS, timeout=300)
            acknowledged.append(answer.json()["id"])
        seen = parsedate_to_datetime(answer.headers["Date"])
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with served(state) as (_, url):
        listed = call(f"{url}/v2/orders?status=all&limit=500&direction=asc")
        assert [row["id"] for row in listed.json()] == acknowledged
        assert parsedate_to_datetime(listed.headers["Date"]) >= seen
        duplicate = call(f"{url}/v2/orders", "POST", json={**ORDER, "client_order_id": "k59"})
        assert (duplicate.status_code, duplicate.json()["message"]) == (422, "client_order_id must be unique")
    exchange = open_exchange(ExchangeOptions(state=state))
    exchange.clock.advance(60)
    exchange.catch_up()
    exchange.books.ledger.audit()
    assert exchange.books.held("KO") == 60
    exchange.close()


def test_sigterm_ends_the_foreground_server_cleanly(tmp_path: Path) -> None:
    with served(tmp_path / "state.db") as (process, _):
        process.terminate()
        assert process.wait(300) == 0


def test_a_second_exchange_on_the_same_state_is_refused(tmp_path: Path) -> None:
    options = ExchangeOptions(state=tmp_path / "state.db")
    with start_exchange(options), pytest.raises(ExchangeUnavailable, match=r"state\.db is in use by another exchange"):
        start_exchange(options)
    start_exchange(options).stop()


def test_a_taken_port_is_refused(running: RunningExchange) -> None:
    port = int(running.url.rpartition(":")[2])
    with pytest.raises(ExchangeUnavailable, match="choose another --port"):
        start_exchange(ExchangeOptions(port=port))


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look like one" * 40, "other"])
def test_a_foreign_state_file_is_refused_and_left_alone(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "state.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        import sqlite3

        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE theirs (x)")
        db.close()
    before = path.read_bytes()
    with pytest.raises(ExchangeUnavailable, match=r"state\.db"):
        start_exchange(ExchangeOptions(state=path))
    assert path.read_bytes()[100:] == before[100:]


@pytest.mark.parametrize(
    "changes",
    [
        {"start": datetime(2010, 1, 4, tzinfo=UTC)},
        {"start": datetime(2033, 1, 4, tzinfo=UTC)},
        {"cash": Decimal("NaN")},
        {"cash": Decimal("1.234")},
        {"multiplier": 3},
        {"speed": -1.0},
        {"partial_fill_probability": 2.0},
    ],
)
def test_impossible_options_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"outside|not|negative"):
        start_exchange(ExchangeOptions()._replace(**changes))


def test_a_restart_needs_no_pandas(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    open_exchange(ExchangeOptions(state=state)).close()
    script = (
        "import sys; from pathlib import Path; from rebalancer.exchange.starter import *\n"
        f"start_exchange(ExchangeOptions(state=Path({str(state)!r}))).stop()\n"
        "print([name for name in ('pandas', 'pydantic', 'alpaca', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("start", "opened"),
    [
        ("2026-11-20T15:05:00", "2026-11-20T15:05:00"),
        ("2026-11-20T20:31:00", "2026-11-23T15:05:00"),
        ("2026-11-20T14:00:00", "2026-11-20T15:05:00"),
        ("2026-11-27T17:29:00", "2026-11-27T17:29:00"),  # half day: closes at 18:00 UTC
        ("2026-11-27T17:31:00", "2026-11-30T15:05:00"),
    ],
)
def test_open_session_jumps_only_when_needed(start: str, opened: str) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    exchange = open_exchange(ExchangeOptions(start=moment, open_session=True, speed=0))
    assert exchange.clock.now() == datetime.fromisoformat(opened).replace(tzinfo=UTC)


def test_every_answer_carries_the_simulated_date(running: RunningExchange) -> None:
    running.clock.advance(86_400 * 3)
    for path in ("/v2/clock", "/v2/nowhere", "/v2/orders/nonsense", "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD"):
        answer = call(running.url + path)
        assert (parsedate_to_datetime(answer.headers["Date"]) - running.clock.now()).total_seconds() < 5
        assert answer.headers["Date"].startswith("Mon, 23 Nov 2026 15:0")


def test_keys() -> None:
    with start_exchange(ExchangeOptions(key="right", secret="word")) as server:
        url = f"{server.url}/v2/account"
        right = {"APCA-API-KEY-ID": "right", "APCA-API-SECRET-KEY": "word"}
        answers = [
            requests.get(url, timeout=300),
            requests.get(url, headers={**right, "APCA-API-SECRET-KEY": "wörd".encode()}, timeout=300),
            requests.get(url, headers={"Authorization": "Basic !!!"}, timeout=300),
            requests.get(f"{server.url}/v2/stocks/snapshots?symbols=AAPL", timeout=300),
            requests.get(url, headers=right, timeout=300),
            requests.get(url, auth=("right", "word"), timeout=300),
            requests.get(f"{server.url}/v1beta3/crypto/us/snapshots?symbols=BTC/USD", timeout=300),
        ]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 200, 200, 200]
        assert answers[0].json() == {"message": "unauthorized."}


def test_the_rate_limit_counts_trading_calls() -> None:
    with start_exchange(ExchangeOptions(rate_limit_per_minute=3)) as server:
        answers = [call(f"{server.url}/v2/clock") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers.get("X-Ratelimit-Remaining") for answer in answers] == ["2", "1", "0", "0"]
        assert answers[0].headers["X-Ratelimit-Limit"] == "3"
        assert answers[3].json() == {"code": 42910000, "message": "rate limit exceeded"}
        assert call(f"{server.url}/v2/stocks/snapshots?symbols=AAPL").status_code == 200


NONSENSE = [
    (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b'"x"', 400), (b"{}", 422), (b"\xff\xfe", 400),
    (b'{"qty": NaN}', 400), (b'{"qty": Infinity}', 400), (b"[" * 100_000, 400), (b'{"qty": ' + b"9" * 5000 + b"}", 400),
    (json.dumps({**ORDER, "client_order_id": "\ud800"}).encode(), 400),
    (json.dumps({**ORDER, "symbol": "\x00" * 50}).encode(), 422),
    (json.dumps({**ORDER, "side": ["buy"]}).encode(), 400), (json.dumps({**ORDER, "qty": {}}).encode(), 400),
    (json.dumps({**ORDER, "extended_hours": "yes"}).encode(), 400),
    (json.dumps({**ORDER, "qty": None, "notional": 1e11}).encode(), 403),
    (b"{" + b" " * (1024 * 1024) + b"}", 413),
]  # fmt: skip


def test_malformed_requests_get_a_4xx_and_change_nothing(running: RunningExchange) -> None:
    with requests.Session() as session:
        session.headers.update(KEYS)
        before = session.get(f"{running.url}/v2/positions", timeout=300).text.count("symbol")
        answers = [session.post(f"{running.url}/v2/orders", data=body, timeout=300) for body, _ in NONSENSE]
        assert [answer.status_code for answer in answers] == [status for _, status in NONSENSE]
        assert all(set(answer.json()) >= {"code", "message"} for answer in answers)
        for path in (
            "/v2/orders?limit=abc", "/v2/orders?status=weird", "/v2/orders?after=0001-01-01T00:00:00%2B23:59",
            "/v2/orders/%00", "/v2/positions/../account/x", "/v2/account/activities?page_token=%FF", "/v2//orders",
            "/v2/calendar?start=9999-99-99", "/v2/orders?limit=99999999999999999999", "/v2/positions/BTC/USD",
            "/v2/stocks/bars?symbols=AAPL&timeframe=1Min&page_token=AAAA", "/v2/stocks/bars?symbols=AAPL",
            "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=0001-01-01&end=0001-01-02&page_token=QUFQTHx4",
        ):  # fmt: skip
            assert 400 <= session.get(running.url + path, timeout=300).status_code < 500, path
        for method, path in (("PUT", "/v2/orders"), ("PUT", "/v2/orders/x"), ("DELETE", "/v2/account")):
            answer = session.request(method, running.url + path, timeout=300)
            assert (answer.status_code, answer.json()) == (405, {"code": 40510000, "message": "method not allowed"})
        assert session.get(f"{running.url}/v2/positions", timeout=300).text.count("symbol") == before
        assert session.get(f"{running.url}/v2/orders", timeout=300).json() == []


@pytest.mark.parametrize("start", ["0001-01-01", "9999-12-31", "1970-01-01T00:00:00Z", "2199-01-01"])
def test_far_away_times_are_answered(running: RunningExchange, start: str) -> None:
    for path in (
        f"/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start={start}&limit=5",
        f"/v1beta3/crypto/us/bars?symbols=BTC/USD&timeframe=1Day&start={start}&limit=5",
        f"/v2/calendar?start={start}",
        f"/v2/orders?after={start}&until={start}",
        f"/v2/account/activities?after={start}&date={start[:10]}",
    ):
        assert call(running.url + path).status_code == 200, path


def test_the_request_log_counts_calls(running: RunningExchange) -> None:
    call(f"{running.url}/v2/clock")
    call(f"{running.url}/v2/orders", "DELETE")
    assert list(running.request_log) == [("GET", "/v2/clock"), ("DELETE", "/v2/orders")]
