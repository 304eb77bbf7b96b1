"""`python -m tests.desk.host_process FILE WORDS...`: `rebalancer WORDS...` in a process whose whole wall clock is ahead
of the machine's by the seconds in FILE, at any time.

As `tests.support.shifted`, but it can be set while the process runs: `time.time`, `datetime.now` and the scheduler see
it, monotonic clocks and other programs do not.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

sys.modules["pytest"] = None  # type: ignore[assignment]  # time_machine would import it, in every process
import time  # noqa: E402

import time_machine  # noqa: E402

del sys.modules["pytest"]
LOOK_SECONDS = 0.05


def follow(file: Path) -> None:
    """Set the wall clock of this process by the file, now and whenever it changes."""
    ahead = float(file.read_text())
    traveller = time_machine.travel(time.time() + ahead, tick=True).start()
    time.time()  # it ticks from the first question on

    def watch(now: float) -> None:
        never = threading.Event()
        while not never.wait(LOOK_SECONDS):
            wanted = float(file.read_text())
            if wanted != now:
                traveller.shift(wanted - now)
                now = wanted

    threading.Thread(target=watch, args=(ahead,), daemon=True, name="clock").start()


if __name__ == "__main__":
    follow(Path(sys.argv.pop(1)))
    from rebalancer.cli.main import main

    main()
