"""What a line of the log is about: the cycle, symbol, order and account in hand, and which event it tells of.

Nothing here imports more than the standard library: every module may bind and note.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Final

FIELDS: Final = ("cycle", "symbol", "order", "account")
# Of one event alone, never bound: the first four of RETRY, the others of ALERT.
DETAILS: Final = ("call", "attempt", "reason", "wait", "alert_level", "alert_code", "alert_about")
EXTRA: Final = "about"  # the attribute of a log record that `note` sets

_BOUND: ContextVar[dict[str, str]] = ContextVar("rebalancer_log_fields")


class LogEvent(StrEnum):
    """Everything that a line can be searched for by name. Closed: docs/logs.md lists them."""

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
    """Let every line within carry these fields; an empty one leaves what is bound. A thread begins with none."""
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
    """Say that an event took place. The fields add to those that are bound, and beat them.

    details: what this kind of event has beside them, by the names in `DETAILS`.
    """
    if logger.isEnabledFor(level):
        found = {"event": event.value} | _given(cycle, symbol, order, account) | dict(details or {})
        logger.log(level, "%s", text, extra={EXTRA: found})


def about(record: logging.LogRecord) -> dict[str, str]:
    """The fields of a record, `event` among them; the account shows its last four characters. Call it in the thread
    that made the record."""
    found = {**_BOUND.get({}), **getattr(record, EXTRA, {})}
    if "account" in found:
        found["account"] = f"••••{found['account'][-4:]}"
    return {name: found[name] for name in ("event", *FIELDS, *DETAILS) if name in found}


def _given(*values: str) -> dict[str, str]:
    return {name: value for name, value in zip(FIELDS, values, strict=True) if value}
