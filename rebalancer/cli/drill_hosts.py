"""The parts of `desk drill`: an exchange whose time is stepped, and hosts, each with a state folder and processes of
its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rebalancer.cli.project_files import shipped
from rebalancer.core.values import time_text
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.files import put_whole

KEY, SECRET = "PKDRILL", "embedded-exchange"
TARGETS: Final = Path("signals", "targets.json")
STOP_SECONDS: Final = 60.0
_SOURCE: Final = Path(__file__).parents[2]  # a host's processes run in another folder than this one
_ADDRESS: Final = re.compile(r"http://[\d.:]+\d")
_PAGE: Final = 500
# Limits are wide and waits short: what is looked at is who trades, not how much. Positions are looked at twice a
# second, and each time the session also looks at its clock, which is how it hears of a step.
_CONFIGURATION: Final = """\
execution:
  {unsignalled_positions: exit, max_orders_per_execution: 50, phase_timeout_seconds: 3, cancel_timeout_seconds: 3}
position_sizing:
  {capital_scaling: 1.0, max_position_size: 1.0, max_total_exposure: 1.0, min_trade_size: 10, max_trade_size: 1000000,
   max_order_value: 1000000}
risk_management:
  {max_daily_loss: 0.5, max_drawdown: 0.5, max_position_risk: 1.0, max_trade_heat: 1.0, max_sector_exposure: 1.0,
   max_unknown_sector_exposure: 1.0, max_correlation_exposure: 1.0, max_orders_per_day: 10000,
   max_orders_per_symbol_per_day: 10000}
gate: {max_orders_per_minute: 10000}
protection: {mode: monitor, stop_loss: 0.9, take_profit: 0.9, poll_seconds: 0.5}
signals: {sample: never}
broker: {requests_per_minute: 10000}
reporting: {parity: false}
"""


class SteppedExchange:
    """`rebalancer exchange serve` in a process of its own; its time goes on by itself and can be stepped."""

    def __init__(self, folder: Path, start: datetime, *options: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [
                sys.executable, "-m", "rebalancer", "exchange", "serve", "--port", "0", "--admin-port", "0",
                "--rate-limit", "0", "--start", time_text(start), "--state", str(folder / "exchange.sqlite"), *options,
            ],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        found = [_ADDRESS.search(self._process.stdout.readline()) for _ in range(2)]
        addresses = [match[0] for match in found if match is not None]
        assert len(addresses) == 2, "the embedded exchange did not start"
        self.url, self._admin = addresses

    def step_to(self, moment: datetime) -> None:
        """Let its time be this moment; what is due until then happens at once."""
        self._asked("POST", f"{self._admin}/sim/clock", json={"to": time_text(moment)})

    def orders(self) -> list[dict[str, Any]]:
        """Every order that it has ever taken, the oldest first."""
        found: dict[str, dict[str, Any]] = {}
        query = {"status": "all", "direction": "asc", "limit": str(_PAGE)}
        while True:
            page = self._asked("GET", f"{self.url}/v2/orders", params=query)
            before = len(found)
            found |= {order["id"]: order for order in page}
            if len(found) == before:
                return list(found.values())
            query["after"] = f"{page[-1]['submitted_at'][:19]}Z"  # its second again: orders may share a moment

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(STOP_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _asked(self, method: str, url: str, **more: Any) -> Any:
        import requests

        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to this machine
            session.headers.update({"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET})
            answer = session.request(method, url, timeout=30, **more)
        answer.raise_for_status()
        return answer.json()


class DrillHost:
    """A host: its own state folder, and one process after the other. The project folder belongs to all hosts."""

    def __init__(
        self,
        name: str,
        folder: Path,
        exchange: SteppedExchange,
        journal_url: str,
        lease_seconds: int,
        *,
        module: str = "rebalancer.cli.drill_process",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """folder: of the whole drill, as `write_project` made it. module: starts the program, with the host's clock."""
        self.name, self._project, self._module = name, folder / "project", module
        self.folder = folder / name
        self._wall = self.folder / "wall"
        for part in ("state", "run", "config"):
            (self.folder / part).mkdir(parents=True, mode=0o700)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("APCA_", "REBALANCER_"))}
        self.environ = kept | {
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "REBALANCER_HOST_NAME": name,
            "REBALANCER__JOURNAL__URL": journal_url,
            "REBALANCER__JOURNAL__LEASE_SECONDS": str(lease_seconds),
            "REBALANCER__REPORTING__DIRECTORY": str(self.folder / "reports"),
            "APCA_API_BASE_URL": exchange.url,
            "APCA_API_DATA_URL": exchange.url,
            "APCA_API_KEY_ID": KEY,
            "APCA_API_SECRET_KEY": SECRET,
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join([str(_SOURCE), *filter(None, [kept.get("PYTHONPATH")])]),
            **(environ or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.folder / "log"
        self.is_paused = False

    def words(self, *words: str) -> list[str]:
        """The command line of a command on this host."""
        return [sys.executable, "-m", self._module, str(self._wall), *words]

    def set_wall(self, moment: datetime) -> None:
        """Let the wall clock of this host show this moment now."""
        ahead = (moment - SystemClock().wall()).total_seconds()
        put_whole(self._wall, f"{ahead:.6f}\n".encode())

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on this host to its end."""
        return subprocess.run(  # noqa: S603 - our own program
            self.words(*words), env=self.environ, cwd=self._project, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    def start(self) -> None:
        """Start a session that stands by as long as another host trades."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                self.words("session", "--standby"), env=self.environ, cwd=self._project, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        self.is_paused = False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.is_paused = number is signal.SIGSTOP

    def ended(self) -> int | None:
        """The exit code of a process that has ended since, negative for a signal; told once."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.process = None
        return code

    def stop(self) -> int | None:
        """End the session in an orderly way, and return its exit code; None when there was none."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.process is None:
            return None
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process = None


def write_project(folder: Path) -> None:
    """Write the project folder that all hosts of a drill share."""
    project = folder / "project"
    (project / "config").mkdir(parents=True)
    (project / TARGETS).parent.mkdir()
    (project / "config" / "execution.yaml").write_text(_CONFIGURATION)
    (project / "config" / "sectors.csv").write_text(shipped("config/sectors.csv"))


def write_targets(folder: Path, weights: Mapping[str, float], as_of: datetime) -> None:
    """Put new target weights in the place of those before."""
    rows = [{"symbol": symbol, "weight": str(weight)} for symbol, weight in weights.items()]
    document = {"schema": "rebalancer.targets/1", "as_of": time_text(as_of), "weights_of": "equity", "targets": rows}
    put_whole(folder / "project" / TARGETS, json.dumps(document).encode())
