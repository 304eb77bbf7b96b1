"""`rebalancer model train`, `score`, `card`: on prices of a file, on the sample market, and on what cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from rebalancer.signals.sources.store import VoteStore
from tests.cli.conftest import ROOT, Command
from tests.research.model.prices import history

LAST = date(2020, 11, 19)
AGELESS = ("--config", "ageless.yaml")
TRAIN = ("--rounds", "20", "--folds", "3")


def price_file(name: str = "prices.csv", bars: int = 420, trend: float = 0.9) -> None:
    market = history(bars=bars, trend=trend, last=LAST).market
    days = pd.to_datetime(market.times, unit="ns", utc=True).tz_convert("America/New_York").date
    Path("ageless.yaml").write_text("model: {max_age_days: null}\n")
    pd.DataFrame(market.close, days, list(market.symbols)).to_csv(name, index_label="date")


def test_train_card_and_again(command: Command, tmp_path: Path) -> None:
    price_file()
    said = command("model", "train", "--prices", "prices.csv", *TRAIN)
    assert (said.code, "to trade on it: model: {enabled: true}" in said.err) == (0, True), said.err
    folder = tmp_path / "state" / "rebalancer" / "simulated" / "model"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(first) == ["features.json", "model.json"]
    assert command("model", "card", *AGELESS) == (0, said.out, "")
    found = json.loads(command("model", "card", "--json", *AGELESS).out)
    assert found == json.loads(first["features.json"])
    assert list(found) == ["schema", "version", "model_sha256", "features", "features_hash", "horizon_days", "data",
                           "settings", "library", "validation", "calibration"]  # fmt: skip
    assert (found["data"]["place"], found["data"]["last"], found["data"]["days"]) == ("prices.csv", "2020-11-19", 420)
    assert said.out.startswith(f"model {found['version']}\n")
    assert command("model", "train", "--prices", "prices.csv", *TRAIN, "--json").code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    only = json.loads(command("model", "train", "--prices", "prices.csv", *TRAIN, "--symbols", "NAB,NAA,NAC,NAD,NAE",
                              "--json").out)  # fmt: skip
    assert only["data"]["symbols"] == ["NAA", "NAB", "NAC", "NAD", "NAE"]


def test_the_card_fits_a_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    price_file()
    monkeypatch.setattr("rebalancer.cli.model.terminal_width", lambda: 80)
    said = command("model", "train", "--prices", "prices.csv", *TRAIN)
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("--prices", "prices.csv", "--symbols", "XXX"),
            "--symbols: XXX is not in prices.csv\n  hint: correct the symbol",
        ),
        (("--prices", "prices.csv", "--symbols", "a b"), "symbols: "),
        (("--prices", "prices.csv", "--folds", "20"), "model train: 162 days have a label, too few for 20 folds"),
        (("--prices", "none.csv"), "none.csv: "),
        (("--prices", "short.csv"), "short.csv: has no name with 259 daily closes"),
        (("--prices", "zero.csv"), "zero.csv:3: NAA"),
    ],
)
def test_bad_input_is_one_error_and_leaves_no_model(
    words: tuple[str, ...], error: str, command: Command, tmp_path: Path
) -> None:
    price_file()
    price_file("short.csv", bars=100)
    Path("zero.csv").write_text("date,NAA,NAB\n2026-01-02,5,6\n2026-01-05,0,6\n")
    said = command("model", "train", *words)
    assert (said.code, said.out, said.err.count("error: ")) == (78, "", 1), said.err
    assert f"error: {error}" in said.err
    assert not (tmp_path / "state" / "rebalancer" / "simulated" / "model").exists()


def test_without_the_extra_nothing_is_trained(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebalancer.signals.model.booster.find_spec", lambda _: None)
    said = command("model", "train", "--prices", "prices.csv")
    error = (
        "error: the extra `model` is not installed\n  hint: pip install 'xgboost-cpu>=3', which is the extra `model`\n"
    )
    assert said == (78, "", error)


def test_a_card_that_is_not_there_or_stale(command: Command) -> None:
    said = command("model", "card")
    assert (said.code, said.out) == (78, "")
    assert "features.json is not there\n  hint: train it again: rebalancer model train" in said.err
    price_file()
    assert command("model", "train", "--prices", "prices.csv", *TRAIN).code == 0
    said = command("model", "card")
    assert (said.code, said.out.startswith("model ")) == (78, True)
    assert "its newest prices are of 2020-11-19, more than 180 days ago" in said.err


def test_the_sample_market_is_enough(command: Command, tmp_path: Path) -> None:
    """What a newcomer has: no key, no file of prices."""
    names = "AAPL,MSFT,XOM,JPM,PG,KO"
    said = command("model", "train", "--symbols", names, "--years", "2", *TRAIN)
    assert said.code == 0, said.err
    assert "these are simulated prices" in said.err
    said = command("model", "score", "AAPL,XOM,BTC/USD", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert {vote["symbol"] for vote in found["votes"]} | {*found["silent"]} == {"AAPL", "XOM", "BTC/USD"}
    said = command("model", "score", "AAPL", "--keep")
    assert (said.code, "set model: {enabled: true} first" in said.err) == (78, True)
    Path("on.yaml").write_text("model: {enabled: true}\n")
    said = command("model", "score", "AAPL", "--keep", "--config", "on.yaml")
    assert said.code == 0, said.err
    with VoteStore.open(tmp_path / "state" / "rebalancer" / "simulated" / "sources.sqlite") as store:
        assert set(store.asked("model")) == {"AAPL"}
    run = command("run-now", "--config", "config/execution.yaml", "--config", "on.yaml")
    assert run.code in (0, 4), run.err


def test_nothing_of_the_model_is_loaded_when_it_is_off(project: Path) -> None:
    code = (
        "import sys, rebalancer.session.execute\n"
        "from rebalancer.cli.main import main\n"
        "sys.argv = ['rebalancer', 'run-now', '--dry-run']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = ('xgboost', 'scipy', 'sklearn', 'rebalancer.signals.model', 'rebalancer.research')\n"
        "print('LOADED', sorted(name for name in sys.modules if name.startswith(heavy)))\n"
    )
    environ = {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(project / "s"), "PATH": "/usr/bin:/bin"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, cwd=project)
    assert found.stdout.splitlines()[-1:] == ["LOADED []"], found.stderr
