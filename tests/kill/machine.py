"""One machine, one account at an exchange, and real `rebalancer run-now` processes that die or are stopped on it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import start_exchange
from rebalancer.testing import laws

ROOT = Path(__file__).parents[2]
CONFIG = """
execution:
  max_orders_per_execution: 50
position_sizing:
  base_position_size: 0.05
  max_trade_size: 15000
  volatility_scale_min: 1.0
  volatility_scale_max: 1.0
risk_management:
  max_position_risk: 1.0
  max_trade_heat: 1.0
  max_drawdown: 0.5
  max_daily_loss: 0.5
signals:
  max_age_minutes: 40000
broker:
  requests_per_minute: 10000
"""
BASE = {"AAPL": 1.0, "KO": 1.0, "V": 1.0, "MSFT": 0.0, "JNJ": 0.0, "XOM": 0.0}
NEXT = {"AAPL": 0.4, "KO": 0.3, "V": 1.0, "MSFT": 1.0, "JNJ": 1.0, "XOM": 1.0}


class Ended(NamedTuple):
    """How a real process ended, and how many boundaries it had passed. `posted` counts the orders that it had handed to
    the broker when the signal was heard, `posts` those at its end; both 0 unless it was stopped."""

    code: int
    boundaries: int
    posted: int
    posts: int


class Machine:
    """One machine, one account at an exchange, and real processes on it."""

    def __init__(self, folder: Path, template: Path | None = None, config: str = CONFIG) -> None:
        self.folder = folder
        if template is not None:
            shutil.copytree(template, folder)
        else:
            (folder / "project" / "config").mkdir(parents=True)
            (folder / "project" / "signals").mkdir()
            shutil.copy(ROOT / "config" / "sectors.csv", folder / "project" / "config")
            (folder / "project" / "config" / "execution.yaml").write_text(config)
        options = ExchangeOptions(
            state=folder / "exchange.sqlite", rate_limit_per_minute=0, fill_latency_seconds=0.0,
            partial_fill_probability=0.0,
        )  # fmt: skip
        self.exchange = start_exchange(options)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REBALANCER", "APCA"))}
        environment = kept | {
            "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "none"), "APCA_API_BASE_URL": self.exchange.url,
            "APCA_API_DATA_URL": self.exchange.url, "APCA_API_KEY_ID": "PKKILL", "APCA_API_SECRET_KEY": "kill-secret",
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        with (folder / "stderr.txt").open("a") as heard:
            self.zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.kill.zygote"], cwd=folder / "project", env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=heard,
            )  # fmt: skip

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "rebalancer" / "paper" / "journal.sqlite"

    def signals(self, scores: dict[str, float]) -> None:
        rows = [f"{symbol},{score},1.0,2026-11-20T15:00:00Z" for symbol, score in scores.items()]
        text = "\n".join(["symbol,score,confidence,issued_at", *rows, ""])
        (self.folder / "project" / "signals" / "signals.csv").write_text(text)

    def run(self, deadly: int = 0, number: signal.Signals = signal.SIGKILL, times: int = 1) -> Ended:
        """One real `rebalancer run-now` that gets a signal, or several, at a boundary or not at all; then five minutes
        pass."""
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(f"{deadly} {number.value} {times}\n")
        self.zygote.stdin.flush()
        ended = Ended(*map(int, self.zygote.stdout.readline().split()))
        self.exchange.clock.advance(300)
        return ended

    def close(self) -> None:
        assert self.zygote.stdin is not None
        self.zygote.stdin.close()
        self.zygote.wait(300)
        assert self.zygote.stdout is not None
        self.zygote.stdout.close()
        self.exchange.stop()


def finds_order(machine: Machine) -> None:
    """Two undisturbed runs bring everything to its end."""
    for _ in range(2):
        ended = machine.run()
        assert ended.code in (0, 4), (ended, (machine.folder / "stderr.txt").read_text()[-2000:])
    seen = laws.check_laws(machine.exchange.url, machine.journal)
    assert {s for s, q in seen.positions.items() if q} == {"AAPL", "JNJ", "KO", "MSFT", "V", "XOM"}
