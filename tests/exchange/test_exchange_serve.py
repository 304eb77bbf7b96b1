"""`rebalancer exchange serve`: its switches reach the exchange."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
NOTICES = "/v2/corporate_actions/announcements?ca_types=dividend,split&since=2026-11-20&until=2026-12-31"


@contextmanager
def served(*arguments: str) -> Iterator[tuple[str, str]]:
    """The command in a process of its own; its two addresses."""
    command = [sys.executable, "-m", "rebalancer", "exchange", "serve", "--port", "0", "--admin-port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines[0].startswith("exchange listening on "), (lines, process.stderr and process.stderr.read())
        yield lines[0].split()[-1], lines[1].split()[-1]
    finally:
        process.kill()
        process.communicate()


def ask(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    method = "GET" if body is None else "POST"
    return requests.request(method, url + path, json=body, headers=KEYS, timeout=300).json()


def test_the_switches_of_the_command(tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text("splits: [{symbol: KO, ex_date: 2026-12-01, new: 2, old: 1}]\n")
    switches = ("--schedule", str(file), "--no-corporate-actions", "--charges", "--legacy-day-trading")
    with served(*switches, "--multiplier", "4", "--speed", "0") as (url, admin):
        order = {"symbol": "AAPL", "qty": 40, "side": "buy", "type": "market", "time_in_force": "day"}
        for side in ("buy", "sell"):
            ask(url, "/v2/orders", {**order, "side": side})
            ask(admin, "/sim/clock", {"advance_seconds": 20})
        account = ask(url, "/v2/account")
        assert (account["multiplier"], account["daytrade_count"]) == ("4", 1)
        assert Decimal(account["pending_reg_taf_fees"]) > 0
        assert [(row["initiating_symbol"], row["ca_type"]) for row in ask(url, NOTICES)] == [("KO", "split")]


def test_a_listing_of_your_own(tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_text("symbol,name,class,sector,price,volatility\nACME,Acme Works,us_equity,Anvils,41.50,0.35\n")
    with served("--listing", str(file), "--speed", "0") as (url, _):
        found = {row["symbol"]: row["name"] for row in ask(url, "/v2/assets")}
        assert (found["ACME"], found["VTI"]) == ("Acme Works", "Vanguard Total Stock Market")
    file.write_text("symbol,name,class,sector,price,volatility\nACME,Acme Works,us_equity,Anvils,-41.50,0.35\n")
    command = [sys.executable, "-m", "rebalancer", "exchange", "serve", "--port", "0", "--listing", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, f"{file}:2: price: -41.50 is not between" in done.stderr) == (78, True), done.stderr


def test_without_switches_there_are_the_seeds_own_dividends_and_no_charges() -> None:
    with served("--speed", "0") as (url, admin):
        ask(admin, "/sim/clock", {"to": "2026-12-20T15:00:00Z"})
        assert {row["ca_type"] for row in ask(url, NOTICES)} >= {"dividend"}
        account = ask(url, "/v2/account")
        assert (account["multiplier"], account["pending_reg_taf_fees"]) == ("2", "0")
        assert "daytrade_count" not in account


def test_a_wrong_schedule_stops_the_start_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text("splits:\n  - {symbol: KO, ex_date: 2026-12-01, new: many, old: 1}\n")
    command = [sys.executable, "-m", "rebalancer", "exchange", "serve", "--port", "0", "--schedule", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, f"{file}:2: splits[0].new" in done.stderr) == (78, True), done.stderr
