"""Upgrade to this program from older ones, and back, with their code from the history of the repository.

    .venv/bin/python -m tests.upgrade                  every version of the list, some two minutes each
    .venv/bin/python -m tests.upgrade 38ffd06 HEAD~1   these commits
    .venv/bin/python -m tests.upgrade --keep NAME COMMIT   keep what a drained session of it left, for the suite

Each way is one simulated day on the embedded exchange: the old program trades the first slots and is stopped, or killed
in the middle of a cycle; this one carries on. No slot may be missed or run twice, the books must agree with the broker,
and every command reads the old cycles. Then the old program must refuse the journal, and go on after `db restore`.
"""

from __future__ import annotations

import argparse
import io
import lzma
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.upgrade.programs import KEPT, ROOT, Desk, Program, program_of, unpack
from tests.upgrade.ways import back, drained, forward

COMMITS = ("38ffd06", "446bbdc", "e8db394", "f641684", "472f650", "685a0f6", "73e5cd5", "b807d77")
KEPT_AFTER = 5  # slots, of seven: the suite plays the rest

MADE_AGAIN = (".lock", "-shm", "-wal", "day-sheet.json", ".schema.json", ".sha256", "reports")


def way(old: Program, folder: Path, *, kill: bool) -> list[str]:
    desk = Desk(folder)
    desk.furnish(old)
    wrong = drained(desk, old, kill=kill)
    wrong += forward(desk, kill=kill)
    return wrong if kill else wrong + back(desk, old)


def keep(name: str, old: Program, folder: Path) -> int:
    """Add project and state of a drained session to what is kept, without what can be made again."""
    shelf = folder / "kept"
    if KEPT.exists():
        unpack(shelf)
    shutil.rmtree(shelf / name, ignore_errors=True)
    desk = Desk(shelf / name)
    desk.furnish(old)
    wrong = drained(desk, old, after=KEPT_AFTER)
    for base in desk.state.glob("*.sqlite"):
        with closing(sqlite3.connect(base)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for place in sorted(shelf.iterdir()):
            archive.add(place, place.name, filter=_plain)
    data = lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME)  # what several have in common counts once
    KEPT.write_bytes(data)
    print(f"{name}: {wrong or 'drained'}; {len(data):,} bytes")
    return len(wrong)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return None if member.name.endswith(MADE_AGAIN) else member


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade")
    parser.add_argument("commits", nargs="*", default=COMMITS)
    parser.add_argument("--keep", metavar="NAME")
    asked = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        for commit in asked.commits:
            old = program_of(commit, Path(folder) / "programs")
            if asked.keep:
                failures += keep(asked.keep, old, Path(folder))
                continue
            shown = ["git", "show", "--no-patch", "--date=format:%d %b %H:%M", "--format=%h  %ad", commit]
            title = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for kill in (False, True):
                begun = time.monotonic()
                wrong = way(old, Path(folder) / f"{commit}-{kill}", kill=kill)
                how = "killed, forward" if kill else "stopped, forward, back"
                print(
                    f"{title}  {how:22}  {'WRONG' if wrong else 'ok':5}  {time.monotonic() - begun:4.0f} s", flush=True
                )
                for line in wrong:
                    print(f"    {line}", flush=True)
                failures += bool(wrong)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
