"""The bridge of a period as a table: from the opening equity to the closing equity, and which days are missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from rebalancer.report.columns import TableRow, clip, paint, table, wrap
from rebalancer.report.numbers import fixed

if TYPE_CHECKING:
    from rebalancer.performance.period_bridge import PeriodBridge

LINES: Final = {
    "flows": "deposits and withdrawals",
    "realised": "realised",
    "unrealised": "unrealised",
    "dividends": "dividends",
    "fees": "fees",
    "interest": "interest",
    "other": "splits, mergers, other",
    "unexplained": "unexplained",
}
DAYS_SHOWN: Final = 5


def bridge_lines(bridge: PeriodBridge | None, width: int | None, colour: bool) -> list[str]:
    """The table with its title; a sentence when no day of the period was closed."""
    if bridge is None:
        said = "Profit and loss: no books of this period were closed yet; they are, after each day of trading."
        return ["", *wrap(said, width)]
    days = str(bridge.first) if bridge.first == bridge.last else f"{bridge.first} to {bridge.last}"
    rows = [TableRow(("opening equity", fixed(bridge.opening, 2), ""))]
    for name, label in LINES.items():
        mark = ("" if name != "unexplained" else "✘ must be 0.00" if bridge.unexplained else "✔",)
        tone = "" if name != "unexplained" else "bad" if bridge.unexplained else "ok"
        rows.append(TableRow((label, fixed(getattr(bridge, name), 2, sign=True), *mark), tone))
    rows.append(TableRow(("closing equity", fixed(bridge.closing, 2), "")))
    title = paint(clip(f"Profit and loss by closed books, {days}", width), "bold", colour)
    return ["", title, *table(("", "USD", ""), "<><", rows, width=width, colour=colour), *_notes(bridge, width)]


def _notes(bridge: PeriodBridge, width: int | None) -> list[str]:
    """Notes on what the table lacks."""
    within = [day for day in bridge.missing if day < bridge.last]
    after = [day for day in bridge.missing if day > bridge.last]
    notes = []
    if within:
        notes.append(f"Books were not closed on {_days(within)}: counted with the closed day that follows.")
    if after:
        notes.append(f"Books are not closed yet for {_days(after)}: not in this table.")
    if bridge.unpriced:
        notes.append(
            f"Books of {_days(bridge.unpriced)} have no prices: what prices did then is what is left when all else is "
            "known."
        )
    return [line for note in notes for line in wrap(note, width, indent="  ")]


def _days(days: Sequence[date]) -> str:
    named = ", ".join(str(day) for day in days[:DAYS_SHOWN])
    return named if len(days) <= DAYS_SHOWN else f"{named} and {len(days) - DAYS_SHOWN} more days"
