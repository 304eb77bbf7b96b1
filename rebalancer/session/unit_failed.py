"""What the alert unit runs when systemd says that a unit of ours has failed: `python -m rebalancer.session.unit_failed
UNIT`. The failure is written to the journal of the account that the unit works on, as an alert that needs a person, and
to the system's log with a high priority. It must work when nothing else does, so every step may fail on its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rebalancer.world.clock import SystemClock
from rebalancer.world.paths import JOURNAL_NAME, state_directory
from rebalancer.world.ports import WorldError

MODES: Final = ("simulated", "paper", "live")
PRIORITY: Final = "<2>"  # critical, in the words of syslog


def sentence(unit: str, environ: Mapping[str, str]) -> str:
    """What happened, as far as systemd tells."""
    result, status = environ.get("MONITOR_SERVICE_RESULT", ""), environ.get("MONITOR_EXIT_STATUS", "")
    told = ", ".join(part for part in (result, f"status {status}" if status else "") if part)
    return f"{unit} has failed{f' ({told})' if told else ''}; nothing is traded until it runs again"


def write_alert(folder: Path, text: str) -> bool:
    """Note the alert in the journal that was written last; False when there is none that knows an account."""
    from rebalancer.world.journal import Journal

    journals = [folder / mode / JOURNAL_NAME for mode in MODES]
    there = sorted((path for path in journals if path.exists()), key=lambda path: path.stat().st_mtime)
    if not there:
        return False
    with Journal.open(there[-1], create=False) as journal:
        latest = journal.latest_events(1)
        if not latest:
            return False
        body = {"level": "action", "code": "unit_failed", "text": text}
        journal.record_event(latest[0].account_id, None, SystemClock().wall(), "alert", "unit_failed", body)
    return True


def main() -> int:
    """Write the alert; the exit code tells whether it stands in a journal."""
    unit = sys.argv[1] if len(sys.argv) > 1 else "a unit"
    text = sentence(unit, os.environ)
    sys.stdout.write(f"{PRIORITY}{text}\n")
    try:
        written = write_alert(_state_of(unit), text)
    except WorldError as error:
        sys.stdout.write(f"{PRIORITY}the alert could not be written to the journal: {error}\n")
        return 1
    return 0 if written else 1


def _state_of(unit: str) -> Path:
    """The state folder of the unit: that of its profile, when it is an instance."""
    base = state_directory()
    profile = unit.partition("@")[2].removesuffix(".service")
    return base / "profiles" / profile if profile else base


if __name__ == "__main__":
    raise SystemExit(main())
