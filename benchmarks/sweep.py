"""Sweeps of many points: `python -m benchmarks.sweep speed | killed | dask`.

    speed     heavy points on one worker and on two, in turns: wall and processor seconds, and their ratios
    killed    1,000 points on two workers, all of them killed on the way, and run again
    dask      1,000 points on a scheduler and two workers of Dask (extra `sweep`)

Prices are random walks and weights are random, in a folder of their own that is removed. Wall time means something on
a machine that does nothing else: the load is printed. Processor seconds are of all processes of a run but the workers
of Dask.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

POINTS: Final = 1000
KILLED_AT: Final = 400  # results
ROUNDS: Final = 2
HEAVY: Final = (5_000, 100, 24)  # bars, names, points
LIGHT: Final = (750, 10, POINTS)


class Took(NamedTuple):
    """A run: its document, wall and processor seconds of all of its processes, and the largest one's peak in MB."""

    found: dict[str, Any]
    wall: float
    cpu: float
    megabytes: float


def write_files(folder: Path, bars: int, names: int, points: int) -> None:
    """Prices, weekly weights and a grid of so many points."""
    draw = np.random.default_rng(7)
    index = pd.bdate_range("2000-01-03", periods=bars)
    symbols = [f"S{i:03}" for i in range(names)]
    close = pd.DataFrame(50 * np.exp(np.cumsum(draw.normal(0, 0.01, (bars, names)), axis=0)), index, symbols)
    close.round(4).to_csv(folder / "prices.csv", index_label="date")
    said = pd.DataFrame(draw.dirichlet(np.ones(names), len(index[::5])), index[::5], symbols)
    said.round(4).to_csv(folder / "targets.csv", index_label="date")
    steps = points // 4
    (folder / "grid.yaml").write_text(
        "backtest: {prices: prices.csv, targets: targets.csv, fill: next_close}\n"
        "grid:\n"
        f"  position_sizing.no_trade_band.absolute: {{from: 0.0005, to: 0.02, steps: {steps}}}\n"
        "  position_sizing.max_position_size: [0.05, 0.15]\n"
        "  costs.half_spread_bps: [1, 5]\n"
    )


def command(out: str, *words: str) -> list[str]:
    """A grid with its results and its ledger in one folder."""
    return [
        sys.executable, "-m", "rebalancer", "grid", "--grid", "grid.yaml", "--out", out, "--ledger", f"{out}.jsonl",
        "--json", *words,
    ]  # fmt: skip


def ran(folder: Path, words: Sequence[str]) -> Took:
    """Run to the end."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), monotonic()
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    wall, after = monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(json.loads(done.stdout), wall, cpu, after.ru_maxrss / 1024)


def told(what: str, took: Took) -> None:
    """One line a run."""
    found = took.found
    print(
        f"{what}: {found['done']} of {found['points']} points, {found['failed']} failed, {found['computed']} computed, "
        f"{found['trials_ever']} trials, audit {found['audit']}, {took.wall:.1f} s, {took.cpu:.1f} cpu s, "
        f"{took.megabytes:.0f} MB at most in a process so far, load {os.getloadavg()[0]:.1f}"
    )


def speed(folder: Path) -> None:
    """One worker and two, in turns."""
    write_files(folder, *HEAVY)
    ran(folder, command("warm", "--workers", "1"))  # the compiler's copy and the files are in the cache
    for turn in range(ROUNDS):
        one, two = (ran(folder, command(f"out{turn}{n}", "--workers", str(n))) for n in (1, 2))
        told("1 worker", one)
        told("2 workers", two)
        print(f"wall {one.wall / two.wall:.2f} x as fast, with {two.cpu / one.cpu:.2f} x the processor time")
        best = [{name: took.found["best"][name] for name in ("keys", "sharpe")} for took in (one, two)]
        assert best[0] == best[1]


def killed(folder: Path) -> None:
    """Kill a run with all of its processes, and run it again."""
    write_files(folder, *LIGHT)
    words, points = command("out", "--workers", "2"), folder / "out" / "points"
    begun = monotonic()
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while not points.exists() or len(list(points.glob("*.json"))) < KILLED_AT:
        assert process.poll() is None, "it ended before it was killed"
        sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = {path.name: path.stat().st_mtime_ns for path in points.glob("*.json")}
    print(f"killed with {len(there)} results after {monotonic() - begun:.1f} s")
    again = ran(folder, words)
    told("run again", again)
    after = {path.name: path.stat().st_mtime_ns for path in points.glob("*.json")}
    assert all(after[name] == at for name, at in there.items()), "a result was computed twice"
    assert again.found["computed"] == POINTS - len(there)
    told("a third time", ran(folder, words))


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """A scheduler and two workers; its address."""
    file = folder / "scheduler.json"
    common = ["--no-dashboard", "--scheduler-file", str(file)]
    worker = ["worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1", *common]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for words in (["scheduler", "--host", "127.0.0.1", "--port", "0", *common], worker, worker)
    ]
    try:
        while not file.exists() or not file.stat().st_size:
            sleep(0.05)
        yield str(json.loads(file.read_text())["address"])
    finally:
        for one in started:
            one.terminate()
            one.wait()


def dask(folder: Path) -> None:
    """The same points on two workers of Dask."""
    write_files(folder, *LIGHT)
    with scheduler(folder) as address:
        told("two Dask workers", ran(folder, command("out", "--scheduler", address)))
    told("found again here", ran(folder, command("out")))


def main() -> None:
    """Measure one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "killed", "dask"))
    what = parser.parse_args().what
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory() as folder:
        {"speed": speed, "killed": killed, "dask": dask}[what](Path(folder))


if __name__ == "__main__":
    main()
