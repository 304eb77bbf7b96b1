"""The ledger of trials: appended by many, torn by a power cut, tampered with, and what is counted from it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rebalancer
from rebalancer.core.documents import BadDocument
from rebalancer.research import backtest
from rebalancer.research.trial_figures import figures_of_trial
from rebalancer.research.trial_ledger import Trial, TrialKey, TrialLedger, append_trials, ledger_path, read_trials
from tests.research.stand_in import stand_in

AT = datetime(2026, 11, 20, 15, tzinfo=UTC)


def trial(name: str, data: str = "d", seed: int = 1, days: int = 252, code: str = "c") -> Trial:
    returns = np.random.default_rng(seed).normal(0.0005, 0.01, days).astype(np.float32).astype(np.float64)
    return Trial(AT, "backtest", TrialKey(name, data, code), (date(2025, 1, 2), date(2025, 12, 31), days), returns)


def equal(one: Trial, other: Trial) -> bool:
    return one._replace(returns=other.returns) == other and np.array_equal(one.returns, other.returns)


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "trials.jsonl"
    first, second = trial("a"), trial("b", seed=2)
    append_trials(path, [first])
    append_trials(path, [second, first])
    found = read_trials(path)
    assert [equal(*pair) for pair in zip(found.trials, [first, second, first], strict=True)] == [True] * 3
    assert found.torn == 0
    assert (os.stat(path).st_mode & 0o777, read_trials(tmp_path / "none")) == (0o600, TrialLedger())


def test_a_torn_line_is_ended_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    append_trials(path, [trial("a"), trial("b")])
    whole = path.read_bytes()
    for cut in (1, 40, len(whole) // 2 - 3):
        path.write_bytes(whole[:-cut])
        append_trials(path, [trial("c")])
        append_trials(path, [trial("d")])
        found = read_trials(path)
        kept = "abcd" if cut == 1 else "acd"
        assert ("".join(one.key.config for one in found.trials), found.torn) == (kept, 0 if cut == 1 else 1)
        assert path.read_bytes().startswith(whole[:-cut])


@pytest.mark.parametrize("change", ["drop", "swap", "edit"])
def test_a_changed_ledger_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "trials.jsonl"
    append_trials(path, [trial(name) for name in "abcd"])
    lines = path.read_text().splitlines()
    if change == "drop":
        del lines[1]
    elif change == "swap":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        lines[1] = json.dumps(json.loads(lines[1]) | {"sharpe": 9})
    path.write_text("\n".join([*lines, ""]))
    with pytest.raises(BadDocument, match=r"trials.jsonl:[23]: does not follow"):
        read_trials(path)


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    with pytest.raises(BadDocument, match="no ledger"):
        append_trials(path, [trial("a")])
    assert path.read_text() == "my notes\n"
    with pytest.raises(BadDocument, match="not a regular file"):
        append_trials(Path("/dev/null"), [trial("a")])


WRITER = """
import sys; from pathlib import Path; from tests.research.test_trial_ledger import *
for n in range(10_000): append_trials(Path(sys.argv[1]), [trial(f"{sys.argv[2]}-{n}", days=60)])
"""


def test_processes_that_are_killed_lose_no_line_of_others(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    started = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)]) for n in range(3)]
    try:
        while not path.exists() or path.read_bytes().count(b"\n") < 60:
            assert all(one.poll() is None for one in started)
    finally:
        for one in started:
            one.send_signal(signal.SIGKILL)
            one.wait()
    append_trials(path, [trial("last")])
    found = read_trials(path)
    by_writer: dict[str, list[int]] = {}
    for one in found.trials[:-1]:
        writer, _, number = one.key.config.partition("-")
        by_writer.setdefault(writer, []).append(int(number))
    assert by_writer == {writer: list(range(len(numbers))) for writer, numbers in by_writer.items()}
    assert (found.trials[-1].key.config, len(found.trials) >= 60) == ("last", True)


def test_the_same_setting_is_one_trial_and_other_data_another() -> None:
    own = trial("a", seed=4)
    before = TrialLedger((trial("a"), trial("a", code="older"), trial("b", seed=2), trial("a", data="e", seed=3)))
    found = figures_of_trial(own, before)
    assert (found.trials, found.pbo_trials, found.years, found.settings_carried) == (3, 3, 1.0, 3)
    alone = figures_of_trial(own, TrialLedger())
    assert (alone.trials, alone.pbo, alone.min_backtest_years) == (1, None, 0.0)
    assert alone.deflated_sharpe is not None
    assert found.deflated_sharpe is not None
    assert found.deflated_sharpe < alone.deflated_sharpe
    assert found.note == "one year can carry about 3 settings; 3 were tried, which need 0.7 years"


def test_backtests_from_python_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    days = pd.bdate_range("2026-01-02", periods=40)
    close = pd.DataFrame(50 * np.exp(np.cumsum(draw.normal(0, 0.02, (40, 2)), axis=0)), days, ["AAA", "BBB"])
    weights = pd.DataFrame(0.5, days[:1], ["AAA", "BBB"])
    monkeypatch.setattr(backtest, "load_engine", lambda: stand_in)
    monkeypatch.setenv("REBALANCER_TRIALS", str(tmp_path / "trials.jsonl"))
    for fill in ("next_close", "next_close", "same_close"):
        run = rebalancer.backtest(close, weights, preset="bare", fill=fill)  # type: ignore[arg-type]
    assert run.overfitting is not None
    assert run.document()["overfitting"]["trials"] == 2
    assert len(read_trials(ledger_path()).trials) == 3
    kept = read_trials(ledger_path()).trials[0]
    assert kept.days == (days[0].date(), days[-1].date(), 40)
