"""Alpaca's own JavaScript clients against the exchange, of both generations, with their websockets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import start_exchange

JS = Path(__file__).parent / "js"
NODE = shutil.which("node")
ABSENT = NODE is None or not (JS / "node_modules" / "alpaca-v4").is_dir()
missing = pytest.mark.skipif(
    ABSENT, reason="node or tests/clients/js/node_modules is missing: npm ci there installs it"
)
CALLS = [
    "addToWatchlist", "addWatchlist", "cancelAllOrders", "cancelOrder", "closeAllPositions", "closePosition",
    "createOrder", "deleteFromWatchlist", "deleteWatchlist", "getAccount", "getAccountActivities",
    "getAccountConfigurations", "getAsset", "getAssets", "getCalendar", "getClock", "getCryptoBars",
    "getCryptoSnapshots", "getLatestBars", "getLatestCryptoBars", "getLatestCryptoQuotes", "getLatestCryptoTrades",
    "getLatestQuotes", "getLatestTrades", "getMultiBarsV2", "getOrder", "getOrderByClientId", "getOrders",
    "getPortfolioHistory", "getPosition", "getPositions", "getSnapshots", "getWatchlist", "getWatchlists",
    "replaceOrder", "updateAccountConfigurations", "updateWatchlist",
]  # fmt: skip
EVENTS = ["canceled", "fill", "new", "pending_cancel", "pending_new", "pending_replace", "replaced"]


def played(script: str) -> dict[str, Any]:
    """Run a session of a client against an exchange of its own; returns its summary."""
    assert NODE is not None
    options = ExchangeOptions(
        holdings="starter", rate_limit_per_minute=0, speed=30, fill_latency_seconds=0.004, partial_fill_probability=0,
        key="key", secret="secret", corporate_actions="simulated",
    )  # fmt: skip
    with start_exchange(options) as running:
        environment = {"PATH": os.environ["PATH"], "EXCHANGE_URL": running.url, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [NODE, script], cwd=JS, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        running.exchange.books.ledger.audit()
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


@missing
def test_a_session_of_the_third_version() -> None:
    summary = played("session.mjs")
    assert summary["calls"] == CALLS
    assert summary["events"] == EVENTS
    assert summary["quotes"] > 0


@missing
def test_a_session_of_the_fourth_version() -> None:
    summary = played("session4.mjs")
    assert len(summary["calls"]) == 81
    assert summary["asked"] >= 100
    assert {name: summary[name] for name in ("events", "stocks", "crypto")} == {
        "events": EVENTS, "stocks": ["bar", "quote", "trade"], "crypto": ["orderbook", "quote"],
    }  # fmt: skip


def test_the_lock_file_names_no_registry() -> None:
    """Packages come from whatever registry npm is set up with; their integrity hashes are fixed."""
    packages = json.loads((JS / "package-lock.json").read_text())["packages"]
    named = {name: row for name, row in packages.items() if name}
    assert len(named) > 50
    assert [name for name, row in named.items() if "resolved" in row or "integrity" not in row] == []
