"""The two outcomes of a request: an `Answer`, or `NoAnswer`, which records whether the request may have been sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.brokers.alpaca.refusals import error_body, plain_words
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused

if TYPE_CHECKING:
    from rebalancer.ops.deadline_session import Call

_ERRNO: Final = re.compile(r"\[Errno [^\]]*\] ([A-Za-z][A-Za-z ,-]*)")
_WORDS: Final = {
    "dns": "the broker's host name was not found",
    "connect": "no connection to the broker",
    "connect_timeout": "the broker did not accept the connection in time",
    "tls": "no secure connection to the broker",
    "timeout": "no whole answer in time",
    "connection_lost": "the connection ended before the whole answer had come",
    "unreadable": "the answer is not JSON",
}


class Answer(NamedTuple):
    """A complete response: `body` is the parsed JSON of a success (None when empty), `text` the text of any other."""

    status: int
    body: Any
    text: str
    headers: Mapping[str, str]


class NoAnswer(Exception):
    """No complete response arrived. `sent` is False only if no byte of the request can have been sent."""

    def __init__(self, sent: bool, reason: str, message: str) -> None:
        super().__init__(message)
        self.sent, self.reason, self.message = sent, reason, message


class Refused(BrokerUnavailable):
    """A 4xx response to a read, other than 401, 403 and 429: the request itself was rejected."""

    def __init__(self, status: int, code: int | None, message: str, where: str) -> None:
        super().__init__(f"the broker refused {where} ({status}): {message}")
        self.status, self.code, self.message = status, code, message


def silence_of(call: Call, error: Exception) -> NoAnswer:
    """Classify the error of a call that got no complete response. Imports `requests`, which raised the error."""
    reason = _reason_of(call, error)
    errno = _ERRNO.search(str(error))
    detail = errno[1].strip() if errno else ""
    return NoAnswer(call.sent, reason, _WORDS[reason] + (f" ({detail})" if detail else ""))


def trouble_of(answer: Answer, where: str, age_seconds_max: float) -> str:
    """The temporary problem with a response to a read; empty when there is none.

    Raises the permanent ones: CredentialsRefused (401, 403), BrokerUnavailable (3xx), Refused (any other 4xx).
    """
    status, age = answer.status, whole_of(answer.headers.get("Age"))
    if 200 <= status < 300:
        if age is not None and age > age_seconds_max:
            return f"the answer is {age} s old: something on the way keeps copies"
        return ""
    body = error_body(answer.text)
    words = plain_words(body.message if body is not None else answer.text) or "an empty answer"
    if status == 429:
        return f"rate limited (429): {words}"
    if status >= 500 or status == 408:
        return f"the broker failed ({status}): {words}"
    if status < 400:
        raise BrokerUnavailable(f"{where}: redirected ({status}); is the base address right?")
    if status == 403 and "subscription" in words:
        raise BrokerUnavailable(f"{where}: {words}: set broker.data_feed to one that the account includes (iex)")
    if status in (401, 403):
        raise CredentialsRefused(
            f"the broker refused the key ({status} on {where}): {words}. Check APCA_API_KEY_ID and "
            "APCA_API_SECRET_KEY, and that they belong to APCA_API_BASE_URL: paper and live keys differ"
        )
    raise Refused(status, body.code if body is not None else None, words, where)


def whole_of(header: str | None) -> int | None:
    """The value of a header that is a whole number; None for anything else."""
    return int(header) if header is not None and header.isascii() and header.isdigit() and len(header) < 16 else None


def _reason_of(call: Call, error: Exception) -> str:
    import requests

    if call.sent:
        if call.status is not None:
            return "unreadable"
        late = isinstance(error, (requests.Timeout, TimeoutError)) or "timed out" in str(error)
        return "timeout" if late or call.monotonic() >= call.deadline else "connection_lost"
    if isinstance(error, requests.exceptions.SSLError):
        return "tls"
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return "connect_timeout"
    return "dns" if "resolve" in str(error) else "connect"
