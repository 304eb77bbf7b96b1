"""Addresses that contain secrets: parsed strictly, and shown as scheme and host at most."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_SMTP_PORTS: Final = {"smtps": 465, "smtp+starttls": 587, "smtp": 25}


class BadAddress(Exception):
    """An unusable address; the message names the environment variable or setting, never the address itself."""


class WebAddress:
    """A web address whose path, query and user are secrets."""

    def __init__(self, url: str, host: str, port: int, shown: str) -> None:
        self._url, self.host, self.port, self.shown = url, host, port, shown

    def reveal(self) -> str:
        """The full address, for sending only."""
        return self._url

    def below(self, word: str) -> str:
        """The full address with one more segment at the end of its path."""
        parts = urlsplit(self._url)
        return parts._replace(path=f"{parts.path.rstrip('/')}/{word}").geturl()

    def __repr__(self) -> str:
        return f"WebAddress({self.shown})"


class SmtpServer(NamedTuple):
    """The SMTP server that accepts our mail. `security` is smtps, smtp+starttls, or smtp (this machine only)."""

    security: str
    host: str
    port: int
    user: str
    password: str

    @property
    def shown(self) -> str:
        """The parts of the address that may be shown."""
        return f"{self.security}://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"SmtpServer({self.shown})"


def web_address(name: str, url: str) -> WebAddress:
    """Parse an https address; http is allowed only on this machine. Raises BadAddress naming the variable."""
    parts, port = _split(name, url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise BadAddress(f"{name} must be an https address (http only on this machine)")
    return WebAddress(url, host, port or (443 if parts.scheme == "https" else 80), f"{parts.scheme}://{host}/…")


def smtp_server(name: str, url: str) -> SmtpServer:
    """Parse smtps://user:password@host:465 or smtp+starttls://user:password@host:587. Raises BadAddress."""
    parts, port = _split(name, url)
    host, user = parts.hostname or "", unquote(parts.username or "")
    if parts.scheme not in _SMTP_PORTS:
        raise BadAddress(f"{name} must begin with smtps:// or smtp+starttls://")
    if parts.scheme == "smtp" and host not in _LOOPBACK:
        raise BadAddress(f"{name}: smtp:// without TLS is for this machine only; write smtps:// or smtp+starttls://")
    if bool(user) != bool(parts.password):
        raise BadAddress(f"{name} needs both user and password, or neither")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise BadAddress(f"{name} ends after the port; write / ? # @ in a password as %2F %3F %23 %40")
    return SmtpServer(parts.scheme, host, port or _SMTP_PORTS[parts.scheme], user, unquote(parts.password or ""))


def _split(name: str, url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress(f"{name} is not a valid address: its host or port cannot be read") from None
    if not parts.hostname or any(c.isspace() or not c.isprintable() for c in url):
        raise BadAddress(f"{name} is not a valid address: it has no host, or contains a space")
    return parts, port
