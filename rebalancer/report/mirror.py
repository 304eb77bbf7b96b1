"""The journal's mirror in words: for `status`, `doctor` and `mirror status`."""

from __future__ import annotations

from datetime import datetime

from rebalancer.core.units import amount_of
from rebalancer.core.values import utc_of
from rebalancer.ops.mirror_status import MirrorStatus, lag_of
from rebalancer.report.numbers import span_text
from rebalancer.report.visible import visible


def mirror_line(status: MirrorStatus, newest: int | None, now: datetime) -> str:
    """How the mirror stands, in one line. newest: the journal's newest row; now: by this machine's clock."""
    lag = lag_of(status, newest)
    if status.row is None:
        said = "! never reached"
    elif lag.rows == 0:
        said = f"✔ has every row, up to {status.row:,}"
    else:
        many = "an unknown number of rows" if lag.rows is None else amount_of(lag.rows, "row")
        seconds = lag.seconds(now)
        said = f"{many} behind" + ("" if seconds is None else f" for {span_text(seconds)}")
    if status.verified_at is not None and not status.difference:
        said += f"; compared {span_text(max((now - utc_of(status.verified_at)).total_seconds(), 0.0))} ago"
    for problem in (status.difference, status.problem):
        if problem:
            said += f"; ! {visible(problem.partition(chr(10))[0])}"
    return said


def is_late(status: MirrorStatus, newest: int | None, now: datetime, warn_minutes: float) -> bool:
    """Whether the mirror has been behind for longer than it may."""
    seconds = lag_of(status, newest).seconds(now)
    return seconds is not None and seconds > 60 * warn_minutes
