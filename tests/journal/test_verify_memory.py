"""A look through the whole journal does not hold the whole journal in memory."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.journal import Journal

ROWS, LETTERS = 4000, 2000  # 8 MB of text; a year of cycles has fifty times as much


def test_verify_keeps_little_of_what_it_has_read(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        at = datetime(2026, 11, 20, 15, tzinfo=UTC)
        journal.record_events("a1", None, at, [("alert", str(n), {"text": f"{n:0{LETTERS}}"}) for n in range(ROWS)])
        tracemalloc.start()
        try:
            assert journal.verify() == ROWS
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < ROWS * LETTERS / 2
