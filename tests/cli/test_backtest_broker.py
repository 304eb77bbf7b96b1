"""`rebalancer backtest --prices broker:5Min`: bars over HTTP from the exchange, the same from a file, and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from rebalancer.exchange.starter import RunningExchange
from rebalancer.research import backtest
from rebalancer.testing.exchange import running_exchange
from tests.cli.conftest import Command
from tests.research.stand_in import stand_in

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")

KEY, SECRET = "PKCANARYKEY0000000", "canarySecret/0123456789"
DAYS = ("--from", "2025-11-26", "--to", "2025-11-28")  # Thanksgiving and the half day after it
BARE = ("--preset", "bare", "--json")
COLUMNS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vw": "vwap"}
OF_SOURCE = ("inputs", "seconds", "phases", "policies", "warnings", "overfitting")
CONFIG = "broker: {kind: alpaca}\n"


@pytest.fixture(autouse=True)
def slow_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "load_engine", lambda: stand_in)


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    with running_exchange(key=KEY, secret=SECRET) as running:
        yield running


@pytest.fixture
def keys(exchange: RunningExchange, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and an address in the environment, and weights of two names."""
    monkeypatch.setenv("APCA_API_BASE_URL", exchange.url)
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    (project / "t.csv").write_text("symbol,weight\nSPY,0.6\nKO,0.4\n")


def saved(exchange: RunningExchange, timeframe: str, adjustment: str) -> None:
    """bars.csv: the same bars as a long file, as a person would write it with the end of each."""
    params = {"symbols": "KO,SPY", "timeframe": timeframe, "start": "2025-11-26", "end": "2025-11-28", "limit": "10000"}
    headers = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    answer = requests.get(
        f"{exchange.url}/v2/stocks/bars", {**params, "adjustment": adjustment}, headers=headers, timeout=30
    )
    rows = [{**row, "symbol": symbol} for symbol, of in answer.json()["bars"].items() for row in of]
    frame = pd.DataFrame(rows).rename(columns=COLUMNS)
    begins = pd.to_datetime(frame["t"])
    if timeframe == "1Day":
        frame["timestamp"] = begins.dt.tz_convert("America/New_York").dt.date
    else:
        frame["timestamp"] = begins + pd.Timedelta(minutes=int(timeframe.removesuffix("Min")))
    frame[["timestamp", "symbol", *COLUMNS.values()]].to_csv("bars.csv", index=False)


def run(command: Command, prices: str, out: str, *words: str) -> dict[str, Any]:
    said = command("backtest", "--prices", prices, "--targets", "t.csv", *DAYS, *words, "--out", out, *BARE)
    assert said.code == 0, said.err
    for canary in (KEY, SECRET):
        assert canary not in said.out + said.err
        assert all(canary not in path.read_text() for path in Path(out).iterdir())
    document: dict[str, Any] = json.loads(said.out)
    return document


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(("timeframe", "bars"), [("5Min", 78 + 42), ("15Min", 26 + 14), ("1Day", 2)])
def test_bars_of_the_broker_are_those_of_a_file(
    timeframe: str, bars: int, command: Command, exchange: RunningExchange
) -> None:
    asked = run(command, f"broker:{timeframe}", "asked")
    saved(exchange, timeframe, "all")
    read = run(command, "bars.csv", "read")
    assert asked["bars"] == bars
    assert asked["orders"] > 0
    assert {k: v for k, v in asked.items() if k not in OF_SOURCE} == {
        k: v for k, v in read.items() if k not in OF_SOURCE
    }
    assert asked["policies"] == read["policies"] | {"bars_outside_sessions": 0, "bars_not_complete": 0}
    assert asked["warnings"] == read["warnings"]
    curve = Path("asked/equity.csv").read_text()
    assert curve == Path("read/equity.csv").read_text()
    first, last = curve.splitlines()[1], curve.splitlines()[-1]
    if timeframe == "5Min":
        assert (first.split(",")[0], last.split(",")[0]) == ("2025-11-26T14:35:00Z", "2025-11-28T18:00:00Z")


@pytest.mark.usefixtures("keys")
def test_hours_leave_out_what_is_partly_outside(command: Command) -> None:
    found = run(command, "broker:1Hour", "out")
    assert (found["bars"], found["policies"]["bars_outside_sessions"]) == (6 + 3, 4)
    assert "4 bars are not wholly inside a regular session and are left out" in found["warnings"]


def test_prices_are_raw_with_corporate_actions(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    Path("t.csv").write_text("symbol,weight\nSPY,0.6\nKO,0.4\n")
    Path("actions.csv").write_text("symbol,ex_date,kind,value\nKO,2025-11-28,dividend,5\n")
    paid = "{symbol: KO, ex_date: 2025-11-28, pay_date: 2025-11-28, rate: '5'}"
    Path("schedule.yaml").write_text(f"dividends: [{paid}]\n")
    start = datetime(2025, 11, 25, 15, tzinfo=UTC)
    with running_exchange(key=KEY, secret=SECRET, start=start, schedule=Path("schedule.yaml")) as exchange:
        exchange.clock.advance(5 * 86_400)
        monkeypatch.setenv("APCA_API_BASE_URL", exchange.url)
        held = ("--fill", "same_close")
        choices = (held, (*held, "--actions", "actions.csv"))
        asked = {words: run(command, "broker:1Day", "asked", *words) for words in choices}
        files, equities = [], []
        for words, adjustment in zip(asked, ("all", "raw"), strict=True):
            saved(exchange, "1Day", adjustment)
            files.append(Path("bars.csv").read_text())
            equities.append(run(command, "bars.csv", "read", *words)["final_equity"])
    assert [one["prices_are"] for one in asked.values()] == ["adjusted", "raw"]
    assert [one["final_equity"] for one in asked.values()] == equities
    assert files[0] != files[1]
    assert equities[0] != equities[1]


@pytest.mark.usefixtures("keys")
def test_names_of_the_command_line_and_a_bar_explained(command: Command) -> None:
    assert run(command, "broker:1Day", "out", "--symbols", "spy,KO,AGG")["names"] == 3
    said = command("explain", "KO", "--bar", "2025-11-26", "--run", "out", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["signals"][0]["target"] == "0.4"


def test_the_embedded_exchange_is_said_to_be_simulated(command: Command) -> None:
    Path("t.csv").write_text("symbol,weight\nSPY,0.6\nKO,0.4\n")
    found = run(command, "broker:1Day", "out")
    assert found["warnings"][0] == "the prices are the embedded exchange's: simulated, not the market's"


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("--prices", "broker:7Min", *DAYS), 2, "there are: 1Min, 5Min, 15Min, 1Hour, 1Day"),
        (("--prices", "broker:5min", *DAYS), 2, "did you mean 5Min?"),
        (("--prices", "broker:", *DAYS), 2, "'' is not known"),
        (("--prices", "broker:5Min"), 2, "give --from and --to"),
        (("--prices", "broker:5Min", "--from", "2025-11-28", "--to", "2025-11-26"), 2, "2025-11-28 is after --to"),
        (("--prices", "broker:5Min", "--from", "2031-01-02", "--to", "2031-01-03"), 2, "2031-01-02 has not begun"),
        (("--prices", "broker:5Min", *DAYS, "--symbols", "SPY,,KO"), 2, "--symbols: '' is not a symbol"),
        (("--prices", "broker:5Min", *DAYS, "--symbols", "SPY,BTC/USD"), 2, "--symbols: BTC/USD: bars of crypto"),
        (("--prices", "broker:5Min", *DAYS, "--symbols", "SPY,ZZZZZ"), 2, "has no bars of ZZZZZ from 2025-11-26 to"),
        (("--prices", "broker:5Min", *DAYS, "--symbols", "ZZZZZ"), 69, "the broker has no 5Min bars of these names"),
        (("--prices", "broker:5Min", "--from", "2025-11-29", "--to", "2025-11-30"), 69, "the broker has no 5Min bars"),
        (("--prices", "prices.csv", "--symbols", "SPY"), 2, "--symbols goes with --prices broker"),
        (("--prices", "broker", "--symbols", "SPY"), 2, "--symbols goes with --prices broker:5Min"),
        (("--journal", "--symbols", "SPY"), 2, "--journal has its own prices"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for(words: tuple[str, ...], code: int, expected: str, command: Command) -> None:
    targets = () if "--journal" in words else ("--targets", "t.csv")
    said = command("backtest", *words, *targets, *BARE)
    assert (said.code, expected in said.err) == (code, True), said.err
    assert said.out == ""


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("row", "code", "expected"),
    [
        ("ZZZZZ,0.1", 78, "t.csv: the broker has no bars of ZZZZZ from"),
        ("BTC/USD,0.1", 78, "t.csv: BTC/USD: bars of crypto are not asked for"),
    ],
)
def test_names_of_the_file_without_bars(row: str, code: int, expected: str, command: Command) -> None:
    Path("t.csv").write_text(f"symbol,weight\nSPY,0.6\n{row}\n")
    said = command("backtest", "--prices", "broker:5Min", "--targets", "t.csv", *DAYS, *BARE)
    assert (said.code, expected in said.err) == (code, True), said.err


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("changes", "code", "expected"),
    [
        ({"APCA_API_KEY_ID": "", "APCA_API_SECRET_KEY": ""}, 77, "set APCA_API_KEY_ID and APCA_API_SECRET_KEY"),
        ({"APCA_API_SECRET_KEY": "anotherSecret123456"}, 77, "the broker refused the key"),
        ({"APCA_API_BASE_URL": "http://127.0.0.1:9"}, 69, "no connection to the broker"),
        ({"APCA_API_DATA_URL": "http://127.0.0.1:9"}, 69, "/stocks/bars: no connection to the broker"),
    ],
)
def test_keys_and_addresses(
    changes: dict[str, str], code: int, expected: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    Path("alpaca.yaml").write_text(f"{CONFIG.rstrip().removesuffix('}')}, total_timeout_seconds: 1}}\n")
    words = ("--prices", "broker:5Min", "--targets", "t.csv", *DAYS, "--config", "alpaca.yaml", *BARE)
    said = command("backtest", *words)
    assert (said.code, expected in said.err) == (code, True), said.err
    assert all(text not in said.out + said.err for text in (KEY, SECRET, "anotherSecret123456"))


def test_a_day_that_is_not_over_has_its_finished_bars_alone(
    command: Command, exchange: RunningExchange, keys: None
) -> None:
    assert exchange.clock is not None
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=exchange.clock.micros())
    day = now.date().isoformat()
    words = ("--prices", "broker:5Min", "--targets", "t.csv", "--from", day, "--to", day, "--out", "out", *BARE)
    said = command("backtest", *words)
    assert said.code == 0, said.err
    last = Path("out/equity.csv").read_text().splitlines()[-1].split(",")[0]
    assert now - timedelta(minutes=5) < datetime.fromisoformat(last) <= now + timedelta(minutes=5)
    assert json.loads(said.out)["policies"]["bars_not_complete"] == 2
