"""`init`: the files and folders that a new project needs."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Final

from rebalancer.cli.exit_codes import ExitCode

SHIPPED: Final = ("execution.yaml", "execution.schema.json", "sectors.csv")


def write_project(directory: Path) -> int:
    """Write config/, signals/ and reports/ below the folder. Existing files are left unchanged."""
    config = directory / "config"
    for folder in (config, directory / "signals", directory / "reports"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in SHIPPED:
        target = config / name
        if target.exists():
            sys.stderr.write(f"kept:    {target}\n")
            continue
        with target.open("x", encoding="utf-8") as file:
            file.write(_shipped(name))
        sys.stdout.write(f"written: {target}\n")
    sys.stderr.write(
        "next:\n"
        "  rebalancer run-now --dry-run    see what it would do, on the embedded paper exchange\n"
        "  rebalancer run-now              do it there\n"
        "  export APCA_API_KEY_ID=... APCA_API_SECRET_KEY=...   use your Alpaca paper account instead\n"
    )
    return ExitCode.DONE


def _shipped(name: str) -> str:
    """A default file: from the installed package, or from the source tree."""
    packaged = resources.files("rebalancer") / "defaults" / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "config" / name).read_text(encoding="utf-8")
