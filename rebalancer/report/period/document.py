"""An edition as a document: `rebalancer.edition/1`, the JSON twin of its page."""

from __future__ import annotations

from typing import Any, Final

from rebalancer.core.codec import plain
from rebalancer.performance.round_trips import RoundTrip
from rebalancer.report.document import finite, inside_script, json_text, without_unused
from rebalancer.report.period.figures import counts_of, figures_of
from rebalancer.report.period.records import EDITION_SCHEMA, PeriodReport
from rebalancer.report.period.words import attention_of, sentence_of

SHORT: Final = ("schema", "sentence", "period", "first", "last", "mode", "counts", "equity", "bridge")
TRIP_KEYS: Final = (
    "symbol", "side", "qty", "entry", "exit", "opened_at", "closed_at", "profit", "fees", "source", "reason", "regime",
    "exit_cause",
)  # fmt: skip
NOT_IN_THE_DOCUMENT: Final = ("schema", "summary", "whole")  # what they hold is in `figures`
EMBEDDED_MAX: Final = 48_000  # bytes inside the page; the file beside it has everything


def edition_json(edition: PeriodReport) -> str:
    """The whole edition as one line of JSON. The edition must be redacted."""
    return json_text(_document(edition)) + "\n"


def embedded_edition(edition: PeriodReport, bytes_max: int) -> str:
    """The document for a script element: whole when it fits, else without the last cycle, else the sentence alone."""
    whole = _document(edition)
    without_cycle = whole | {"abridged": "the last cycle", "latest": None}
    short = {key: whole[key] for key in SHORT}
    for document in (whole, without_cycle):
        text = inside_script(json_text(document))
        if len(text.encode()) <= min(bytes_max, EMBEDDED_MAX):
            return text
    return inside_script(json_text(short | {"abridged": "all but the summary"}))


def _document(edition: PeriodReport) -> dict[str, Any]:
    document: dict[str, Any] = finite(plain(edition))
    for name in NOT_IN_THE_DOCUMENT:
        document.pop(name)
    document["counts"] = plain(counts_of(edition))
    document["figures"] = figures_of(edition).document()
    if edition.latest is not None:
        without_unused(document["latest"])  # as in its own report, but for the figures
    document["trips"] = [{key: trip[key] for key in TRIP_KEYS} for trip in map(_with_profit, edition.trips)]
    for row in (*document["quality"], *document["quality_by_hour"]):
        del row["missed"]
    return {"schema": EDITION_SCHEMA, "sentence": sentence_of(edition, attention_of(edition)), **document}


def _with_profit(trip: RoundTrip) -> dict[str, Any]:
    document: dict[str, Any] = finite(plain(trip))
    return {**document, "profit": plain(trip.profit)}
