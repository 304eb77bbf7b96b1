"""A box in which the scripts run beside a real systemd of a user. Without root or systemd: skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOX = ROOT / "tests" / "systemd" / "sdbox.sh"
CANNOT = 77
BASE = Path(sys.base_prefix)
SIMULATED_DAY = (
    "'[Service]' 'Environment=REBALANCER__PROTECTION__POLL_SECONDS=60' 'ExecStart=' "
    '"ExecStart=$python -m rebalancer session --speed 36000 --day 2026-11-20"'
)

Box = Callable[[str], str]


@pytest.fixture
def box() -> Box:
    """Run a script in a box and return what it printed."""

    def run(script: str) -> str:
        base_python = BASE / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        environ = os.environ | {
            "SOURCE": str(ROOT), "ENVIRONMENT": "/opt/environment", "BASE_PYTHON": str(base_python),
            "SDBOX_SHOW": f"{BASE}:{sys.prefix}=/opt/environment:{ROOT}",
        }  # fmt: skip
        text = f". {ROOT}/tests/systemd/prelude.sh\n{script}"
        done = subprocess.run(
            ["bash", BOX, "bash", "-c", text], env=environ, capture_output=True, text=True, timeout=800
        )
        if done.returncode == CANNOT:
            if os.environ.get("REBALANCER_TESTS_NEED_SYSTEMD"):
                pytest.fail(done.stderr)
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def last_json(text: str) -> dict[str, dict[str, int]]:
    (line,) = [line for line in text.splitlines() if line.startswith('{"ends"')]
    found: dict[str, dict[str, int]] = json.loads(line)
    return found
