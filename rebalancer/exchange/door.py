"""Who may call a port of this machine. A web page must not: it could trade with the keys it guesses, or step the clock.

A page can send a request to any address of this machine, and under a name of its own that it points here. So the Host
has to be a name that the port answers to, and an Origin, which browsers send, has to be the address itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_EVERYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - to recognise that a port listens everywhere
_WRITING: Final = ("POST", "PUT", "PATCH")


class Refusal(ValueError):
    """Why a request is not let in."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def names_of(host: str, allowed: Collection[str] = ()) -> frozenset[str]:
    """The names that a port listening on `host` answers to: this machine's, its own, and the allowed ones."""
    own = () if host in _EVERYWHERE else (host.lower(),)
    return LOOPBACK_NAMES | {*own, *(name.strip("[]").lower() for name in allowed)}


def check_door(scope: Scope, names: Collection[str], hint: str = "") -> None:
    """Let a request in, or raise Refusal: 403 for another Host or Origin, 415 for a body that is not called JSON.

    Clients that send no Content-Type, as Alpaca's Go client does, are let in: the other two checks hold for them too.
    """
    hosts, origins, kinds = (_values(scope, name) for name in (b"host", b"origin", b"content-type"))
    if len(hosts) != 1 or host_of(hosts[0]) not in names:
        raise Refusal(403, f"this port answers to {', '.join(sorted(names))} only{hint}")
    if any(not _is_ours(origin, hosts[0]) for origin in origins):
        raise Refusal(403, "web pages may not use this port")
    if scope["type"] == "http" and scope["method"] in _WRITING and not all(_is_json(kind) for kind in kinds if kind):
        raise Refusal(415, "send JSON, with Content-Type: application/json")


def host_of(text: str) -> str | None:
    """The host name of a Host header, without its port."""
    try:
        return urlsplit(f"//{text}").hostname if "@" not in text else None
    except ValueError:
        return None


def _is_ours(origin: str, host: str) -> bool:
    scheme, _, rest = origin.partition("://")
    return scheme.lower() in ("http", "https", "ws", "wss") and rest.lower() == host.lower()


def _is_json(kind: str) -> bool:
    return kind.split(";")[0].strip().lower() == "application/json"


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
