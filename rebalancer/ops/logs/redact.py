"""Keep secrets out of the log: the redactor knows every secret value loaded by this process, in all encodings."""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN: Final = "[secret]"
SHORTEST: Final = 6
SECRET_ENDINGS: Final = ("SECRET", "KEY", "KEY_ID", "TOKEN", "PASSWORD")
ALERT_VARIABLES: Final = (
    "REBALANCER_SMTP_URL",
    "REBALANCER_ALERT_WEBHOOK",
    "REBALANCER_APPRISE_URLS",
    "REBALANCER_HEARTBEAT_URL",
    "REBALANCER_EVENTS_WEBHOOK",
)
_PLAIN_SCHEMES: Final = ("http", "https", "smtp", "smtps")


class Redactor:
    """Replaces every secret it has learned. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._accounts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, values: Iterable[str]) -> None:
        """Remember secret values. Those shorter than 6 characters would hide ordinary words and are ignored."""
        self._add(self._secrets, values)

    def learn_account(self, account: str) -> None:
        """Remember an account id; only its last four characters are shown."""
        self._add(self._accounts, (account,))

    def redact(self, text: str) -> str:
        """The text with every secret, whether plain, URL-encoded, escaped or base64, replaced by `[secret]`."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(self._instead, text)

    def _add(self, known: set[str], values: Iterable[str]) -> None:
        with self._lock:
            fresh = {value for value in values if len(value) >= SHORTEST} - known
            if not fresh:
                return
            known |= fresh
            spelled = set(chain.from_iterable(map(_spellings, self._secrets))) | self._accounts
            longest_first = sorted(spelled, key=lambda one: (-len(one), one))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def _instead(self, found: re.Match[str]) -> str:
        text = found.group()
        return f"••••{text[-4:]}" if text in self._accounts and text not in self._secrets else HIDDEN


class RedactingFilter(logging.Filter):
    """Removes secrets from a record, including its traceback, before any handler writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def secrets_among(environ: Mapping[str, str]) -> Iterator[str]:
    """The secret values in an environment: those of variables with secret names, and private parts of alert URLs."""
    for name, value in environ.items():
        if name in ALERT_VARIABLES:
            yield value
            yield from _private_parts(value)
        elif name.upper().endswith(SECRET_ENDINGS):
            yield value


def _private_parts(text: str) -> Iterator[str]:
    """The parts of URLs that grant access: user and password, path and query. A path is matched together with its host,
    so that `/alerts` does not hide an ordinary word; path segments are matched alone if they look like tokens."""
    for address in re.split(r"[\s,]+", text):
        try:
            parts = urlsplit(address)
        except ValueError:
            continue
        users, at, host = parts.netloc.rpartition("@")
        if at:
            user, _, password = users.partition(":")
            yield from (users, unquote(users), *((password, unquote(password)) if password else (user, unquote(user))))
        yield from (host + parts.path if len(parts.path) > 1 else "", parts.query)
        yield from (pair.partition("=")[2] for pair in parts.query.split("&"))
        pieces = parts.path.split("/")
        if parts.scheme not in _PLAIN_SCHEMES:  # apprise puts tokens in place of the host
            pieces.append(host)
        yield from (piece for piece in pieces if len(piece) >= 12 or re.search(r"[0-9A-Z]", piece))


def _spellings(value: str) -> Iterator[str]:
    """Every form in which a value may appear: plain, URL-encoded, escaped by Python or JSON, base64."""
    plain = {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    yield from plain
    yield from (quote(value), quote(value, safe=""), quote_plus(value))
    for prefix in (b"", b"x", b"xx"):  # base64 depends on the offset of the value modulo 3
        raw = prefix + value.encode("utf-8", "surrogateescape")
        coded = base64.b64encode(raw).decode()
        start = -(-len(prefix) * 8 // 6)  # characters with bits of the preceding bytes
        end = len(raw) * 8 // 6  # characters without bits of the following bytes
        middle = coded[start:end]
        if len(middle) >= SHORTEST:
            yield middle
            yield middle.replace("+", "-").replace("/", "_")


_KNOWN: Final = Redactor()


def learn(values: Iterable[str]) -> None:
    """Add secret values to this process's redactor."""
    _KNOWN.learn(values)


def learn_account(account: str) -> None:
    """Add an account id to this process's redactor."""
    _KNOWN.learn_account(account)


def redact(text: str) -> str:
    """The text with every secret loaded by this process redacted."""
    return _KNOWN.redact(text)


def redact_stderr() -> None:
    """Redact direct output to stderr: Python's warnings and the `logging.lastResort` handler."""
    last = logging.lastResort
    if last is not None and not any(isinstance(one, RedactingFilter) for one in last.filters):
        last.addFilter(RedactingFilter())
    warnings.formatwarning = _format_warning


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,  # noqa: ARG001 - callers pass it; a source line is of no use to a trader
) -> str:
    return redact(f"{filename}:{lineno}: {category.__name__}: {message}\n")
