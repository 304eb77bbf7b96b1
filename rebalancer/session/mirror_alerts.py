"""Which states of the mirror are reported to people: each episode once, and once more when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from rebalancer.core.units import amount_of
from rebalancer.core.values import time_text, utc_of
from rebalancer.journal import Journal
from rebalancer.journal.alert_row import ALERT, alert_row
from rebalancer.ops.mirror_status import MirrorStatus, lag_of
from rebalancer.session.alert_rules import Row

ABOUT: Final = "mirror"


def mirror_alerts(
    journal: Journal, account_id: str, status: MirrorStatus | None, newest: int, *,
    begun: datetime, now: datetime, warn_minutes: float,
) -> Iterator[Row]:  # fmt: skip
    """The alerts that are due. status: what its process reported last; newest: the journal's newest row. begun: since
    when somebody looks; both times by this machine's clock."""
    earlier = journal.recall(account_id, ALERT, keys=[ABOUT], last=1)
    reported = str(earlier[0].body.get("kind", "")) if earlier else ""
    kind, text = _finding(status, newest, begun, now, timedelta(minutes=warn_minutes))
    if kind == reported or kind is None:
        return
    if not kind:
        yield alert_row(ABOUT, "info", "mirror_level", "the mirror of the journal has every row again", kind="")
    elif kind == "behind":
        yield alert_row(ABOUT, "warning", "mirror_behind", text, kind=kind)
    else:
        yield alert_row(ABOUT, "warning", "mirror_refused", text, kind=kind)


def _finding(
    status: MirrorStatus | None, newest: int, begun: datetime, now: datetime, patience: timedelta
) -> tuple[str | None, str]:
    """What is wrong, in a word and a sentence; "" when nothing is, None when it is too early to say."""
    if status is None:
        late = now - begun > patience
        return ("behind", "the mirror of the journal has not been reached yet") if late else (None, "")
    problem = status.problem.partition("\n")[0]
    if status.kind in ("refused", "failed"):
        return status.kind, f"the journal is not mirrored: {problem}"
    if status.difference:
        return "differs", f"the mirror of the journal differs from it: {status.difference.partition(chr(10))[0]}"
    lag = lag_of(status, newest)
    if lag.rows == 0:
        return "", ""
    since = lag.since or (utc_of(status.problem_since) if status.problem_since else begun)
    if now - max(since, begun) <= patience:  # what was reported last may be of days ago, before this session began
        return None, ""
    rows = "an unknown number of rows" if lag.rows is None else amount_of(lag.rows, "row")
    because = f": {problem}" if problem else ""
    return "behind", f"the mirror of the journal lacks {rows}, since {time_text(since)}{because}"
