"""`status --live`: the broker's words beside the journal's, over real HTTP, and nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.cli.conftest import Command


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    """An exchange that counts as a paper account: reached by its address and a key."""
    options = ExchangeOptions(holdings="starter", open_session=True, fill_latency_seconds=0.0, rate_limit_per_minute=0)
    with start_exchange(options) as running:
        monkeypatch.setenv("APCA_API_BASE_URL", running.url)
        monkeypatch.setenv("APCA_API_KEY_ID", "key")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "secret")
        yield running


@pytest.fixture
def paper(project: Path, exchange: RunningExchange, command: Command) -> Command:
    """The command, with a paper account at that exchange."""
    return command


def test_both_are_shown_and_agree_after_a_run(paper: Command) -> None:
    assert paper("run-now").code in (0, 4)
    document = json.loads(paper("status", "--live", "--json").out)
    told = document["broker"]
    assert document["mode"] == "paper"
    assert told["differences"] == told["restrictions"] == []
    assert (told["account_id"], told["positions"]) == (document["account_id"], document["positions"])
    assert (told["open_orders"], told["exit_orders"], told["foreign_orders"]) == (0, 0, 0)
    assert abs(float(told["equity"]) / float(document["equity"]) - 1) < 0.01
    said = paper("status", "--live")
    assert said.code == 0
    assert "\nbroker   asked ••••" in said.out
    assert said.out.endswith("\ndiffers  nothing: positions and open orders agree\n")
    assert document["account_id"] not in said.out


def test_what_others_did_is_named(paper: Command, exchange: RunningExchange) -> None:
    import requests

    assert paper("run-now").code in (0, 4)
    headers = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    rows = requests.get(f"{exchange.url}/v2/positions", headers=headers, timeout=300).json()
    closed = next(row for row in rows if row["asset_class"] == "us_equity")
    requests.delete(f"{exchange.url}/v2/positions/{closed['symbol']}", headers=headers, timeout=300).raise_for_status()
    order = {"symbol": "KO", "qty": "1", "side": "buy", "type": "limit", "limit_price": "1", "time_in_force": "day"}
    requests.post(f"{exchange.url}/v2/orders", json=order, headers=headers, timeout=300).raise_for_status()
    exchange.clock.advance(5.0)
    told = json.loads(paper("status", "--live", "--json").out)["broker"]
    assert told["differences"] == [f"{closed['symbol']}: {closed['qty']} shares in the journal, 0 at the broker"]
    assert told["foreign_orders"] == 1


def test_looking_is_no_switch_for_trading(paper: Command, exchange: RunningExchange) -> None:
    assert paper("status", "--live").code == 0  # the configuration says paper: no switch is missing
    assert paper("--live", "run-now").code == 78
    orders = json.loads(paper("status", "--live", "--json").out)["broker"]
    assert (orders["open_orders"], orders["foreign_orders"]) == (0, 0)


def test_a_silent_broker_takes_nothing_of_the_screen_away(
    paper: Command, exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paper("run-now").code in (0, 4)
    monkeypatch.setenv("REBALANCER__BROKER__TOTAL_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("APCA_API_BASE_URL", "http://127.0.0.1:9")
    said = paper("status", "--live")
    assert said.code == 69
    assert said.out.startswith("PAPER ••••")
    assert "\nequity   $" in said.out
    assert said.err.startswith("error: ")
