"""Many accounts on one host: `python benchmarks/desk_accounts.py --accounts 50 --slots 3` prints one JSON document.

`rebalancer desk run` with so many profiles, each with its own key, state and exchange; all exchanges run in one other
process, in real time. Eight target weights change every two minutes, so that every cycle trades; the default monitor
looks at the prices. What is measured: memory of
the sessions (PSS: shared pages count once), processor time, how long after its slot each account's cycle began and
ended (the exchange's time), and rows and bytes of the journals.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rebalancer.cli.drill_hosts import write_targets

ROOT = Path(__file__).parents[1]
SERVER = """
import sys
from datetime import UTC, datetime
from rebalancer.exchange.starter import ExchangeOptions, start_exchange
start = datetime(2026, 11, 20, 15, 0, 30, tzinfo=UTC)
options = [ExchangeOptions(seed=n, rate_limit_per_minute=0, start=start) for n in range(int(sys.argv[1]))]
served = [start_exchange(one) for one in options]
print(*(one.url for one in served), flush=True)
sys.stdin.read()
"""
RULES = """
execution: {{interval_minutes: 2}}
signals: {{sample: never}}
reporting: {{directory: {reports}, parity: false}}
"""
SLOTS_A_DAY = 78
SYMBOLS = ("AAPL", "CAT", "COST", "JNJ", "JPM", "KO", "MSFT", "XOM")
BEGINS = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
TICKS = os.sysconf("SC_CLK_TCK")


def write_accounts(folder: Path, urls: list[str]) -> list[str]:
    """A project with one profile an address, and their env files."""
    project, config = folder / "project", folder / "config"
    shutil.copytree(ROOT / "config", project / "config")
    (project / "config" / "execution.yaml").write_text(RULES.format(reports=folder / "reports"))
    shutil.rmtree(project / "config" / "profiles")
    (project / "config" / "profiles").mkdir()
    (project / "signals").mkdir()
    config.mkdir()
    names = [f"a{number:03}" for number in range(len(urls))]
    for name, url in zip(names, urls, strict=True):
        (project / "config" / "profiles" / f"{name}.yaml").write_text("position_sizing: {capital_scaling: 1.0}\n")
        file = config / f"paper-trading@{name}.env"
        file.write_text(
            f"APCA_API_KEY_ID=PK{name}\nAPCA_API_SECRET_KEY=s\nAPCA_API_BASE_URL={url}\nAPCA_API_DATA_URL={url}\n"
        )
        file.chmod(0o600)
    (project / "config" / "desk.yaml").write_text(f"accounts: [{', '.join(names)}]\n")
    return names


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory_mb(pid: int) -> float:
    """Proportional set size."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def read_journal(path: Path) -> tuple[dict[str, tuple[float, float]], int, int, int]:
    """Seconds after each slot at which its cycle began and ended; rows, rows of the cycles alone, and bytes."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            rows = file.execute("SELECT cycle_id, kind, at FROM events WHERE cycle_id IS NOT NULL").fetchall()
            count = file.execute("SELECT count(*) FROM events").fetchone()[0]
    except sqlite3.OperationalError:  # it is being made
        return {}, 0, 0, 0
    at = {(cycle, kind): datetime.fromisoformat(when) for cycle, kind, when in rows}
    delays = {}
    for cycle, kind in at:
        if kind == "cycle_ended" and (cycle, "cycle_started") in at:
            due = datetime.fromisoformat(cycle)
            began, ended = (at[cycle, end] - due for end in ("cycle_started", "cycle_ended"))
            delays[cycle] = (began.total_seconds(), ended.total_seconds())
    return (
        delays,
        count,
        sum(cycle in delays for cycle, _, _ in rows),
        sum(one.stat().st_size for one in path.parent.glob("journal.sqlite*")),
    )


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    ordered = sorted(values) or [float("nan")]
    return {
        "p50": round(statistics.median(ordered), 2), "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "max": round(ordered[-1], 2),
    }  # fmt: skip


def measure(folder: Path, accounts: int, slots: int, seconds_max: float) -> dict[str, Any]:
    """Run the desk until every account has ended so many cycles."""
    served = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(accounts)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert served.stdout is not None
    assert served.stdin is not None
    names = write_accounts(folder, served.stdout.readline().split())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APCA_", "REBALANCER"))}
    environ = kept | {
        "XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config"), "PYTHONPATH": str(ROOT),
        "XDG_RUNTIME_DIR": str(folder), "NO_PROXY": "127.0.0.1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip
    began = time.monotonic()
    with (folder / "log").open("wb") as log:
        desk = subprocess.Popen(
            [sys.executable, "-m", "rebalancer", "desk", "run"], cwd=folder / "project", env=environ, stderr=log
        )
    journals = [folder / "state" / "rebalancer" / "profiles" / name / "paper" / "journal.sqlite" for name in names]
    try:
        found: list[tuple[dict[str, tuple[float, float]], int, int, int]] = []
        while time.monotonic() - began < seconds_max:
            passed = int(time.monotonic() - began)
            heavy = passed // 120 % 2
            weights = {symbol: (0.04, 0.09)[(number + heavy) % 2] for number, symbol in enumerate(SYMBOLS)}
            write_targets(folder, weights, BEGINS + timedelta(seconds=passed))
            time.sleep(5)
            found = [read_journal(path) for path in journals if path.exists()]
            if len(found) == accounts and min(len(ends) for ends, *_ in found) > slots:
                break
        pids = children(desk.pid)
        before = [cpu_seconds(pid) for pid in pids]
        time.sleep(20)
        idle = sum(map(cpu_seconds, pids)) - sum(before)
        memory = [memory_mb(pid) for pid in pids]
        own = memory_mb(desk.pid)
    finally:
        desk.terminate()
        desk.wait(300)
        served.stdin.close()
        served.wait(30)
    delays = [ends[cycle] for ends, *_ in found for cycle in sorted(ends)[1:]]  # the first one begins with the session
    cycles = sum(len(ends) for ends, *_ in found)
    per_cycle = sum(of_cycles for _, _, of_cycles, _ in found) / max(cycles, 1)
    return {
        "accounts": accounts, "sessions": len(pids), "journals": len(found), "cycles": cycles,
        "memory_mb_a_session": spread(memory), "memory_mb_in_all": round(sum(memory)), "memory_mb_desk": round(own),
        "began_seconds_after_the_slot": spread([began for began, _ in delays]),
        "ended_seconds_after_the_slot": spread([ended for _, ended in delays]),
        "processor_percent_of_one_core_between_cycles": round(100 * idle / 20, 1),
        "rows_a_cycle": round(per_cycle, 1), "rows_a_day_and_account": round(per_cycle * SLOTS_A_DAY),
        "bytes_a_journal": round(statistics.mean(size for *_, size in found)),
        "load_average": os.getloadavg()[0], "processors": os.cpu_count(),
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--slots", type=int, default=3)
    parser.add_argument("--seconds-max", type=float, default=700.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accounts-") as name:
        print(json.dumps(measure(Path(name), given.accounts, given.slots, given.seconds_max), indent=1))
