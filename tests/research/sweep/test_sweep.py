"""Sweeps: a grid killed and resumed, several processes, Dask workers, a search, and files that cannot be used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rebalancer.core.rules import Rules
from rebalancer.research.backtest import BacktestRequest
from rebalancer.research.sweep.compute import OtherInputs, compute_point
from rebalancer.research.sweep.grid_file import read_grid
from rebalancer.research.sweep.points import FOLDER, PointMaker, PointResult, SweepPoint, every_setting
from rebalancer.research.sweep.run import SweepPlan, run_sweep
from rebalancer.research.sweep.summary import summary_of
from rebalancer.research.sweep.workers import DIED, computed_here
from rebalancer.research.trial_key import ROOMS
from rebalancer.research.trial_ledger import read_trials
from tests.cli.conftest import Command, command, project  # noqa: F401

ROOT = Path(__file__).parents[3]
GRID = """\
backtest: {prices: prices.csv, targets: targets.csv, fill: same_close}
grid:
  position_sizing.max_position_size: [0.05, 0.15]
  risk_management:
    max_unknown_sector_exposure: {from: 0.2, to: 0.8, steps: 3}
  costs.half_spread_bps: [0, 5]
"""
WORDS = ("grid", "--grid", "grid.yaml", "--out", "out", "--ledger", "trials.jsonl")


def files(folder: Path, days: int = 45) -> None:
    draw = np.random.default_rng(7)
    index = pd.bdate_range("2026-01-02", periods=days)
    names = ["AAA", "BBB", "CCC"]
    close = pd.DataFrame(50 * np.exp(np.cumsum(draw.normal(0, 0.02, (days, 3)), axis=0)), index, names)
    close.round(4).to_csv(folder / "prices.csv", index_label="date")
    pd.DataFrame(draw.dirichlet([1, 1, 1], days // 5), index[::5], names).round(4).to_csv(
        folder / "targets.csv", index_label="date"
    )
    (folder / "grid.yaml").write_text(GRID)


def request(folder: Path) -> BacktestRequest:
    return BacktestRequest(folder / "prices.csv", folder / "targets.csv", Rules(), fill="same_close")


def points(folder: Path) -> list[SweepPoint]:
    make = PointMaker(request(folder))
    return [make(keys) for keys in every_setting(read_grid(folder / "grid.yaml").axes)]


def run(command: Command, *words: str, code: int = 0) -> dict[str, Any]:  # noqa: F811
    said = command(*WORDS, *words, "--json")
    assert said.code == code, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_a_grid_its_document_and_its_page(command: Command) -> None:  # noqa: F811
    files(Path())
    found = run(command)
    assert {name: found[name] for name in ("schema", "points", "done", "failed", "computed", "trials_ever")} == {
        "schema": "rebalancer.sweep/1", "points": 12, "done": 12, "failed": 0, "computed": 12, "trials_ever": 12,
    }  # fmt: skip
    assert found["best"]["sharpe"] == max(row["sharpe"] for row in found["ranking"])
    assert (found["best"]["overfitting"]["trials"], found["audit"]) == (12, {"bars": 36, "differences": 0})
    assert list(found["best"]["keys"]) == [
        "position_sizing.max_position_size", "risk_management.max_unknown_sector_exposure", "costs.half_spread_bps",
    ]  # fmt: skip
    assert run(command)["computed"] == 0
    page = Path("out/sweep.html").read_text()
    assert page.count('<table class="months">') == 3
    assert "http" not in page.replace("http-equiv", "")
    assert json.loads(page.split('id="report-data">')[1].split("</script>")[0])["points"] == 12
    assert json.loads(Path("out/sweep.json").read_text())["done"] == 12
    best = found["best"]["keys"]
    Path("best.yaml").write_text(
        f"position_sizing: {{max_position_size: {best['position_sizing.max_position_size']}}}\nrisk_management: "
        f"{{max_unknown_sector_exposure: {best['risk_management.max_unknown_sector_exposure']}}}\n"
    )
    said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", "--fill", "same_close", "--config",
                   "config/execution.yaml", "--config", "best.yaml", "--half-spread",
                   str(best["costs.half_spread_bps"]), "--ledger", "trials.jsonl", "--json")  # fmt: skip
    alone = json.loads(said.out)
    assert (alone["total_return"], alone["overfitting"]["trials"]) == (found["best"]["total_return"], 12)


def test_what_was_killed_is_resumed(project: Path) -> None:  # noqa: F811
    files(project, days=400)
    words = [sys.executable, "-m", "rebalancer", *WORDS, "--workers", "2", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen(words, cwd=project, env=environment, stderr=subprocess.DEVNULL)
    folder = project / "out" / FOLDER
    while not folder.exists() or len(list(folder.glob("*.json"))) < 3:
        assert started.poll() is None
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    started.send_signal(signal.SIGKILL)
    started.wait()
    while any(Path(f"/proc/{child}").exists() and _state(child) != "Z" for child in children):
        time.sleep(0.05)
    there = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    damaged = min(there)
    (folder / damaged).write_text("{")
    again = json.loads(subprocess.run(words, cwd=project, env=environment, capture_output=True, check=True).stdout)
    assert (again["done"], again["computed"], again["trials_ever"]) == (12, 12 - len(there) + 1, 12)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert {name for name in there if after[name] != there[name]} == {damaged}
    assert len(read_trials(project / "trials.jsonl").settings) == 12


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def killing(folder: Path, point: SweepPoint) -> PointResult:
    """A worker that is killed by one point, and by nothing else."""
    if point.keys["costs.half_spread_bps"] == 5 and point.keys["position_sizing.max_position_size"] == 0.05:
        os.kill(os.getpid(), signal.SIGKILL)
    return PointResult(point.keys, point.key, pd.Timestamp("2026-01-02", tz="UTC").to_pydatetime())


def test_a_point_that_kills_its_worker_is_told_from_its_neighbours(tmp_path: Path) -> None:
    files(tmp_path)
    innocent, guilty = points(tmp_path)[:2]
    found = {point.id: what for point, what in computed_here(tmp_path, [innocent, guilty], 2, killing)}
    assert (found[guilty.id], type(found[innocent.id])) == (DIED, PointResult)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[str]:
    """A Dask scheduler and two workers, each a process of its own."""
    told, environment = tmp_path / "scheduler.json", {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "dask"]
    common = {"cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen(
            [*words, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", told],
            **common,
        )
    ]
    for name in "ab":
        here = [*words, "worker", "--scheduler-file", told, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        started.append(subprocess.Popen([*here, "--name", name, "--host", "127.0.0.1"], **common))
    try:
        while not told.exists() or not told.read_text().strip():
            assert all(one.poll() is None for one in started)
        yield json.loads(told.read_text())["address"]
    finally:
        for one in started:
            one.kill()
            one.wait()


def test_two_dask_workers(dask: str, tmp_path: Path) -> None:
    files(tmp_path)
    own, other = tmp_path / "own", tmp_path / "other"
    plan = SweepPlan(other, tmp_path / "trials.jsonl", scheduler=dask)
    found = run_sweep(points(tmp_path), plan)
    alone = run_sweep(points(tmp_path), SweepPlan(own, tmp_path / "trials.jsonl"))
    assert (found.computed, len(found.done), alone.computed) == (12, 12, 12)
    assert [result.returns for result in found.results] == [result.returns for result in alone.results]
    assert len(read_trials(tmp_path / "trials.jsonl").settings) == 12
    assert run_sweep(points(tmp_path), plan).computed == 0


def test_results_of_another_machine_are_counted_once(tmp_path: Path) -> None:
    files(tmp_path)
    every = points(tmp_path)
    for point in every[:5]:
        compute_point(tmp_path / "shared", point)
    found = run_sweep(every, SweepPlan(tmp_path / "shared", tmp_path / "trials.jsonl"))
    assert (found.computed, len(found.ledger.trials)) == (7, 12)
    (tmp_path / "targets.csv").write_text((tmp_path / "targets.csv").read_text().replace("0.1", "0.2"))
    assert run_sweep(points(tmp_path), SweepPlan(tmp_path / "shared", tmp_path / "trials.jsonl")).computed == 12
    assert len(read_trials(tmp_path / "trials.jsonl").settings) == 24


@pytest.mark.parametrize("workers", [1, 2])
def test_data_that_change_during_a_sweep_leave_no_result(tmp_path: Path, workers: int) -> None:
    files(tmp_path)
    every, whole = points(tmp_path)[:3], (tmp_path / "prices.csv").read_text()
    plan = SweepPlan(tmp_path / "out", tmp_path / "trials.jsonl", workers)
    (tmp_path / "prices.csv").write_text(whole.rpartition("\n2026")[0] + "\n")
    found = run_sweep(every, plan)
    assert {why for _, why in found.lost} == {"computed with other data than the sweep began with: begin it again"}
    assert (len(found.lost), found.results, found.ledger.trials) == (3, (), ())
    (tmp_path / "prices.csv").unlink()  # as on a machine that does not have it
    assert len(run_sweep(every[:1], plan).lost) == 1
    (tmp_path / "prices.csv").write_text(whole)
    assert run_sweep(every, plan).computed == 3


def test_a_worker_with_another_version_of_the_program_leaves_no_result(tmp_path: Path) -> None:
    files(tmp_path)
    point = points(tmp_path)[0]
    with pytest.raises(OtherInputs, match="other program"):
        compute_point(tmp_path, point._replace(key=point.key._replace(code="0" * 64)))
    assert not (tmp_path / FOLDER).exists()


def test_every_room_that_computes_is_in_the_hash_of_the_code() -> None:
    """The others read files, keep records, or hold types."""
    words = (
        "import sys, rebalancer.research.sweep.compute\n"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('rebalancer.')})"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    rooms = set(done.stdout.split())
    assert {"core", "planning", "regimes", "performance"} <= rooms
    assert rooms - set(ROOMS) == {"brokers", "journal", "ops", "settings", "version"}


def test_a_search_that_was_killed_proposes_the_same_again(command: Command) -> None:  # noqa: F811
    files(Path())
    Path("grid.yaml").write_text(
        GRID.replace("[0.05, 0.15]", "{from: 0.02, to: 0.3}")
        + "  execution.max_orders_per_execution: {from: 2, to: 9}\n"
    )
    words = ("search", *WORDS[1:], "--trials", "6", "--batch", "3", "--json")
    said = command(*words)
    assert said.code == 0, said.err
    first = json.loads(said.out)
    assert (first["points"], first["done"], first["computed"], first["trials_ever"]) == (6, 6, 6, 6)
    keys = [row["keys"] for row in first["ranking"]]
    assert all(2 <= row["execution.max_orders_per_execution"] <= 9 for row in keys)
    assert len({row["position_sizing.max_position_size"] for row in keys}) == 6
    for path in list(Path("out", FOLDER).glob("*.json"))[:2]:
        path.unlink()
    again = json.loads(command(*words).out)
    assert (again["computed"], again["ranking"]) == (2, _untimed(first, again))


def _untimed(first: dict[str, Any], again: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [row | {"seconds": other["seconds"]} for row, other in zip(first["ranking"], again["ranking"], strict=True)]


def test_settings_that_the_rules_refuse_have_no_result(command: Command) -> None:  # noqa: F811
    files(Path())
    Path("grid.yaml").write_text(GRID.replace("[0.05, 0.15]", "[0.05, 7.0]"))
    found = run(command, code=1)
    assert (found["points"], found["done"], found["failed"]) == (12, 6, 6)
    assert found["failures"][0]["problem"].startswith("rules: position_sizing.max_position_size:")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("grid: {position_sizing.max_postion_size: [1]}", "grid.yaml:1: position_sizing.max_postion_size: unknown key"),
        ("grid: {execution.signal_threshold: [0.1, 0.1]}", "has a value twice"),
        ("grid: {execution.signal_threshold: [high]}", "grid.yaml:1: execution.signal_threshold"),
        ("grid: {execution.signal_threshold: {from: 1, to: 0, steps: 3}}", "is no range"),
        ("grid: {execution.signal_threshold: {from: 0.1, to: 0.2}}", "without steps"),
        ("grid: {costs.spread: [1]}", "known here: half_spread_bps"),
        ("backtest: {price: p.csv}\ngrid: {execution.signal_threshold: [0.1]}", "is no option of a sweep"),
        ("grids: {}", "unknown section"),
        ("grid: {}", "names no key"),
        ("grid: {execution: [1]}", "names a section"),
    ],
)
def test_refusals(command: Command, text: str, words: str) -> None:  # noqa: F811
    files(Path())
    Path("grid.yaml").write_text(f"{text}\n")
    said = command(*WORDS, "--prices", "prices.csv", "--targets", "targets.csv")
    assert (said.code, said.out, words in said.err) == (78, "", True), said.err
    assert not Path("out", FOLDER).exists()


def test_a_file_of_keys_alone_is_a_grid(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text("execution.signal_threshold: [0.1, 0.2]\nprotection:\n  mode: ['off']\n")
    axes = read_grid(tmp_path / "grid.yaml").axes
    assert [(axis.key, axis.values) for axis in axes] == [
        ("execution.signal_threshold", (0.1, 0.2)), ("protection.mode", ("off",)),
    ]  # fmt: skip


def test_no_scheduler_and_no_workers(command: Command) -> None:  # noqa: F811
    files(Path())
    said = command(*WORDS, "--workers", "0")
    assert (said.code, "--workers" in said.err) == (78, True)


def test_a_summary_of_nothing(tmp_path: Path) -> None:
    files(tmp_path)
    found = summary_of(run_sweep([], SweepPlan(tmp_path, tmp_path / "trials.jsonl")))
    assert (found.best, found.document()["points"]) == (None, 0)
