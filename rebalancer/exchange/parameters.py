"""Reading query parameters as tolerantly as Alpaca does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from rebalancer.core.values import utc_of
from rebalancer.exchange.calendar import micros_of
from rebalancer.exchange.errors import invalid

Parameters = Mapping[str, str]
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")


def names(parameters: Parameters, name: str) -> list[str]:
    """A comma-separated list, without empty entries."""
    return [part.strip() for part in parameters.get(name, "").split(",") if part.strip()]


def choice(parameters: Parameters, name: str, allowed: tuple[str, ...], words: str) -> str:
    """One of the allowed words, the first when absent. Raises ApiError 422."""
    value = parameters.get(name, "").lower() or allowed[0]
    if value not in allowed:
        raise invalid(words)
    return value


def count(parameters: Parameters, name: str, default: int, largest: int) -> int:
    """A positive number, clamped to the largest; the default when absent or not positive. Raises ApiError 422."""
    text = parameters.get(name, "")
    if not text:
        return default
    if not _INTEGER.fullmatch(text):
        raise invalid(f"{name} must be a number")
    number = int(text)
    return min(number, largest) if number > 0 else default


def moment(parameters: Parameters, name: str) -> int | None:
    """An RFC 3339 time or a date (midnight UTC) in microseconds; None when absent. Raises ApiError 422."""
    text = parameters.get(name, "")
    if not text:
        return None
    found = read_moment(text)
    if found is None:
        raise invalid(f"invalid {name}: {text[:40]}")
    return found


def read_moment(text: str) -> int | None:
    """Microseconds of an RFC 3339 time or a date; None when it is neither."""
    try:
        if _DAY.fullmatch(text):
            return micros_of(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC))
        return micros_of(utc_of(text.replace(" ", "+")))
    except (ValueError, OverflowError):
        return None


def calendar_date(parameters: Parameters, name: str) -> date | None:
    """A date; of a time the date as it is written, whatever its offset. None when absent. Raises ApiError 422."""
    text = parameters.get(name, "")
    if not text:
        return None
    found = read_date(text)
    if found is None:
        raise invalid(f"invalid {name}: {text[:40]}")
    return found


def read_date(text: str) -> date | None:
    """A date, or the date in an RFC 3339 time; None when it is neither."""
    return date.fromisoformat(text.strip()[:10]) if read_moment(text) is not None else None


def order_id(text: str) -> str:
    """A UUID in canonical form. Raises ApiError 422, as Alpaca answers a malformed one."""
    try:
        return str(UUID(text))
    except ValueError:
        raise invalid("order_id is missing") from None
