"""The context of log lines: the current cycle, symbol, order and account, and the event that a line records.

It imports only the standard library, so that every module may use `bound` and `note`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Final

FIELDS: Final = ("cycle", "symbol", "order", "account")
# Fields of single events, never bound: the first four for RETRY, the others for ALERT.
DETAILS: Final = ("call", "attempt", "reason", "wait", "alert_level", "alert_code", "alert_about")
EXTRA: Final = "about"  # the attribute of a log record that `note` sets

_BOUND: ContextVar[dict[str, str]] = ContextVar("rebalancer_log_fields")


class LogEvent(StrEnum):
    """The named events that log lines can be searched for. A closed set, listed in docs/reference/logs.md."""

    SLOT_BEGAN = "slot_began"
    SLOT_ENDED = "slot_ended"
    ORDER_INTENDED = "order_intended"
    ORDER_ACCEPTED = "order_accepted"
    ORDER_FILLED = "order_filled"
    ORDER_ENDED = "order_ended"
    ORDER_REFUSED = "order_refused"
    ORDER_UNKNOWN = "order_unknown"
    HALTED = "halted"
    LATCHED = "latched"
    ALERT = "alert"
    RETRY = "retry"
    SESSION_BEGAN = "session_began"
    SESSION_ENDED = "session_ended"


@contextmanager
def bound(cycle: str = "", symbol: str = "", order: str = "", account: str = "") -> Iterator[None]:
    """Add these fields to every log line in the block; an empty one keeps the bound value. New threads have none."""
    before = _BOUND.set(_BOUND.get({}) | _given(cycle, symbol, order, account))
    try:
        yield
    finally:
        _BOUND.reset(before)


def note(
    logger: logging.Logger,
    event: LogEvent,
    text: str,
    level: int = logging.INFO,
    *,
    cycle: str = "",
    symbol: str = "",
    order: str = "",
    account: str = "",
    details: Mapping[str, str] | None = None,
) -> None:
    """Log an event. The fields are added to the bound ones and take precedence over them.

    details: additional fields of this kind of event, by the names in `DETAILS`.
    """
    if logger.isEnabledFor(level):
        found = {"event": event.value} | _given(cycle, symbol, order, account) | dict(details or {})
        logger.log(level, "%s", text, extra={EXTRA: found})


def about(record: logging.LogRecord) -> dict[str, str]:
    """The fields of a record, including `event`; the account is cut to its last four characters. Call it in the thread
    that created the record."""
    found = {**_BOUND.get({}), **getattr(record, EXTRA, {})}
    if "account" in found:
        found["account"] = f"••••{found['account'][-4:]}"
    return {name: found[name] for name in ("event", *FIELDS, *DETAILS) if name in found}


def _given(*values: str) -> dict[str, str]:
    return {name: value for name, value in zip(FIELDS, values, strict=True) if value}
