"""`arm-live`: write the token that replaces --live, for a session that no person starts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rebalancer.cli.exit_codes import ExitCode


def arm_account(config: Sequence[Path] | None, *, account: str, hours: int) -> int:
    """Arm the account until the token expires. Raises BadDocument (exit 78) when the configuration does not allow
    it."""
    from rebalancer.ops.clock import SystemClock
    from rebalancer.session.live import arm
    from rebalancer.session.setup import load_setup

    until = arm(load_setup(config), account, hours, SystemClock().wall())
    sys.stderr.write(f"live trading is armed until {until:%Y-%m-%d %H:%M} UTC, if all other switches are on\n")
    return ExitCode.DONE
