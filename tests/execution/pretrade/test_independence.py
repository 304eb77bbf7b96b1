"""The gate stands without the planner: importing it brings none of it in."""

from __future__ import annotations

import subprocess
import sys

SAY = """
import sys
import rebalancer.execution.pretrade, rebalancer.execution.pretrade.selftest
print(sorted(n for n in sys.modules if n.startswith(("rebalancer.planning", "rebalancer.rebalance"))))
"""


def test_it_runs_without_the_planner() -> None:
    said = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
