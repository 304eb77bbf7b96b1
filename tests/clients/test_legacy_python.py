"""Alpaca's older Python client, alpaca-trade-api, against the exchange: archived, and still in many programs.

It pins old libraries, so that it runs in an environment of its own:

    python -m venv tests/clients/legacy/.venv
    tests/clients/legacy/.venv/bin/pip install -r tests/clients/legacy/requirements.txt
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import start_exchange

LEGACY = Path(__file__).parent / "legacy"
PYTHON = LEGACY / ".venv" / "bin" / "python"
CALLS = [
    "add_to_watchlist", "cancel_all_orders", "cancel_order", "close_all_positions", "close_position",
    "create_watchlist", "delete_from_watchlist", "delete_watchlist", "get_account", "get_account_configurations",
    "get_activities", "get_asset", "get_bars", "get_calendar", "get_clock", "get_crypto_bars", "get_crypto_quotes",
    "get_crypto_snapshot", "get_crypto_snapshots", "get_crypto_trades", "get_latest_bar", "get_latest_bars",
    "get_latest_crypto_bars", "get_latest_crypto_orderbook", "get_latest_crypto_orderbooks",
    "get_latest_crypto_quotes", "get_latest_crypto_trades", "get_latest_quote", "get_latest_quotes",
    "get_latest_trade", "get_latest_trades", "get_news", "get_order", "get_order_by_client_order_id",
    "get_portfolio_history", "get_position", "get_quotes", "get_snapshot", "get_snapshots", "get_trades",
    "get_watchlist", "get_watchlist_by_name", "get_watchlists", "list_assets", "list_orders", "list_positions",
    "replace_order", "submit_order", "update_account_configurations", "update_watchlist",
]  # fmt: skip


@pytest.mark.skipif(not PYTHON.exists(), reason="tests/clients/legacy/.venv is missing: this file says how to make it")
def test_a_session_of_the_older_python_client() -> None:
    options = ExchangeOptions(
        holdings="starter", rate_limit_per_minute=0, speed=30, fill_latency_seconds=0.004, partial_fill_probability=0,
        key="key", secret="secret",
    )  # fmt: skip
    with start_exchange(options) as running:
        environment = {
            "PATH": os.environ["PATH"], "EXCHANGE_URL": running.url, "APCA_API_DATA_URL": running.url,
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        done = subprocess.run(
            [PYTHON, "session.py"],
            cwd=LEGACY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        running.exchange.books.ledger.audit()
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary.pop("asked") >= len(CALLS)
    assert summary == {
        "calls": CALLS,
        "events": ["canceled", "fill", "new", "pending_cancel", "pending_new", "pending_replace", "replaced"],
        "prices": ["bar", "quote", "trade"],
    }
