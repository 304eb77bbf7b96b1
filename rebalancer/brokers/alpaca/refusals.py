"""The broker's no: which answers are one, and for what reason.

One code of Alpaca's (40310000) covers ten different refusals, so the message decides. Only a 4xx with Alpaca's own
error object is a refusal; a proxy's page, a 5xx or a torn body says nothing about the order.
"""

from __future__ import annotations

import json
import re
from typing import Final, Literal, NamedTuple

MESSAGE_LENGTH_MAX: Final = 300


class ErrorBody(NamedTuple):
    """Alpaca's error object. `code` is None in the bodies that have none (401, some 403)."""

    code: int | None
    message: str


class BrokerRefusal(NamedTuple):
    """How an error answer to an order is to be read; the words are those of `SendResult`."""

    kind: Literal["refused", "not_sent", "unknown"]
    reason: str
    message: str


# The first match counts. The reason is what the caller may act upon; the message is kept beside it.
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
    """Read an error object; None for anything else: HTML, torn JSON, a list, an object without a message."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return None
    code = body.get("code")
    return ErrorBody(code if isinstance(code, int) and not isinstance(code, bool) else None, body["message"])


def reason_of(message: str) -> str:
    """Name the reason that a message gives; `other` for words not met before."""
    return next((reason for pattern, reason in _REASONS if pattern.search(message)), "other")


def refusal_of(status: int, text: str) -> BrokerRefusal:
    """Read an answer to an order that is not a success.

    429 is `not_sent`: the broker did not look at it. A duplicate id is `unknown`: some earlier attempt exists, and
    only asking for it tells which. 408, 3xx and 5xx come from the way, not from the order desk: `unknown`.
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
    """Cut a foreign text to one printable line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MESSAGE_LENGTH_MAX]).split())
    return line if len(line) <= MESSAGE_LENGTH_MAX else line[: MESSAGE_LENGTH_MAX - 3] + "..."
