"""One request to a vendor: one deadline, retries with growing pauses, and what each refusal means.

    400 with words about a key, 401, 403    KeyRefused          off until the key changes
    402, or words about a quota             QuotaUsed           off until it is reset
    410                                     SourceGone          off until the configuration changes
    429, 5xx, no answer, unreadable         SourceUnavailable   asked again later
    any other 4xx                           VendorRefused      asked again after an hour

A key travels in a header or a parameter and never in a message: every text is redacted, and what a vendor says is
shortened to one line. Redirects are not followed, so a key never leaves the host it belongs to.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.ops.clock import Clock
from rebalancer.ops.logs.redact import redact
from rebalancer.signals.sources.contract import (
    KeyRefused,
    QuotaUsed,
    SourceBudget,
    SourceGone,
    SourceProblem,
    SourceUnavailable,
    VendorRefused,
)
from rebalancer.version import __version__

CONNECT_SECONDS: Final = 10.0
ATTEMPTS: Final = 3
PAUSE_SECONDS: Final = 1.0  # before the second attempt; doubled for each further one
PAUSE_MOST: Final = 30.0  # a vendor that asks for a longer one is asked again in a later round
BYTES_MAX: Final = 8 * 1024 * 1024
WORDS_MAX: Final = 200
USER_AGENT: Final = f"rebalancer/{__version__} (signals)"
_KEY_WORDS: Final = re.compile(
    r"(?i)\bapi[\s_-]?key\b|\b(?:incorrect|invalid|missing|expired|unknown) key\b|unauthenticated"
)
_QUOTA_WORDS: Final = re.compile(
    r"(?i)\bquota\b|\bcredits?\b|\bbilling\b|\bper day\b|\bdaily\b|spending limit|insufficient (?:funds|balance)"
)
_RETRIED: Final = frozenset({413, 429, 499, 500, 502, 503, 504, 529})
_NOT_TAKEN: Final = frozenset({429, 503, 529})  # the vendor has not begun with it; after others it may have been paid
_CONTROL: Final = re.compile(r"[^\x20-\x7e\xa0-\uffff]+")


class VendorAnswer(NamedTuple):
    """An answer of any status: its JSON (None when it has none), and when the vendor wants to be asked again."""

    status: int
    body: Any
    text: str
    retry_seconds: float


class VendorHttp:
    """Requests of one source under its budget.

    key: the name of the variable that holds its key, for messages. keep: told every raw answer, redacted.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        key: str,
        timeout_seconds: float,
        budget: SourceBudget,
        clock: Clock,
        keep: Callable[[str], None],
        headers: Mapping[str, str],
    ) -> None:
        self._name, self._base_url, self._key, self._timeout = name, base_url, key, timeout_seconds
        self._budget, self._clock, self._keep = budget, clock, keep
        self._headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers}

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        """The JSON of a GET. Raises SourceProblem."""
        return self._asked("GET", path, params, None)

    def post(self, path: str, body: Mapping[str, object], usd: Decimal | None = None) -> Any:
        """The JSON of a POST that costs about so much. Repeated only when nothing was sent, or the vendor said that it
        did not take it: an answer that is lost was paid for all the same. Raises SourceProblem."""
        return self._asked("POST", path, {}, body, usd)

    def _asked(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, object] | None,
        usd: Decimal | None = None,
    ) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            self._budget.spend(usd)
            try:
                answer = self._once(method, path, params, body)
            except _NoAnswer as error:
                if attempt == ATTEMPTS or not error.may_repeat:
                    raise SourceUnavailable(f"{self._name}: {error}") from None
                self._pause(attempt, 0.0)
                continue
            again = _RETRIED if method == "GET" else _NOT_TAKEN
            if answer.status not in again or attempt == ATTEMPTS or self._is_quota(answer):
                break
            if answer.retry_seconds > PAUSE_MOST:
                break
            self._pause(attempt, answer.retry_seconds)
        if answer.status == 200 and answer.body is not None:
            self._keep(redact(answer.text))
            return answer.body
        raise self._problem(answer)

    def _pause(self, attempt: int, least: float) -> None:
        """Between two attempts; spread by half, so that many programs do not come back at once."""
        spread = zlib.crc32(f"{self._name} {attempt} {self._clock.monotonic()}".encode()) / 2**32
        self._clock.wait(max(PAUSE_SECONDS * 2 ** (attempt - 1) * (0.5 + spread), least))

    def _once(
        self, method: str, path: str, params: Mapping[str, str], body: Mapping[str, object] | None
    ) -> VendorAnswer:
        import requests
        import urllib3

        from rebalancer.ops.deadline_session import Call, DeadlineSession

        monotonic = self._clock.monotonic
        call = Call(monotonic() + self._timeout, min(CONNECT_SECONDS, self._timeout), self._timeout, monotonic)
        session = DeadlineSession(monotonic)
        session.headers.update(self._headers)

        def send() -> tuple[int, Mapping[str, str], bytes]:
            answer = session.request(method, self._base_url + path, params=dict(params), json=body, stream=True)
            content, size = [], 0
            for part in answer.iter_content(65536):
                size += len(part)
                if size > BYTES_MAX:
                    raise ValueError("too long")
                content.append(part)
            return answer.status_code, answer.headers, b"".join(content)

        try:
            status, headers, content = session.within(call, send)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            words = "is longer than 8 MB" if str(error) == "too long" else f"did not come ({type(error).__name__})"
            raise _NoAnswer(f"the answer {words}", may_repeat=method == "GET" or not call.sent) from None
        finally:
            session.close()
        text = content.decode("utf-8", "replace")
        try:
            parsed = json.loads(content, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            parsed = None
        return VendorAnswer(status, parsed, text, _seconds(headers.get("Retry-After", "")))

    def _is_quota(self, answer: VendorAnswer) -> bool:
        return answer.status == 402 or (
            answer.status in (403, 429) and bool(_QUOTA_WORDS.search(words_of(answer.body)))
        )

    def _problem(self, answer: VendorAnswer) -> SourceProblem:
        """What an answer means that brings no data."""
        said = words_of(answer.body) or "no reason given"
        text = f"{self._name} answered {answer.status}: {said}"
        if self._is_quota(answer):
            return QuotaUsed(text, "raise the limit at the vendor, or wait", answer.retry_seconds or None)
        if answer.status in (401, 403) or (answer.status == 400 and _KEY_WORDS.search(said)):
            return KeyRefused(
                text, f"set {self._key} to a key that the vendor takes; it is tried again when it changes"
            )
        if answer.status == 410:
            return SourceGone(text, "the vendor has withdrawn this interface: docs/how-to/sources.md")
        if answer.status == 200:
            return SourceUnavailable(f"{self._name}: the answer is not JSON")
        if answer.status in _RETRIED or answer.status >= 500:
            return SourceUnavailable(text, seconds=answer.retry_seconds)
        if 300 <= answer.status < 400:
            return VendorRefused(f"{self._name} answered {answer.status}; redirects are not followed", "check base_url")
        return VendorRefused(text, f"check signals.sources.{self._name}")


class _NoAnswer(Exception):
    def __init__(self, message: str, *, may_repeat: bool) -> None:
        super().__init__(message)
        self.may_repeat = may_repeat


def words_of(body: Any) -> str:
    """What an error body says, in one redacted line: flat, or an object under `error`. "" when it says nothing."""
    if not isinstance(body, dict):
        return ""
    found: list[str] = []
    for name in ("code", "error", "message", "detail", "status", "type"):
        value = body.get(name)
        if isinstance(value, dict):
            found.append(words_of(value))
        elif isinstance(value, str | int) and not isinstance(value, bool):
            found.append(str(value))
    return one_line(" ".join(dict.fromkeys(text for text in found if text)))


def one_line(text: str, most: int = WORDS_MAX) -> str:
    """A text from outside as one redacted line of printable characters."""
    plain = " ".join(_CONTROL.sub(" ", redact(text)).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _seconds(text: str) -> float:
    """A Retry-After in seconds; 0 for none and for a date."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
