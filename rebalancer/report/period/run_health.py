"""Records of what the cycles of a period took: time, requests, the age of prices."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

EDITION_SCHEMA: Final = "rebalancer.edition/1"


class StepTime(NamedTuple):
    """Seconds of one step at the median and at most over the `cycles` in which it took any, and when the longest one
    was. The step "all" is a whole cycle."""

    step: str
    cycles: int
    median: float
    worst: float
    worst_at: datetime


class Requests(NamedTuple):
    """Requests to the broker in a period, and the `most` in one cycle. `repeats` repeat an earlier one; `limited` were
    answered 429, `failed` 5xx, `lost` not at all or not in full. The longest one in milliseconds."""

    total: int
    most: int
    repeats: int
    limited: int
    failed: int
    lost: int
    longest_ms: int


class Effort(NamedTuple):
    """What the measured cycles took; of `unrecorded` ones nothing is known. `feeds` are the price feeds; the age is
    that of the oldest price that a plan was made with."""

    cycles: int
    unrecorded: int
    steps: tuple[StepTime, ...]
    requests: Requests | None
    feeds: tuple[str, ...]
    oldest_quote_seconds: float | None
