"""`status`: one screen from the local journal alone, within 300 ms.

Therefore nothing heavy is imported, and the configuration is not read: the status shows what ran last even when the
configuration is broken. Of the journals (simulated, paper, live) it shows the one that was written last.
"""

from __future__ import annotations

import sys

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.status_view import MODES, gathered, shown, written


def show_status(*, as_json: bool, colour: bool, live: bool = False) -> int:
    """Print the status; with `live`, ask the broker too. Exit code 0, also when nothing has been run yet."""
    if live:
        from rebalancer.cli.status_live import show_both

        return show_both(as_json=as_json, colour=colour)
    view, _ = gathered(MODES)
    sys.stdout.write(written(view, {}) if as_json else shown(view, colour=colour))
    return ExitCode.DONE
