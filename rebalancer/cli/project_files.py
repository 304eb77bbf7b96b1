"""The files of a project folder that come with the program: in the source tree where they are, in an installed package
under `rebalancer/defaults`, by the same names."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Final

CONFIGURATION: Final = (
    "config/execution.yaml",
    "config/execution.schema.json",
    "config/sectors.csv",
    "config/profiles/prop_firm.yaml",
    "config/profiles/standard.yaml",
    "config/profiles/weights.yaml",
)
SCRIPTS: Final = (
    "run_execution_trading_now.sh",
    "start_execution_trading.sh",
    "status_execution_trading.sh",
    "stop_execution_trading.sh",
    "scripts/environment.sh",
    "scripts/refuse_open_file.sh",
    "scripts/service.sh",
    "systemd/paper-trading-alert@.service",
    "systemd/paper-trading-session.service",
    "systemd/paper-trading-session.timer",
    "systemd/paper-trading-session@.service",
    "systemd/paper-trading-session@.timer",
    "systemd/rebalancer-sources.service",
    "systemd/rebalancer-sources@.service",
    "systemd/rebalancer-web.service",
    "systemd/rebalancer-web@.service",
)
PROJECT_FILES: Final = (*CONFIGURATION, *SCRIPTS, "signals/README.md")
INTERPRETER: Final = ".interpreter"  # in a project without the source: the Python that has the program


def shipped(name: str) -> str:
    """The text of one of these files."""
    packaged = resources.files("rebalancer") / "defaults" / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / name).read_text(encoding="utf-8")


def mode_of(name: str) -> int:
    """The permissions of one of these files: scripts in the folder itself can be run."""
    return 0o755 if name.endswith(".sh") and "/" not in name else 0o644


def write_interpreter(directory: Path) -> None:
    """Say to the scripts of a project which Python has the program, unless the project has the source itself."""
    if not (directory / "requirements.txt").exists():
        (directory / INTERPRETER).write_text(f"{sys.executable}\n", encoding="utf-8")
