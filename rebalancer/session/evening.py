"""The measurement of the evening: `rebalancer parity`, in a process of its own after the day is closed.

Whatever happens to that process, the day is closed and stays so: its answer is one more event in the journal and a line
in the page, and without an answer there is a line in the log.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from rebalancer.journal.parity_row import trading_costs_of_body
from rebalancer.ops.clock import SystemClock
from rebalancer.session.setup import Setup
from rebalancer.settings.profile import PROFILE

LOG: Final = logging.getLogger(__name__)
SECONDS_MAX: Final = 300.0
TICK_SECONDS: Final = 5.0
BYTES_MAX: Final = 256 * 1024
SCHEMA: Final = "rebalancer.parity/1"
KEPT: Final = (
    "cycles", "plans_equal", "divergence_bp", "costs", "trading_costs", "shadow_books", "shadow_problems", "unequal",
)  # fmt: skip


def measured_day(
    setup: Setup, day: date, seconds_max: float = SECONDS_MAX, *, goes_on: Callable[[], bool] = lambda: True
) -> Mapping[str, Any] | None:
    """What the process says about a day; None, with a warning in the log, when it says nothing usable. goes_on: asked
    every few seconds meanwhile, which the watchdog needs; the process is killed once the answer is False."""
    files = [option for path in setup.files for option in ("--config", str(path))]
    words = [sys.executable, "-m", "rebalancer", "parity", "--since", day.isoformat(), "--json", *files]
    if setup.rules.journal.url is None:
        words += ["--state", str(setup.state)]
    environ = {**os.environ, PROFILE: setup.profile} if setup.profile else dict(os.environ)
    try:
        code, said = _ran(words, environ, seconds_max, goes_on)
        if not said:
            raise ValueError(f"it ended with code {code} and said nothing")
        found = json.loads(said[:BYTES_MAX])
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            raise ValueError(f"it ended with code {code}")
        trading_costs_of_body(found)  # which cycles read
        return {name: found[name] for name in KEPT}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, subprocess.SubprocessError) as error:
        LOG.warning("parity of %s was not measured: %s", day, str(error).partition("\n")[0][:200])
        return None


def _ran(
    words: Sequence[str], environ: Mapping[str, str], seconds_max: float, goes_on: Callable[[], bool]
) -> tuple[int, bytes]:
    """The exit code and the output of a process, which is killed when it takes too long or we end."""
    clock = SystemClock()
    deadline = clock.monotonic() + seconds_max
    with subprocess.Popen(  # noqa: S603 - our own program with our own arguments
        words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while goes_on():
                left = deadline - clock.monotonic()
                try:
                    said, _ = process.communicate(timeout=max(min(left, TICK_SECONDS), 0.0))
                    return process.returncode, said
                except subprocess.TimeoutExpired:
                    if left <= TICK_SECONDS:
                        raise
            raise ValueError("the session is being stopped")
        except BaseException:
            process.kill()
            raise
