"""`status --exit-code` and `desk status --exit-code`: whether the sessions of an account are kept going. A container's
health check asks it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rebalancer.cli.errors import said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.ops.paths import state_directory
from rebalancer.ops.session_status import session_status
from rebalancer.settings.profile import PROFILE

MODES: Final = ("simulated", "paper", "live")


def exit_code_of(names: Sequence[str], now: datetime) -> ExitCode:
    """0 when the sessions of all these accounts are kept going, else 1 with a line for each that is not. No account at
    all is 1: a check that looks at nothing shall not pass."""
    from rebalancer.session.process_table import NAME, problem_of, read_table

    known = read_table(state_directory() / NAME)
    problems = {name: problem_of(known.get(name), now) for name in names}
    for name, problem in problems.items():
        if problem is not None:
            said(f"{name}: {problem}" if name else problem, ExitCode.UNEXPECTED)
    return ExitCode.UNEXPECTED if not names or any(problems.values()) else ExitCode.DONE


def exit_code_of_account(now: datetime) -> ExitCode:
    """The same for the account in force; a session that was started by hand, or by systemd, is one that runs."""
    from rebalancer.session.process_table import NAME, read_table

    state, name = state_directory(), os.environ.get(PROFILE, "").strip()
    sessions = [session_status(state / mode) for mode in MODES]
    if name not in read_table(state / NAME) and any(one is not None and one.is_alive for one in sessions):
        return ExitCode.DONE
    return exit_code_of([name], now)
