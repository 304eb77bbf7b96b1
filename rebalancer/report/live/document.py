"""The live view as JSON: `rebalancer.live/1`. Every figure has its value, its unit, its text and its id; times are RFC
3339 in UTC, decimals are strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from rebalancer.core.documents import plain
from rebalancer.report.document import finite
from rebalancer.report.figures.figure import FORMS, Figure
from rebalancer.report.live.records import LIVE_SCHEMA, LiveAccount, LiveView
from rebalancer.report.words import Word


def live_document(view: LiveView) -> dict[str, Any]:
    """The whole view as plain JSON values."""
    found: dict[str, Any] = finite({"schema": LIVE_SCHEMA, **_written(view)})
    return found


def figures_in(account: LiveAccount) -> Iterator[Figure]:
    """Every figure of an account, each once, in the order in which they are shown."""
    seen = set[str]()
    for figure in _figures(account):
        if figure.id not in seen:
            seen.add(figure.id)
            yield figure


def _figures(value: object) -> Iterator[Figure]:
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _figures(item)


def _written(value: Any) -> Any:
    if isinstance(value, Figure):
        return {"id": value.id, "value": plain(value.value), "unit": FORMS[value.form].unit, "text": value.text}
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _written(getattr(value, name)) for name in value._fields}
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _written(item) for key, item in value.items()}
    return value.value if isinstance(value, Enum) else plain(value)
