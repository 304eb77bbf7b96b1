"""Records of what the cycles of a period took: time, requests, and the age of prices."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class StepTime(NamedTuple):
    """Seconds of one step, as median and maximum over the `cycles` in which it took any time, and when the longest one
    was. The step "all" is a whole cycle."""

    step: str
    cycles: int
    median: float
    worst: float
    worst_at: datetime


class Requests(NamedTuple):
    """Requests to the broker in a period, and the `most` in one cycle. `repeats` are retries; `limited` were answered
    429, `failed` 5xx, `lost` not at all or incompletely. The duration of the longest one is in milliseconds."""

    total: int
    most: int
    repeats: int
    limited: int
    failed: int
    lost: int
    longest_ms: int


class Effort(NamedTuple):
    """What the measured cycles took; nothing is known of the `unrecorded` ones. `feeds` are the price feeds; the age is
    that of the oldest price used by a plan."""

    cycles: int
    unrecorded: int
    steps: tuple[StepTime, ...]
    requests: Requests | None
    feeds: tuple[str, ...]
    oldest_quote_seconds: float | None
