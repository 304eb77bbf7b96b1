"""Target weights by whole runs: the file becomes the portfolio, holds, and is replaced as a whole."""

# ruff: noqa: E501 - the tables are read line by line

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import rebalancer
from tests.cli.conftest import Command, command, project  # noqa: F401 - fixtures

HEAD = "symbol,weight\n"
WEIGHTS = ("--profile", "weights")


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--profile` sets the variable for the whole process: it is put back after every test."""
    monkeypatch.setenv("REBALANCER_PROFILE", "")


def put(text: str, name: str = "targets.csv") -> Path:
    """Write a file of signals."""
    folder = Path("signals")
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The weights of all positions, fractions of equity, by what was paid for them."""
    monkeypatch.setenv("REBALANCER_PROFILE", "weights")
    equity = rebalancer.account().equity
    return {p.symbol: float(p.qty * p.avg_entry_price / equity) for p in rebalancer.positions()}


def ran(command: Command, *words: str) -> dict[str, tuple[str, str]]:  # noqa: F811
    """One run: outcome and reason of every symbol with a signal, and its exit code under "exit"."""
    done = command(*words, "run-now", "--json")
    document = json.loads(done.out)
    return {v["symbol"]: (v["outcome"], v["because"]) for v in document["verdicts"]} | {"exit": (str(done.code), "")}


def test_sixty_forty_comes_out_as_sixty_forty(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    put(HEAD + "SPY,60%\nAGG,40%\n")
    found = ran(command, *WEIGHTS)
    assert {s: v[0] for s, v in found.items()} == {"SPY": "FILLED", "AGG": "FILLED", "exit": "0"}
    assert "target 0.60 of equity = 0.60 of capital" in found["SPY"][1]
    weights = held(monkeypatch)
    assert weights == {"SPY": pytest.approx(0.6, abs=0.0005), "AGG": pytest.approx(0.4, abs=0.0005)}
    ran(command, *WEIGHTS)  # what slippage put above a sum of 1 is sold
    again = ran(command, *WEIGHTS)
    assert {s: v[0] for s, v in again.items()} == {"SPY": "HELD_WITHIN_BAND", "AGG": "HELD_WITHIN_BAND", "exit": "0"}

    put(HEAD + "SPY,0.3\nAGG,0.3\n")  # a new version replaces the book
    ran(command, *WEIGHTS)
    assert held(monkeypatch) == {"SPY": pytest.approx(0.3, abs=0.002), "AGG": pytest.approx(0.3, abs=0.002)}


def test_a_file_that_is_gone_replaces_nothing(command: Command, project: Path) -> None:  # noqa: F811
    path = put(HEAD + "SPY,0.05\n")
    assert ran(command)["SPY"][0] == "FILLED"
    path.unlink()
    gone = command("run-now", "--json")
    verdicts = {v["symbol"]: v["outcome"] for v in json.loads(gone.out)["verdicts"]}
    assert verdicts == {"SPY": "HELD_WITHIN_BAND"}  # and the bundled sample stays out of it
    assert "the file of targets is gone: its 1 target weights hold until it is back" in gone.err

    put(HEAD + "SPY,0.2\n", "renamed.csv")  # what a file says stands above what a lost one said
    assert "target 0.20 of equity = 0.10 of capital" in ran(command)["SPY"][1]

    put("# rows: 0\n" + HEAD)  # withdrawn
    Path("signals/renamed.csv").write_text("# rows: 0\n" + HEAD)
    assert json.loads(command("plan", "--json").out)["verdicts"] != []  # the sample again


def test_older_weights_never_replace_newer_ones(command: Command, project: Path) -> None:  # noqa: F811
    dated = "date,symbol,weight\n2026-11-{},SPY,{}\n"
    path = put(dated.format(19, "0.05"))
    assert ran(command)["SPY"][0] == "FILLED"
    put(dated.format(18, "0.5"))
    for words in (("run-now",), ("run-now", "--dry-run"), ("plan",)):
        done = command(*words)
        assert done.code == 78
        assert "error: targets: as_of: 2026-11-18T05:00:00Z is older than the weights of targets in force" in done.err
        assert "hint: put the newer file back" in done.err
    path.unlink()  # and neither does an older one after a newer one has gone
    assert "SPY" in ran(command)
    put(dated.format(18, "0.5"))
    assert command("run-now").code == 78
    put(dated.format(20, "0.05"))
    assert ran(command)["SPY"][0] == "HELD_WITHIN_BAND"


def test_a_dry_run_remembers_nothing(command: Command, project: Path) -> None:  # noqa: F811
    path = put(HEAD + "SPY,0.05\n")
    assert command("run-now", "--dry-run", "--json").code == 0
    path.unlink()
    assert "is gone" not in command("run-now", "--dry-run").err
    assert "SPY" not in {order["symbol"] for order in json.loads(command("plan", "--json").out)["orders"]}


def test_a_complete_file_closes_what_it_does_not_mention(command: Command, project: Path) -> None:  # noqa: F811
    put("# complete: true\n" + HEAD + "AAPL,0.09\nSPY,0.05\n")
    found = ran(command)
    assert {s: v[0] for s, v in found.items()} == {
        "AAPL": "HELD_WITHIN_BAND", "JPM": "FILLED", "SPY": "FILLED", "XOM": "FILLED", "exit": "0",
    }  # fmt: skip
    assert "a target weight of 0 asks for no position" in found["XOM"][1]


def test_a_target_beats_a_score_of_another_file(command: Command, project: Path) -> None:  # noqa: F811
    put(HEAD + "AAPL,0.09\n")
    put("symbol,score,confidence\nAAPL,-1,1\n", "opinion.csv")
    done = command("run-now", "--json")
    verdicts = {
        v["signal_id"].rpartition("-")[0]: (v["outcome"], v["because"]) for v in json.loads(done.out)["verdicts"]
    }
    assert verdicts["targets"][0] == "HELD_WITHIN_BAND"
    assert verdicts["opinion"][0] == "REJECTED_SUPERSEDED"
    assert re.fullmatch(
        r"targets gives a target weight, targets-\w{16}, which stands above any score", verdicts["opinion"][1]
    )


def test_an_unchanged_file_has_the_same_ids_and_a_changed_one_new_ones(command: Command, project: Path) -> None:  # noqa: F811
    def ids() -> set[str]:
        return {v["signal_id"] for v in json.loads(command("plan", "--json").out)["verdicts"]}

    path = put(HEAD + "SPY,0.05\nAGG,0.05\n")
    first = ids()
    path.write_text(path.read_text())
    assert (len(first), ids()) == (2, first)
    path.write_text(HEAD + "SPY,0.06\nAGG,0.05\n")
    assert first & ids() == set()


def test_a_sum_above_the_cap_is_scaled_and_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    put(HEAD + "SPY,1.2\nAGG,0.8\n")
    done = command(*WEIGHTS, "run-now", "--json")
    assert "the weights sum to 2 of equity, more than 1; what the caps do not allow is scaled down" in done.err
    assert "gross x 0.50" in next(v["because"] for v in json.loads(done.out)["verdicts"] if v["symbol"] == "AGG")
    assert held(monkeypatch) == {"SPY": pytest.approx(0.6, abs=0.001), "AGG": pytest.approx(0.4, abs=0.001)}


def test_a_bad_file_sends_nothing_and_gives_every_reason(command: Command, project: Path) -> None:  # noqa: F811
    put(HEAD + "SPY,nan\nSPY,60\n")
    done = command("run-now")
    assert (done.code, done.out) == (78, "")
    assert done.err.startswith("error: ")
    assert "targets.csv:2: weight: 'nan' is not finite; symbol: SPY stands in line 3 too\n  hint: " in done.err
    assert "targets.csv:3: weight: 60 is above 5: percent?; symbol: SPY stands in line 2 too" in done.err
    assert "the weights sum to 60, above 20" in done.err


def test_signals_test_gives_every_row(command: Command, project: Path) -> None:  # noqa: F811
    put("# complete: true\nTicker;Weight\nSPY;60%\nAGG;40%", "mine.csv")
    done = command("signals", "test", "signals/mine.csv", "--json")
    document = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert {name: document[name] for name in ("format", "complete", "rows", "warnings")} == {
        "format": "targets_long",
        "complete": True,
        "rows": [
            {"line": 3, "symbol": "SPY", "kind": "target", "value": "0.6", "source": "mine", "problem": None},
            {"line": 4, "symbol": "AGG", "kind": "target", "value": "0.4", "source": "mine", "problem": None},
        ],
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("text", "name", "rows", "said"),
    [
        (HEAD + "SPY,0.6\nAGG,inf\n", "bad.csv", [None, "weight: 'inf' is not finite"], "bad.csv:3: weight: 'inf'"),
        ("date,SPY\n03/04/2026,0.6\n", "bad.csv", [], "can be read two ways: 3 April 2026, or 4 March 2026"),
        ('{"ticker": "A", "action": "buy", "confidence": 85}', "bad.json", ["confidence: 85 is outside 0 to 1"], "#/0: "),
        (None, "none.csv", [], "none.csv: cannot be read"),
    ],
)  # fmt: skip
def test_signals_test_refuses_with_json_too(
    text: str | None, name: str, rows: list[str | None], said: str, command: Command, project: Path  # noqa: F811
) -> None:  # fmt: skip
    if text is not None:
        put(text, name)
    done = command("signals", "test", f"signals/{name}", "--json")
    document = json.loads(done.out)
    assert done.code == 78
    assert [row["problem"] for row in document["rows"]] == rows
    assert done.err.startswith(f"error: signals/{name}")
    assert said in done.err
    assert "\n  hint: " in done.err


def test_a_frame_of_a_notebook_is_traded(command: Command, project: Path) -> None:  # noqa: F811
    frame = pd.DataFrame({"SPY": [0.5, 0.05], "AGG": [0.5, 0.04]}, index=pd.to_datetime(["2026-11-19", "2026-11-20"]))
    path = rebalancer.write_signals(frame, "notebook")
    assert json.loads(path.read_text()) == {
        "schema": "rebalancer.targets/1",
        "as_of": "2026-11-20T05:00:00Z",
        "complete": False,
        "targets": [
            {"symbol": "SPY", "weight": "0.05", "source": "notebook"},
            {"symbol": "AGG", "weight": "0.04", "source": "notebook"},
        ],
    }
    assert {s: v[0] for s, v in ran(command).items()} == {"SPY": "FILLED", "AGG": "FILLED", "exit": "0"}
    with pytest.raises(rebalancer.BadDocument, match="is as of 2026-11-19T05:00:00Z, older than the weights in noteb"):
        rebalancer.write_signals(frame[:1], "notebook")
    wrong = pd.DataFrame({"symbol": ["SPY", "SPY"], "weight": [0.5, 60.0]})
    with pytest.raises(rebalancer.BadDocument, match="row 1: symbol: SPY stands in line 2 too") as error:
        rebalancer.write_signals(wrong, "notebook")
    assert len(error.value.__notes__) == 2
    assert json.loads(path.read_text())["targets"][0]["weight"] == "0.05"


def test_the_unit_of_a_file_is_converted(command: Command, project: Path) -> None:  # noqa: F811
    put("# weights_of: capital\n" + HEAD + "SPY,0.05\n")
    assert "target 0.10 of equity = 0.05 of capital" in ran(command)["SPY"][1]
