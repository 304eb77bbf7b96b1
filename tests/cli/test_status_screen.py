"""`status` after a cycle: drift, limits and protection from the journal alone, plain in a pipe."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rebalancer.values import decimal_of
from tests.cli.conftest import Command


def test_status_tells_drift_limits_and_protection(command: Command) -> None:
    assert command("run-now").code in (0, 4)
    plan = json.loads(command("explain", "AAPL", "--json").out)
    found = json.loads(command("status", "--json").out)
    assert found["schema"] == "rebalancer.status/1"
    assert plan["cycle_id"] == found["last"]["cycle_id"]
    assert found["drift"] > 0
    orders = found["limits"][-1]
    assert (orders["name"], orders["used"], orders["limit"]) == ("orders_today", found["last"]["orders"], 100)
    used = [limit["used"] / limit["limit"] for limit in found["limits"][:-1]]
    assert used == sorted(used, reverse=True)
    assert found["protection"] == "watched by this program while a session runs"
    assert decimal_of(found["equity"]) > 0
    for words in (("status",), ("history",), ("explain", "AAPL"), ("performance",), ("alerts",)):
        said = command(*words)
        assert (said.code, "\x1b" in said.out) == (0, False), words


@pytest.mark.timeout(60)
def test_the_command_imports_nothing_heavy() -> None:
    heavy = ["rich", "jinja2", "pydantic", "sqlalchemy", "pandas", "numpy", "alpaca", "structlog"]
    code = f"import sys, rebalancer.cli.status; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
