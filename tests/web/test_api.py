"""What the routes answer, on a real journal; and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rebalancer.client import ApiClient, RequestRefused
from rebalancer.core.values import ZERO
from rebalancer.ops.clock import SystemClock
from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.web.tokens import add_token, remove_token
from tests.web.conftest import ROOT, Server, command, environment, project_in

EXECUTE, SIGNALS = "/api/v1/trading/execute", "/api/v1/signals"


def test_health_tells_nothing_without_a_token(server: Server) -> None:
    for path in ("/health", "/api/v1/health", "/api/v1/health/", "/api/v1/health/liveness", "/api/v1/health/readiness"):
        answer = server.ask("GET", path, None)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert server.ask("GET", "/api/v1/health", "read").json() == server.ask("GET", "/api/v1/health/", "read").json()
    assert server.ask("GET", "/health", "kill").json() == {"status": "ok"}
    known = server.ask("GET", "/health", "read").json()
    assert (known["mode"], known["session"], known["last_cycle"]["outcome"]) == ("simulated", None, "COMPLETED")
    assert server.ask("GET", "/", None).headers["content-type"] == "text/html; charset=utf-8"


def test_status_positions_and_orders_agree_with_the_journal(server: Server) -> None:
    status = server.ask("GET", "/api/v1/trading/status").json()
    assert set(status) == {
        "portfolio_value", "buying_power", "cash", "account_status", "positions_count", "as_of", "mode", "kill_switch"
    }  # fmt: skip
    assert (status["account_status"], status["mode"], status["kill_switch"]) == ("ACTIVE", "simulated", None)
    positions = server.ask("GET", "/api/v1/positions").json()["positions"]
    assert len(positions) == status["positions_count"]
    held = sum((Decimal(row["market_value"]) for row in positions), ZERO)
    assert abs(Decimal(status["portfolio_value"]) - Decimal(status["cash"]) - held) < 300  # prices of the snapshot
    (cycle,) = server.ask("GET", "/api/v1/cycles").json()["cycles"]
    detail = server.ask("GET", f"/api/v1/cycles/{cycle['cycle_id']}").json()
    orders = server.ask("GET", "/api/v1/orders?limit=1000").json()["orders"]
    assert sorted(o["client_order_id"] for o in orders) == sorted(o["client_order_id"] for o in detail["order_list"])
    assert (len(orders), cycle["outcome"]) == (cycle["orders"], "COMPLETED")
    symbol = orders[0]["symbol"]
    why = server.ask("GET", f"/api/v1/explain/{symbol}").json()
    assert (why["symbol"], why["cycle_id"], why["orders"]) == (symbol, cycle["cycle_id"], [orders[0]])
    assert why["verdicts"][0]["outcome"] == "FILLED"
    assert server.ask("GET", "/api/v1/cycles/none").status_code == 404
    assert server.ask("GET", "/api/v1/sources").json() == {"sources": []}


def test_reports_are_shown_without_scripts(server: Server) -> None:
    names = server.ask("GET", "/api/v1/reports").json()["reports"]
    assert "latest.html" in names
    page = server.ask("GET", "/api/v1/reports/latest.html")
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_every_row_of_a_batch_has_a_receipt_and_a_fate(server: Server) -> None:
    rows = [{"symbol": "MSFT", "score": 0.5, "confidence": 0.9}, {"symbol": "MSFT", "score": 7, "confidence": 1}]
    before = server.ask("GET", "/api/signals/stats").json()["received"]
    receipts = server.ask("POST", SIGNALS, json={"signals": rows}).json()["receipts"]
    assert [receipt["problem"] for receipt in receipts] == [
        None,
        "score: 7 is outside -1 to 1 (from -1 (sell) to 1 (buy))",
    ]
    fates = [server.ask("GET", f"/api/v1/signals/{receipt['id']}").json() for receipt in receipts]
    assert [(f["outcome"], f["source"], f["orders"]) for f in fates] == [
        ("PENDING", "all", []), ("REJECTED_INVALID", "all", [])
    ]  # fmt: skip
    assert server.ask("GET", f"/api/v1/signals/{receipts[0]['signal_id']}").json() == fates[0]
    stats = server.ask("GET", "/api/signals/stats").json()
    assert set(stats) == {"received", "admitted", "executed", "execution_rate", "by_source", "by_outcome"}
    assert stats["received"] == before + 2
    latest = server.ask("GET", "/api/signals/latest?limit=2").json()["signals"]
    assert {row["id"] for row in latest} == {receipt["id"] for receipt in receipts}


def test_the_same_key_gives_the_same_answer(server: Server) -> None:
    rows = [{"symbol": "AAPL", "score": 0.1, "confidence": 1}]
    key = {"Idempotency-Key": "k-1"}
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(server.ask("POST", SIGNALS, json=rows, headers=key).json()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [answers[0]] * 8
    assert answers[0]["receipts"][0]["is_new"]
    other = server.ask("POST", SIGNALS, json=[], headers=key)
    assert (other.status_code, other.json()["outcome"]) == (422, "REJECTED_INVALID")
    assert server.ask("POST", SIGNALS, "signals", json=[], headers=key).json() == {"receipts": []}  # another caller's


def test_targets_replace_the_book_of_their_token(server: Server) -> None:
    book = {"schema": "rebalancer.targets/1", "complete": True, "targets": [{"symbol": "SPY", "weight": "0.6"}]}
    answer = server.ask("PUT", "/api/v1/targets", "signals", json=book)
    assert (answer.status_code, answer.json()["complete"], answer.json()["warnings"]) == (200, True, [])
    again = server.ask("PUT", "/api/v1/targets", "signals", json=book).json()
    assert [r["id"] for r in again["receipts"]] == [r["id"] for r in answer.json()["receipts"]]
    capital = {"weights_of": "capital", "targets": [{"symbol": "SPY", "weight": 0.2}, {"symbol": "AGG", "weight": 0.1}]}
    assert server.ask("PUT", "/api/v1/targets", "signals", json=capital).status_code == 200
    with SignalInbox.open(server.state / "inbox.sqlite") as inbox:
        (mine,) = [book for book in inbox.books() if book.source == "signals"]
    assert (mine.complete, {t.symbol: t.target for t in mine.targets}) == (
        False, {"AGG": Decimal("0.2"), "SPY": Decimal("0.4")}
    )  # fmt: skip
    old = {"as_of": "2020-01-01", "targets": [{"symbol": "SPY", "weight": 1}]}
    refused = server.ask("PUT", "/api/v1/targets", "signals", json=old)
    assert (refused.status_code, refused.json()["outcome"]) == (422, "REJECTED_SUPERSEDED")
    assert "as of 2020-01-01T05:00:00Z, older than the weights of signals in force" in refused.json()["because"]
    rows = [{"symbol": "SPY", "target": 1, "issued_at": "2020-01-01T05:00:00Z"}]
    (late,) = server.ask("POST", SIGNALS, "signals", json=rows).json()["receipts"]
    assert "older than the weights of signals in force" in late["problem"]
    assert server.ask("GET", f"/api/v1/signals/{late['id']}").json()["outcome"] == "REJECTED_SUPERSEDED"
    with SignalInbox.open(server.state / "inbox.sqlite") as inbox:
        assert mine in inbox.books()
    empty = server.ask("PUT", "/api/v1/targets", "signals", json={"targets": [], "complete": True})
    assert (empty.status_code, empty.json()["outcome"]) == (422, "REJECTED_INVALID")


def test_execute_without_a_session_answers_with_a_receipt(server: Server) -> None:
    body = {"symbol": "NVDA", "action": "BUY", "confidence": 0.8, "entry_price": 190, "id": "exec-1"}
    answer = server.ask("POST", EXECUTE, "execute", json=body)
    assert answer.status_code == 202
    later = answer.json()
    assert later["because"] == "no session is running; the next cycle reads the signal"
    fate = server.ask("GET", later["ask"]).json()
    assert (fate["id"], fate["signal_id"], fate["outcome"]) == (later["receipt"], "exec-1", "PENDING")
    assert fate["content"]["confidence"] == 0.8
    unknown = server.ask("POST", EXECUTE, "execute", json={**body, "symbol": "ZZZZ", "id": "exec-2"}).json()
    assert (unknown["outcome"], unknown["signal_id"]) == ("REJECTED_UNKNOWN_SYMBOL", "exec-2")
    wrong = server.ask("POST", EXECUTE, "execute", json={**body, "confidence": -1, "id": "exec-3"}).json()
    assert (wrong["outcome"], wrong["status"]) == ("REJECTED_INVALID", 422)


def test_a_request_that_comes_again_is_the_same_signal(server: Server) -> None:
    """A proxy or an impatient client repeats it; neither id nor key says so."""
    rows = [{"symbol": "HON", "score": 0.4, "confidence": 1}, {"symbol": "CAT", "score": 0.4, "confidence": 1}]
    first, again = (server.ask("POST", SIGNALS, "signals", json=rows).json()["receipts"] for _ in range(2))
    assert again == [{**receipt, "is_new": False} for receipt in first]
    buy, sell = ({"symbol": "UNH", "action": action, "confidence": 0.8} for action in ("BUY", "SELL"))
    asked = [server.ask("POST", EXECUTE, "execute", json=body).json()["receipt"] for body in (buy, buy, sell, buy)]
    assert asked[0] == asked[1]
    assert len(set(asked)) == 3  # after the opposite was said, it is a signal of its own
    other = server.ask("POST", EXECUTE, "all", json=buy).json()["receipt"]  # of another token
    assert other not in asked


def test_the_client_pushes_frames(server: Server) -> None:
    client = ApiClient(server.url, server.tokens["all"])
    frame = pd.DataFrame({"symbol": ["KO", "PG"], "score": [0.3, None], "confidence": [0.9, 0.9]})
    first, second = client.push(frame, key="today")
    assert (first["problem"], second["problem"][:16]) == (None, "score: is missin")
    assert client.push(frame, key="today") == [first, second]
    assert client.why(first["id"])["symbol"] == "KO"
    assert client.targets({"SPY": 0.6, "AGG": 0.4})["source"] == "all"
    assert {row["symbol"] for row in client.positions()} >= {"KO", "PG"}
    with pytest.raises(RequestRefused, match="404"):
        client.why("no/thing")


def test_keys_are_replaced_and_removed_without_a_restart(server: Server) -> None:
    path, now = server.state / "web-tokens.json", SystemClock().wall()
    assert path.stat().st_mode & 0o777 == 0o600
    first = add_token(path, "turn", ["read"], now)
    assert first not in path.read_text()

    def status(text: str) -> int:
        return server.ask("GET", "/api/v1/cycles", None, headers={"Authorization": f"Bearer {text}"}).status_code

    assert status(first) == 200
    second = add_token(path, "turn", ["read"], now, replace=True)
    assert (status(first), status(second)) == (401, 200)
    assert remove_token(path, "turn")
    assert status(second) == 401
    os.chmod(path, 0o644)
    try:
        add = server.ask("GET", "/api/v1/cycles")
        assert add.status_code in (200, 503)  # it is read again when it has changed
    finally:
        os.chmod(path, 0o600)


def test_metrics_count_and_need_a_token(server: Server) -> None:
    assert server.ask("GET", "/metrics", None).status_code == 401
    assert server.ask("GET", "/metrics", "kill").status_code == 403
    text = server.ask("GET", "/metrics", "read").text
    assert 'rebalancer_cycles_total{outcome="COMPLETED"} 1.0' in text
    assert 'rebalancer_orders_total{state="FILLED"} 10.0' in text


def test_kill_can_only_be_set(server: Server) -> None:
    answer = server.ask("POST", "/api/v1/kill", "kill", json={"reason": "a\nb"})
    assert answer.json() == {"kill_switch": "a b (over HTTP, token kill)", "was_set_before": False}
    assert (server.state / "HALT").read_text() == "a b (over HTTP, token kill)\n"
    again = server.ask("POST", "/api/v1/kill", "kill", json={"reason": "other"}).json()
    assert again == {"kill_switch": "a b (over HTTP, token kill)", "was_set_before": True}
    refused = server.ask("POST", EXECUTE, json={"symbol": "AAPL", "action": "BUY", "confidence": 1})
    assert (refused.status_code, refused.json()["outcome"]) == (409, "HALTED_KILL_SWITCH")
    assert server.ask("DELETE", "/api/v1/kill", "kill").status_code == 405
    (server.state / "HALT").unlink()


def test_the_commands(tmp_path: Path) -> None:
    project_in(tmp_path)
    assert command(tmp_path, "web", "token", "list").stdout.startswith("there is no token yet: ")
    made = command(tmp_path, "web", "token", "add", "me", "--scope", "read, signals")
    assert (made.returncode, len(made.stdout.split()), made.stdout[:4]) == (0, 1, "rbt_")
    assert command(tmp_path, "api", "token", "list").stdout.startswith("me  read,signals  20")
    assert command(tmp_path, "web", "token", "add", "me", "--scope", "read").returncode == 78
    assert command(tmp_path, "web", "token", "add", "x", "--scope", "hook,read").returncode == 78
    assert command(tmp_path, "web", "token", "remove", "nobody").returncode == 2
    assert command(tmp_path, "web", "serve", "--host", "0.0.0.0").returncode == 78
    config = tmp_path / "project" / "config" / "execution.yaml"
    config.write_text((ROOT / "config" / "execution.yaml").read_text())
    off = command(tmp_path, "web", "serve")
    assert (off.returncode, off.stderr.splitlines()[0]) == (78, "error: web.enabled: is false")


def test_under_systemd_without_a_key_it_does_not_serve_another_account(tmp_path: Path) -> None:
    project_in(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", "web", "serve"],
        cwd=tmp_path / "project", env=environment(tmp_path) | {"INVOCATION_ID": "unit"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        78, "error: broker.kind: there is no key, and this is production (run by systemd (INVOCATION_ID is set))"
    )  # fmt: skip
