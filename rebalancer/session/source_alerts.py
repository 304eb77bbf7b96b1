"""Which states of the sources that are asked in the background are reported to people: once when one goes off for a
reason that does not pass by itself within minutes, and once when it is asked again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rebalancer.journal import Journal
from rebalancer.journal.alert_row import ALERT, alert_row
from rebalancer.ops.source_status import SourceStatus

Row = tuple[str, str, dict[str, object]]
LASTING: Final = frozenset({"key", "quota", "gone", "refused", "missing"})
FAILURES: Final = 6  # in a row: a quarter of an hour without an answer
MODEL: Final = "model"


def source_alerts(
    journal: Journal, account_id: str, sources: Iterable[SourceStatus], *, has_substitute: bool
) -> Iterator[Row]:
    """The alerts that are due. has_substitute: whether other signals are traded while the model cannot be used."""
    for row in sources:
        about = f"source:{row.name}"
        earlier = journal.recall(account_id, ALERT, keys=[about], last=1)
        reported = str(earlier[0].body.get("kind", "")) if earlier else ""
        if row.state != "off":
            if reported and row.state != "stopped":
                yield alert_row(about, "info", "source_on", f"the source {row.name} is asked again", kind="")
            continue
        lasts = row.kind in LASTING or (row.kind == "failed" and row.failures >= FAILURES)
        if not lasts or row.kind == reported:
            continue
        until = f", until {row.until}" if row.until and row.kind == "quota" else ""
        said = f"{row.because}; {row.hint}" if row.hint else row.because
        if row.name == MODEL:
            then = "other signals are used" if has_substitute else "nothing is traded"
            yield alert_row(about, "warning", "model_off", f"the model is not used, {then}: {said}", kind=row.kind)
        else:
            text = f"the source {row.name} is not asked{until}: {said}"
            yield alert_row(about, "warning", "source_off", text, kind=row.kind)
