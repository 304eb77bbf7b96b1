"""Recognise the broker's refusals and classify their reasons.

One Alpaca error code (40310000) covers ten different refusals, so the message decides. Only a 4xx with Alpaca's own
error object is a refusal; a proxy's page, a 5xx or a truncated body says nothing about the order.
"""

from __future__ import annotations

import json
import re
from typing import Final, Literal, NamedTuple

MESSAGE_LENGTH_MAX: Final = 300


class ErrorBody(NamedTuple):
    """Alpaca's error object. `code` is None for responses that have none (401, some 403)."""

    code: int | None
    message: str


class BrokerRefusal(NamedTuple):
    """The meaning of an error response to an order, in the terms of `SendResult`."""

    kind: Literal["refused", "not_sent", "unknown"]
    reason: str
    message: str


# The first match counts. Callers may act on the reason; the message is kept alongside it.
_REASONS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"client_order_id must be unique", "duplicate_id"),
        (r"rate limit|too many requests", "rate_limited"),
        (r"pattern day trad|insufficient day trading", "day_trading"),
        (r"insufficient buying power", "buying_power"),
        (r"insufficient qty available|insufficient balance for", "qty_held"),
        (r"wash trade", "wash_trade"),
        (r"cost basis must be >=|notional must be >=", "min_size"),
        (r"position intent mismatch", "position_intent"),
        (r"cannot open a (long buy|short sell)|open closing position orders", "opposite_side"),
        (r"only day orders are allowed", "day_only"),
        (r"cannot be sold short|hard-to-borrow", "not_shortable"),
        (r"not allowed to short", "short_restricted"),
        (r"not fractionable|fractional trading is disabled", "not_fractionable"),
        (r"is not (tradable|active)|asset .* is inactive", "not_tradable"),
        (r"liquidation only|rejected by user request|account is (blocked|suspended)", "suspended"),
        (r"not authorized to trade|insufficient permission|account not allowed", "unauthorized"),
        (r"^(unauthorized|forbidden)\b|request is not authorized", "auth"),
        (r"market is closed|orders must be submitted after", "market_closed"),
        (r"not found|does not exist", "not_found"),
        (
            r"invalid|require|is missing|must (be|specify)|only one of|sub-penny|not eligible|limited to 2 decimal",
            "invalid",
        ),
    )
)


def error_body(text: str) -> ErrorBody | None:
    """Parse an error object; None for anything else: HTML, truncated JSON, a list, an object without a message."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return None
    code = body.get("code")
    return ErrorBody(code if isinstance(code, int) and not isinstance(code, bool) else None, body["message"])


def reason_of(message: str) -> str:
    """Classify a message; `other` for one that matches no known pattern."""
    return next((reason for pattern, reason in _REASONS if pattern.search(message)), "other")


def refusal_of(status: int, text: str) -> BrokerRefusal:
    """Classify an unsuccessful response to an order.

    429 is `not_sent`: the broker did not process the request. A duplicate id is `unknown`: an earlier attempt exists,
    and only a lookup shows which. 408, 3xx and 5xx may come from an intermediary and not from order handling, so they
    are `unknown`.
    """
    body = error_body(text)
    message = plain_words(body.message if body is not None else text) or f"an empty answer with status {status}"
    if status == 429:
        return BrokerRefusal("not_sent", "rate_limited", message)
    if not 400 <= status < 500 or status == 408:
        return BrokerRefusal("unknown", f"http_{status}", message)
    if body is None:
        return BrokerRefusal("unknown", "unreadable", message)
    if body.code is None and status not in (401, 403):
        return BrokerRefusal("unknown", "unreadable", message)
    if body.code is not None and str(body.code).startswith("5"):
        return BrokerRefusal("unknown", "contradiction", message)
    if status == 401:
        return BrokerRefusal("refused", "auth", message)
    reason = reason_of(message)
    return BrokerRefusal("unknown" if reason == "duplicate_id" else "refused", reason, message)


def plain_words(text: str) -> str:
    """Reduce untrusted text to one printable line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MESSAGE_LENGTH_MAX]).split())
    return line if len(line) <= MESSAGE_LENGTH_MAX else line[: MESSAGE_LENGTH_MAX - 3] + "..."
