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
    "systemd/rebalancer-drill.service",
    "systemd/rebalancer-drill.timer",
    "systemd/rebalancer-drill@.service",
    "systemd/rebalancer-drill@.timer",
    "systemd/rebalancer-sources.service",
    "systemd/rebalancer-sources@.service",
    "systemd/rebalancer-web.service",
    "systemd/rebalancer-web@.service",
)
PROJECT_FILES: Final = (*CONFIGURATION, *SCRIPTS, "signals/README.md")
KEYS: Final = "paper-trading.env"
KEYS_TEMPLATE: Final = f"""\
# Keys and passwords of this account, one NAME=value a line; a line that begins with # does not count.
# Nothing reads this file here. Move it to where it is read, and keep it readable by you alone (mode 0600):
#     mv {KEYS} ~/.config/{KEYS}           for a profile NAME: ~/.config/paper-trading@NAME.env

# Your Alpaca paper account: https://app.alpaca.markets, "API keys"
#APCA_API_KEY_ID=
#APCA_API_SECRET_KEY=

# Where alerts and the daily message go
#REBALANCER_SMTP_URL=smtps://user:password@mail.example.com
#REBALANCER_ALERT_WEBHOOK=

# Vendors of signals
#MASSIVE_API_KEY=
#ALPHAVANTAGE_API_KEY=
#XAI_API_KEY=
#PERPLEXITY_API_KEY=
"""
WRITTEN: Final = {KEYS: KEYS_TEMPLATE, ".gitignore": f"{KEYS}\n.interpreter\n/reports/*\n"}
INTERPRETER: Final = ".interpreter"  # in a project without the source: the Python that has the program


def shipped(name: str) -> str:
    """The text of one of these files."""
    packaged = resources.files("rebalancer") / "defaults" / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / name).read_text(encoding="utf-8")


def mode_of(name: str) -> int:
    """The permissions of a file of a project: scripts in the folder itself can be run, keys are private."""
    if name == KEYS:
        return 0o600
    return 0o755 if name.endswith(".sh") and len(Path(name).parts) == 1 else 0o644


def write_interpreter(directory: Path) -> None:
    """Say to the scripts of a project which Python has the program, unless the project has the source itself."""
    if not (directory / "requirements.txt").exists():
        (directory / INTERPRETER).write_text(f"{sys.executable}\n", encoding="utf-8")
