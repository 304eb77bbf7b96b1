"""`./run_tests.sh --date`: every Python believes in the other date, whatever environment it is started with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.shifted.__main__ import seconds_to

SHIFTED = Path(__file__).parent / "shifted"
DAYS = 1234
ASK = """
import json, os, subprocess, sys, tempfile, time
from datetime import UTC, date, datetime
from pathlib import Path
with tempfile.NamedTemporaryFile() as kept:
    written = Path(kept.name).stat().st_mtime
    os.utime(kept.name, ns=(10**18, 10**18))
    told = [time.time(), datetime.now(UTC).timestamp(), written, time.time_ns() / 1e9]
    days = [str(date.today()), time.strftime("%Y-%m-%d", time.localtime()), os.stat(kept.name).st_mtime_ns]
if len(sys.argv) > 1:
    bare = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SHIFTED_SECONDS")}
    child = subprocess.run([sys.executable, "-c", sys.argv[1]], env=bare, capture_output=True, text=True, check=True)
    told += json.loads(child.stdout)[0]
print(json.dumps([told, days]))
"""


def test_a_shifted_process_and_its_children_live_on_another_day() -> None:
    already = int(os.environ.get("SHIFTED_SECONDS") or 0)
    environ = {**os.environ, "PYTHONPATH": str(SHIFTED), "SHIFTED_SECONDS": str(already + DAYS * 86_400), "TZ": "UTC"}
    run = [
        sys.executable,
        "-c",
        f"import os; os.execve({sys.executable!r}, {[sys.executable, '-c', ASK, ASK]!r}, {environ!r})",
    ]
    began = time.time()
    asked = subprocess.run(run, capture_output=True, text=True, check=True)
    ended = time.time()
    told, (today, local, set_to) = json.loads(asked.stdout)
    assert len(told) == 8
    late = [round(moment - DAYS * 86_400 - began) for moment in told]
    assert [-2 <= by <= ended - began + 2 for by in late] == [True] * 8, (late, ended - began)
    days = {str(datetime.fromtimestamp(at + DAYS * 86_400, UTC).date()) for at in (began, ended)}
    assert {today, local} <= days
    assert set_to == 10**18


def test_a_date_is_a_day_at_this_time_or_a_moment() -> None:
    now = datetime(2026, 11, 28, 20, 40, 33, tzinfo=UTC)
    assert seconds_to("2026-11-30", now) == 2 * 86_400
    assert seconds_to("2026-11-28T20:41", now) == 27
    with pytest.raises(ValueError, match="Invalid isoformat"):
        seconds_to("14.03.2027", now)
