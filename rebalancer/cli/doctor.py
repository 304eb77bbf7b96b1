"""`doctor`: print the result of every check, with the fix beside each problem, and exit with the code of the worst
one."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.progress import progress
from rebalancer.cli.screen import wants_colour

MARKS: Final = {"ok": "✔", "warn": "!", "fail": "✘"}
COLOURS: Final = {"ok": "32", "warn": "33", "fail": "31"}


def run_doctor(
    config: Sequence[Path] | None, *, offline: bool, sandbox: bool, soak: bool = False, as_json: bool, colour: bool
) -> int:
    """Run the checks. soak: also look back over the first days on a paper account. An invalid configuration ends the
    command before them, with exit code 78."""
    from rebalancer.cli.connection import connected
    from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused
    from rebalancer.ops.clock import SystemClock
    from rebalancer.session.doctor import CheckResult, check_here, check_there
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    found: list[CheckResult] = list(check_here(setup))
    if sandbox:
        from rebalancer.session.sandbox_probe import probe_sandbox

        for probe in probe_sandbox():
            right = probe.is_right
            found.append(
                CheckResult("ok" if right else "fail", f"sandbox: {probe.what}", probe.said, "", int(not right))
            )
    if not offline:
        try:
            with connected(setup) as connection, progress("asking the broker"):
                broker = connection.connect(setup.rules.broker)
                found += check_there(setup, broker, SystemClock().wall())
                broker.close()
        except CredentialsRefused as error:
            found.append(CheckResult("fail", "login", str(error), "set APCA_API_KEY_ID and APCA_API_SECRET_KEY", 77))
        except BrokerUnavailable as error:
            found.append(
                CheckResult("fail", "broker", str(error), "end the session that serves it, or look at its log", 69)
            )
    if soak:
        from rebalancer.session.doctor.soak import check_soak

        found += check_soak(setup, SystemClock().wall())
    if as_json:
        rows = [one._asdict() for one in found]
        sys.stdout.write(
            json.dumps({"schema": "rebalancer.doctor/1", "checks": rows}, indent=1, ensure_ascii=False) + "\n"
        )
    else:
        _show(found, colour and wants_colour())
    worst = [one.exit_code for one in found if one.level == "fail"]
    return max(worst, default=ExitCode.DONE)


def _show(found: Sequence[object], colour: bool) -> None:
    from rebalancer.session.doctor import CheckResult

    for one in found:
        assert isinstance(one, CheckResult)
        mark = MARKS[one.level]
        shown = f"\x1b[{COLOURS[one.level]}m{mark}\x1b[0m" if colour else mark
        sys.stdout.write(f"{shown} {one.what}: {one.found}\n")
        if one.fix:
            sys.stdout.write(f"    → {one.fix}\n")
