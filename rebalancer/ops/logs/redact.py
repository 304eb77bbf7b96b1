"""Secrets never reach a line: the redactor knows every secret value this process has loaded, in all its spellings."""

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
        """Remember secret values; one shorter than 6 characters would hide ordinary words and is left out."""
        self._add(self._secrets, values)

    def learn_account(self, account: str) -> None:
        """Remember an account's id; lines show its last four characters."""
        self._add(self._accounts, (account,))

    def redact(self, text: str) -> str:
        """The text without secrets: plain, URL-encoded, escaped and base64 spellings become `[secret]`."""
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
    """Takes the secrets out of a record before any handler writes it, its traceback included."""

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
    """The values that count as secret: those of variables named like one, and the private parts of alert addresses."""
    for name, value in environ.items():
        if name in ALERT_VARIABLES:
            yield value
            yield from _private_parts(value)
        elif name.upper().endswith(SECRET_ENDINGS):
            yield value


def _private_parts(text: str) -> Iterator[str]:
    """The parts of addresses that let somebody in: user and password, path and query. A path counts with its host,
    so that one like `/alerts` hides no plain word; its parts count alone when they look like a token."""
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
        if parts.scheme not in _PLAIN_SCHEMES:  # apprise writes tokens in a host's place
            pieces.append(host)
        yield from (piece for piece in pieces if len(piece) >= 12 or re.search(r"[0-9A-Z]", piece))


def _spellings(value: str) -> Iterator[str]:
    """Every form in which a value is met: as it is, as an address, as Python or JSON writes it, as base64."""
    plain = {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    yield from plain
    yield from (quote(value), quote(value, safe=""), quote_plus(value))
    for prefix in (b"", b"x", b"xx"):  # base64 depends on where in the whole the value begins
        raw = prefix + value.encode("utf-8", "surrogateescape")
        coded = base64.b64encode(raw).decode()
        start = -(-len(prefix) * 8 // 6)  # characters that hold bits of what stands before
        end = len(raw) * 8 // 6  # characters that hold no bit of what follows
        middle = coded[start:end]
        if len(middle) >= SHORTEST:
            yield middle
            yield middle.replace("+", "-").replace("/", "_")


_KNOWN: Final = Redactor()


def learn(values: Iterable[str]) -> None:
    """Let this process's redactor remember secret values."""
    _KNOWN.learn(values)


def learn_account(account: str) -> None:
    """Let this process's redactor remember an account's id."""
    _KNOWN.learn_account(account)


def redact(text: str) -> str:
    """A text without any secret this process has loaded."""
    return _KNOWN.redact(text)


def redact_stderr() -> None:
    """Redact what libraries write to stderr by themselves: Python's warnings and logging's last resort."""
    last = logging.lastResort
    if last is not None and not any(isinstance(one, RedactingFilter) for one in last.filters):
        last.addFilter(RedactingFilter())
    warnings.formatwarning = _format_warning


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,  # noqa: ARG001 - callers name it; a line of source says nothing to a trader
) -> str:
    return redact(f"{filename}:{lineno}: {category.__name__}: {message}\n")
