"""`python -m rebalancer.cli.drill_process FILE WORDS...`: `rebalancer WORDS...` on a host of a drill.

The exchange's time is stepped, and a host's clock agrees with the market's. So the wall clock of this process is the
machine's plus the seconds in FILE, which the drill writes anew at each step. A session then does what it does whenever
its wall clock was set: it asks the broker for the time. Nothing else differs from the program.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rebalancer.ops.clock import SystemClock


def follow(file: Path) -> None:
    """Let the wall clock of this process be ahead by what the file says, from now on."""

    def wall(_: SystemClock) -> datetime:
        ahead = timedelta(seconds=float(file.read_text()))
        return datetime.now(UTC) + ahead  # noqa: TID251 - a clock is made here

    setattr(SystemClock, "wall", wall)  # noqa: B010 - a method is replaced


if __name__ == "__main__":
    from rebalancer.cli.main import main

    follow(Path(sys.argv.pop(1)))
    main()
