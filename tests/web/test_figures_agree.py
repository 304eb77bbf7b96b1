"""What the API says of the account is what `status` says, and nothing is said before there is something."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rebalancer.journal import Journal
from tests.web.conftest import Server, command, project_in, start


def test_the_status_of_the_api_is_that_of_the_command(server: Server) -> None:
    """Also after the close, whose value is newer than that of the last cycle."""
    with Journal.open(server.state / "journal.sqlite") as journal:
        (account,) = {cycle.account_id for cycle in journal.cycles(None, 10)}
        body = {"equity": "123456.78", "cash": "2345.67", "last_equity": "100000"}
        journal.record_events(account, None, journal.latest_events(1)[0].at, [("account", None, body)])
    shown = json.loads(command(server.state.parents[2], "status", "--json").stdout)
    status = server.ask("GET", "/api/v1/trading/status").json()
    assert (status["portfolio_value"], status["cash"]) == ("123456.78", "2345.67")
    assert (status["portfolio_value"], status["cash"]) == (shown["equity"], shown["cash"])
    figures = {name.partition("@")[0]: one["value"] for name, one in shown["figures"].items()}
    assert (status["portfolio_value"], status["cash"]) == (figures["equity"], figures["cash"])
    assert "rebalancer_equity_dollars 123456.78\n" in server.ask("GET", "/metrics").text


@pytest.fixture
def unwritten(tmp_path: Path) -> Iterator[Server]:
    """A server beside a journal that is just being created: the file is a database, its tables are not there yet."""
    state = project_in(tmp_path)
    with closing(sqlite3.connect(state / "journal.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("VACUUM")
    running = start(tmp_path, state)
    yield running
    assert running.stop() == 0


def test_a_journal_that_is_being_created_is_read_as_none(unwritten: Server) -> None:
    assert (unwritten.state / "journal.sqlite").stat().st_size > 0
    found = {
        path: unwritten.ask("GET", path)
        for path in ("/api/v1/trading/status", "/api/v1/positions", "/api/v1/orders", "/api/v1/cycles", "/health")
    }
    assert {path: answer.status_code for path, answer in found.items()} == dict.fromkeys(found, 200)
    status = found["/api/v1/trading/status"].json()
    assert status == dict.fromkeys(status) | {"mode": "simulated"}
    assert found["/api/v1/positions"].json() == {"as_of": None, "positions": []}
    assert (found["/api/v1/orders"].json(), found["/api/v1/cycles"].json()) == ({"orders": []}, {"cycles": []})
    assert unwritten.ask("GET", "/api/v1/cycles/x").status_code == 404
    assert unwritten.ask("GET", "/api/v1/explain/AAPL").status_code == 404
    assert unwritten.ask("GET", "/api/v1/health/readiness").status_code == 200
    assert "rebalancer_up 1.0\n" in unwritten.ask("GET", "/metrics").text
