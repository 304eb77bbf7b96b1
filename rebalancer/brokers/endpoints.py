"""The API key pair and the addresses it may be sent to.

A key is sent over TLS to Alpaca's own hosts, or to this machine; any other host is refused before a connection is
opened.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, NoReturn
from urllib.parse import urlsplit

from rebalancer.core.errors import CredentialsRefused, ExternalError
from rebalancer.ops.logs.redact import learn, redact

PAPER_URL: Final = "https://paper-api.alpaca.markets"
_LIVE_HOST: Final = "api.alpaca.markets"
LIVE_HOSTS: frozenset[str] = frozenset({_LIVE_HOST})  # tests replace it with a local server
_DATA_URL: Final = "https://data.alpaca.markets"
_TRADING_HOSTS: Final = frozenset({"paper-api.alpaca.markets", _LIVE_HOST})
_DATA_HOSTS: Final = frozenset({"data.alpaca.markets", "data.sandbox.alpaca.markets"})


class Credentials:
    """A key pair that is never displayed: it appears as `***` in logs, errors and debuggers."""

    __slots__ = ("_key", "_secret")

    def __init__(self, key: str, secret: str) -> None:
        if not key or not secret:
            raise CredentialsRefused("the key pair is incomplete: set APCA_API_KEY_ID and APCA_API_SECRET_KEY")
        if not (key + secret).isascii() or not (key + secret).isprintable() or " " in key + secret:
            raise CredentialsRefused("the key pair has blanks or unprintable characters: copy it again")
        self._key, self._secret = key, secret

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Credentials:
        """Read APCA_API_KEY_ID and APCA_API_SECRET_KEY. Raises CredentialsRefused when one is missing."""
        found = cls(environ.get("APCA_API_KEY_ID", "").strip(), environ.get("APCA_API_SECRET_KEY", "").strip())
        learn(found.reveal())
        return found

    def reveal(self) -> tuple[str, str]:
        """The key and the secret, for the request headers and nothing else."""
        return self._key, self._secret

    def scrub(self, text: str) -> str:
        """Redact both from external text: a broker may echo what it was sent, possibly encoded."""
        return redact(text.replace(self._secret, "***").replace(self._key, "***"))

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written anywhere")


class Endpoints:
    """Base URLs for trading and for market data, validated on construction. Immutable."""

    __slots__ = ("data_url", "is_agreed", "is_live", "trading_url")

    def __init__(self, trading_url: str = PAPER_URL, data_url: str | None = None) -> None:
        """Check both URLs. Raises ExternalError for a host that must not receive a key, or for a malformed URL.

        trading_url: scheme and host; a trailing slash or `/v2` is removed. data_url: None means Alpaca's data host
        for Alpaca, and the same URL for any other host.
        """
        self.trading_url = _checked(trading_url, "APCA_API_BASE_URL", _TRADING_HOSTS)
        host = urlsplit(self.trading_url).hostname
        if data_url is None:
            data_url = _DATA_URL if host in _TRADING_HOSTS else self.trading_url
        self.data_url = _checked(data_url, "APCA_API_DATA_URL", _DATA_HOSTS)
        self.is_live = host in LIVE_HOSTS or urlsplit(self.trading_url).netloc in LIVE_HOSTS
        self.is_agreed = False

    def agreed(self) -> Endpoints:
        """The same URLs, for a caller that has checked that every switch for live trading is on (`session.live`)."""
        same = Endpoints(self.trading_url, self.data_url)
        same.is_agreed = True
        return same

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Endpoints:
        """Read APCA_API_BASE_URL (default: Alpaca's paper trading) and APCA_API_DATA_URL."""
        return cls(
            environ.get("APCA_API_BASE_URL", "").strip() or PAPER_URL,
            environ.get("APCA_API_DATA_URL", "").strip() or None,
        )

    def __repr__(self) -> str:
        return f"Endpoints({self.trading_url!r}, {self.data_url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Endpoints) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def refuse_live(endpoints: Endpoints) -> None:
    """Raise CredentialsRefused for the live host, unless every switch for live trading was found to be on."""
    if endpoints.is_live and not endpoints.is_agreed:
        raise CredentialsRefused(
            f"{endpoints.trading_url} is Alpaca's live trading host, and live trading is not enabled: "
            f"set APCA_API_BASE_URL={PAPER_URL} and use paper keys"
        )


def is_loopback(host: str) -> bool:
    """Whether the host is `localhost` or a loopback address; other names are never resolved to find out."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(url: str, name: str, hosts: frozenset[str]) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ExternalError(f"{name} is not an address; an example is {PAPER_URL}") from None
    if parts.username is not None or parts.password is not None:
        raise ExternalError(f"{name} must not hold a user name or password: they would reach logs")
    path = parts.path.rstrip("/").removesuffix("/v2").rstrip("/")
    if parts.scheme not in ("http", "https") or not host or path or parts.query or parts.fragment:
        raise ExternalError(f"{name}={url!r} must be scheme and host alone, such as {PAPER_URL}")
    if is_loopback(host):
        return f"{parts.scheme}://{parts.netloc}"
    if host not in hosts:
        known = ", ".join(sorted(hosts))
        raise ExternalError(f"{name}={url!r}: keys are only sent to {known}, or to this machine (127.0.0.1)")
    if parts.scheme != "https" or port not in (None, 443):
        raise ExternalError(f"{name}={url!r}: keys are only sent to {host} as https://{host}")
    return f"https://{host}"
