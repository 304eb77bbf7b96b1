"""The campaign of two hosts, short; and proofs that its judge and its broken network do what they say."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.desk.campaign import run
from tests.desk.check_history import Row, problems
from tests.desk.proxy import Break, Proxy


def test_a_few_slots_under_faults(tmp_path: Path) -> None:
    found = run(4, 5, tmp_path)
    assert (found["wrong"], found["slots"]) == ([], 4)
    assert found["orders"] > 4


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_hundred_slots(seed: int, tmp_path: Path) -> None:
    found = run(200, seed, tmp_path)
    assert (found["wrong"], found["slots"]) == ([], 200)
    assert found["takeovers"] > 10


def history(*events: tuple[str | None, str, str | None, dict[str, Any]]) -> list[Row]:
    """Rows with numbers and hashes."""
    rows: list[Row] = []
    before = "0" * 64
    for number, (cycle, kind, key, body) in enumerate(events, 1):
        row = (number, "2026-11-20T15:00:00Z", "a", cycle, kind, key, json.dumps(body), before)
        before = hashlib.sha256(json.dumps(list(row), separators=(",", ":")).encode()).hexdigest()
        rows.append((*row, before))
    return rows


ALPHA = (None, "lease", "1", {"host": "alpha"})
BETA = (None, "lease", "2", {"host": "beta"})
ORDER = {"phase": "increase", "symbol": "KO", "side": "buy", "qty": "5"}
SENT = {"client_order_id": "rb-1", "symbol": "KO", "side": "buy", "qty": "5"}


def began(cycle: str, host: str) -> tuple[str, str, str, dict[str, Any]]:
    return cycle, "cycle_started", "paper", {"holder": f"{host}:1"}


def ended(cycle: str) -> tuple[str, str, str, dict[str, Any]]:
    return cycle, "cycle_ended", "paper", {"outcome": "COMPLETED"}


GOOD = (ALPHA, began("s1", "alpha"), ("s1", "order_intended", "rb-1", ORDER), ended("s1"))


def test_the_judge_finds_nothing_in_a_good_history() -> None:
    missed = ("s2", "slot", "s2", {"outcome": "MISSED"})
    assert problems(history(*GOOD, missed), [SENT], ["s1", "s2"]) == []
    assert problems(history(ALPHA, missed), [SENT], ["s1", "s2"], [history(*GOOD)]) == [], "one that was lost is known"


@pytest.mark.parametrize(
    ("events", "orders", "said"),
    [
        ([*GOOD, BETA, began("s1", "beta")], [SENT], "slot s1 has 2 owners"),
        ([ALPHA], [], "slot s1 has neither an outcome nor a recorded miss"),
        ([*GOOD[:3]], [SENT], "slot s1 has neither an outcome nor a recorded miss"),
        ([*GOOD, ended("s1")], [SENT], "row 5: s1 ended twice"),
        ([BETA, *GOOD], [SENT], "row 1: token 2 after 0"),
        ([ALPHA, BETA, *GOOD[1:]], [SENT], "row 3: alpha began s1 while beta held the account"),
        ([*GOOD], [SENT, SENT], "order rb-1 stands 2 times at the exchange"),
        ([*GOOD], [{**SENT, "client_order_id": "rb-2"}], "order rb-2 was never intended"),
        (
            [*GOOD, ("s1", "order_intended", "rb-2", ORDER)], [SENT, {**SENT, "client_order_id": "rb-2"}],
            "s1 increase KO has 2 orders",
        ),
        (
            [*GOOD], [{**SENT, "qty": "6"}],
            "order rb-1 is ('KO', 'buy', Decimal('6')), and ('KO', 'buy', Decimal('5')) was intended",
        ),
    ],
)  # fmt: skip
def test_the_judge_finds(events: list[Any], orders: list[dict[str, Any]], said: str) -> None:
    assert said in problems(history(*events), orders, ["s1"])


def test_the_judge_finds_a_slot_that_two_lines_of_history_ran() -> None:
    other = history(BETA, began("s1", "beta"), ended("s1"))
    assert "slot s1 has 2 owners" in problems(history(*GOOD), [SENT], ["s1"], [other])


@pytest.mark.parametrize("how", ["cut", "drop", "stall"])
def test_the_network_breaks_as_it_is_told(how: Break) -> None:
    """An echo behind it: before, while it is broken, and once it is mended."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        proxy = Proxy(server.getsockname()[1])
        try:
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                client.settimeout(60)
                assert said(client, b"before") == b"before"
                proxy.breaks(how)
                if how == "cut":
                    assert client.recv(100) == b""
                else:
                    client.settimeout(0.2)
                    with pytest.raises(TimeoutError):
                        said(client, b"broken")
                    client.settimeout(60)
                proxy.mend()
                if how != "cut":
                    assert client.recv(100) == (b"broken" if how == "stall" else b"")
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                assert said(client, b"after") == b"after"
        finally:
            proxy.close()


def echo(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(client,), daemon=True).start()


def answer(client: socket.socket) -> None:
    with client:
        while data := client.recv(100):
            client.sendall(data)


def said(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    return client.recv(100)
