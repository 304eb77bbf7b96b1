"""What the process of the evening found: plans planned again, the fills of the model, shadow books."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from rebalancer.journal.parity_row import PARITY
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import ParityRow, ShadowRow


def measured(source: Source) -> tuple[ParityRow, ...]:
    """The measurements of the days of the period, oldest first; the newest of each day."""
    found: dict[date, ParityRow] = {}
    for event in source.journal.recall(source.account_id, PARITY, since=source.span.begins):
        day = date.fromisoformat(event.key or "")
        if source.span.first <= day <= source.span.last:
            found[day] = row_of(day, event.body)
    return tuple(found[day] for day in sorted(found))


def row_of(day: date, body: Mapping[str, Any]) -> ParityRow:
    """One measurement as it was stored."""
    parts = body["divergence_bp"]
    books = tuple(
        ShadowRow(str(one["name"]), str(one["since"]), int(one["orders"]), float(one["return"]),
                  float(one["live_return"]))
        for one in body["shadow_books"]
    )  # fmt: skip
    return ParityRow(
        day,
        int(body["cycles"]),
        int(body["plans_equal"]),
        float(parts["fills"]),
        float(parts["prices"]),
        float(parts["cash"]),
        str(body["costs"]["sentence"]),
        books,
    )
