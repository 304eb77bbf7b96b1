"""Locks of one process on its journal file: opening it a second time must not let go of them.

POSIX locks belong to a process and a file: closing any descriptor of the file drops them all. Somebody who then opens
and closes the journal takes himself for the last one and removes the write-ahead log under us.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import Journal

AT = datetime(2026, 11, 20, 15, tzinfo=UTC)
SOMEBODY = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM events'); c.close()"


def test_a_second_opening_does_not_lose_what_is_written_after_somebody_looked(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    with Journal.open(file) as session:
        assert session.close_slot("acc", "2026-11-20T15:00Z", AT, CycleOutcome.MISSED, "")
        Journal.open(file).close()  # as every cycle of a session does
        subprocess.run([sys.executable, "-c", SOMEBODY, str(file)], check=True)
        assert session.close_slot("acc", "2026-11-20T15:05Z", AT, CycleOutcome.MISSED, "")
        look = sqlite3.connect(file)
        assert look.execute("SELECT count(*) FROM events").fetchone() == (2,)
        look.close()
    with Journal.open(file) as again:
        assert again.verify() == 4
