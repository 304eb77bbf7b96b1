"""How `journal.sqlite.xz` was made: by the code of commit 38ffd06, planner edition 1, and never again.

    git worktree add /tmp/edition-1-code 38ffd06
    cd /tmp/edition-1-code && PYTHONPATH=$PWD python .../tests/journal/edition_1/make.py

On the embedded exchange (seed 7, nothing comes from outside), in /tmp/edition-1:

- the day of `rebalancer demo` with an hour between cycles and 40 seconds between looks at the prices: cycles that trade
  and cycles that hold, stops and targets by the monitor, an order by hand, a partial fill, a name that is halted, a
  broken loss limit, the work at the end of the day;
- with other rules: a dry run, a run with exits kept at the broker, a run that is killed after its first intent, the run
  that finds what it left behind, a halt by the kill switch, the resume, a run after it, and a flatten.

Written again it would be the journal of another edition. It stays as it is.
"""

from __future__ import annotations

import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

HOME = Path("/tmp/edition-1")
HERE = Path(__file__).resolve().parent
LATER = """\
signals: {path: signals, sample: never, max_age_minutes: 6000}
execution: {phase_timeout_seconds: 5, cancel_timeout_seconds: 5, order_type: limit, max_orders_per_execution: 6}
position_sizing: {base_position_size: 0.12, max_position_size: 0.15, method: inverse_volatility, allow_short: true}
risk_management: {sector_limits: {Technology: 0.4}, max_positions: 20}
protection: {mode: broker}
simulation: {seed: 7}
"""
SCORES = {"MSFT": 0.9, "XOM": -0.4, "CVX": 0.0, "KO": 0.5, "WMT": 0.3, "JNJ": 0.8, "UNH": 0.05, "MRK": 0.7, "ABBV": 0.7}


def play_the_day() -> None:
    """The demo's day in this process, with fewer cycles."""
    from rebalancer.cli import demo
    from rebalancer.session.setup import Setup
    from rebalancer.settings.load import load_rules

    def setup() -> Setup:
        text = demo.RULES.replace("SECTORS", "config/sectors.csv").replace("REPORTS", "reports")
        text = text.replace("execution: {", "execution: {interval_minutes: 60, ").replace(
            "poll_seconds: 300", "poll_seconds: 40"
        )
        (HOME / "demo.yaml").write_text(text)
        demo._opinions(HOME, demo.MORNING, demo.time(9, 20))
        return Setup(HOME, load_rules([HOME / "demo.yaml"], {}), "simulated", STATE, os.environ)

    demo._setup = setup
    assert demo.run_demo(show=False) == 0


STATE = HOME / "state" / "rebalancer" / "simulated"


def rebalancer(*words: str, codes: tuple[int, ...] = (0,)) -> None:
    """One command as a person types it."""
    done = subprocess.run([sys.executable, "-m", "rebalancer", *words], cwd=HOME, capture_output=True, text=True)
    print(words, done.returncode, done.stdout[:300], done.stderr[:300])
    assert done.returncode in codes, done.stderr


def killed_run() -> None:
    """A run that dies right after it has journalled its first intent."""
    count = "SELECT count(*) FROM events WHERE kind = 'order_intended'"
    with closing(sqlite3.connect(f"file:{STATE / 'journal.sqlite'}?mode=ro", uri=True)) as base:
        before = base.execute(count).fetchone()[0]
        run = subprocess.Popen([sys.executable, "-m", "rebalancer", "run-now", "--config", "later.yaml"], cwd=HOME)
        while base.execute(count).fetchone()[0] == before:
            assert run.poll() is None, "it ended by itself"
            time.sleep(0.001)
        run.send_signal(signal.SIGKILL)
        run.wait()


def opinions(scores: dict[str, float]) -> None:
    rows = "".join(f"{s},{v},0.8,,desk\n" for s, v in scores.items())
    (HOME / "signals" / "desk.csv").write_text("symbol,score,confidence,issued_at,source\n" + rows)


def main() -> None:
    """Make it."""
    shutil.rmtree(HOME, ignore_errors=True)
    STATE.mkdir(parents=True)
    (HOME / "signals").mkdir()
    shutil.copytree(Path.cwd() / "config", HOME / "config")
    (HOME / "later.yaml").write_text(LATER)
    os.environ |= {
        "XDG_STATE_HOME": str(HOME / "state"),
        "XDG_CONFIG_HOME": str(HOME / "conf"),
        "PYTHONPATH": str(Path.cwd()),
    }
    play_the_day()
    opinions(SCORES)
    later = ("--config", "later.yaml")
    rebalancer("run-now", "--dry-run", *later)
    rebalancer("run-now", *later, codes=(0, 4))
    opinions({**SCORES, "KO": 0.0, "HD": 0.6, "V": 0.6})
    killed_run()
    rebalancer("run-now", *later, codes=(0, 4))
    rebalancer("kill", "--reason", "to be remembered", *later)
    rebalancer("run-now", *later, codes=(5,))
    rebalancer("kill", "--cancel", *later)
    rebalancer("resume", "--reason", "it is remembered", *later)
    rebalancer("run-now", *later, codes=(0, 4))
    rebalancer("run-now", *later, codes=(0, 4))
    rebalancer("kill", "--flatten", "--reason", "all of it", *later, codes=(0, 4))
    rebalancer("replay", "--all", *later)
    rebalancer("history", *later)
    with closing(sqlite3.connect(STATE / "journal.sqlite")) as base, base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        base.execute("VACUUM")
        print(base.execute("SELECT kind, count(*) FROM events GROUP BY kind").fetchall())
    data = lzma.compress((STATE / "journal.sqlite").read_bytes(), preset=9 | lzma.PRESET_EXTREME)
    (HERE / "journal.sqlite.xz").write_bytes(data)
    print(len(data))


if __name__ == "__main__":
    main()
