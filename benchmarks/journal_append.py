"""What an append to the journal costs: `python benchmarks/journal_append.py [--url postgresql://...]`, one JSON line.

    append    one event in a transaction of its own, on disk when it returns: median and 95th percentile
    cycle     the nine transactions of a whole cycle
    read      the kill switch, as the pre-trade check asks before every order
    file      SHA-256 of the SQLite file after fixed rows, so that two versions can be compared byte by byte

`--against FOLDER` measures another checkout in turns with this one, and prints the ratios of the best medians. With
TMPDIR=/dev/shm the disk takes no time, and what is left is this program's share.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(os.environ.get("PYTHONPATH", ".").split(":")[0], "tests", "journal")))
AT = datetime(2026, 11, 20, 15, tzinfo=UTC)


def measured(url: str | None, rounds: int) -> dict[str, Any]:
    """Measure this checkout."""
    from journal_kit import WRITER, steps_of_a_cycle

    from rebalancer.journal import Journal

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.sqlite")
        place: Any = path
        if url is not None:
            from rebalancer.journal.place import PostgresPlace

            place = PostgresPlace(url, f"rebalancer_bench_{os.getpid()}", Path(folder))
        with Journal.open(place, holder="bench") as journal:
            appends, cycles, reads = [], [], []
            for number in range(rounds):
                at = AT + timedelta(seconds=number)
                began = perf_counter()
                journal.record_event(WRITER, None, at, "note", str(number), {"text": "x" * 200})
                appends.append(perf_counter() - began)
                began = perf_counter()
                journal.kill_switch(WRITER)
                reads.append(perf_counter() - began)
            for number in range(rounds // 10):
                began = perf_counter()
                for step in steps_of_a_cycle(journal, f"c{number}", when=number * 100):
                    step()
                cycles.append(perf_counter() - began)
        found = {
            "rounds": rounds,
            "append_ms": round(statistics.median(appends) * 1000, 4),
            "append_p95_ms": round(sorted(appends)[int(rounds * 0.95)] * 1000, 4),
            "cycle_ms": round(statistics.median(cycles) * 1000, 3),
            "read_ms": round(statistics.median(reads) * 1000, 4),
        }
        if url is None:
            text = "\n".join(sqlite3.connect(path).iterdump())
            found["file"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def main() -> None:
    """Measure, alone or in turns with another checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--against", type=Path)
    chosen = parser.parse_args()
    if chosen.against is None:
        print(json.dumps(measured(chosen.url, chosen.rounds)))
        return
    sides: dict[str, list[dict[str, Any]]] = {"other": [], "this": []}
    for _ in range(5):
        for name, folder in (("other", chosen.against.resolve()), ("this", Path(__file__).parents[1])):
            done = subprocess.run(
                [sys.executable, __file__, "--rounds", str(chosen.rounds)], cwd=folder, check=True,
                capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(folder)},
            )  # fmt: skip
            sides[name].append(json.loads(done.stdout))
    files = {name: sorted({one["file"] for one in found}) for name, found in sides.items()}
    print(json.dumps({"what": "file", **files, "same": files["this"] == files["other"]}))
    for key in ("append_ms", "cycle_ms", "read_ms"):
        old, new = (min(one[key] for one in sides[name]) for name in ("other", "this"))
        print(json.dumps({"what": key, "other": old, "this": new, "ratio": round(new / old, 3)}))


if __name__ == "__main__":
    main()
