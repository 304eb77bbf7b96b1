"""Addresses of PostgreSQL databases, as libpq takes them. The password is taken out before one is shown or stored.

    postgresql://USER@HOST[:PORT][,HOST2]/DATABASE[?sslmode=...&schema=...]
    postgresql:///DATABASE?host=/var/run/postgresql

`schema` is this program's own parameter: the PostgreSQL schema that holds the tables of one journal.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEMES: Final = ("postgresql", "postgres")
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SHOWN: Final = frozenset({"host", "port", "schema", "sslmode", "target_session_attrs"})


class BadDatabaseUrl(ValueError):
    """An address that cannot be used; it says what to write."""

    hint: Final = (
        "write postgresql://user@host/database; a password goes to REBALANCER_JOURNAL_PASSWORD, a mirror's to "
        "REBALANCER_MIRROR_PASSWORD"
    )


def is_postgres(text: str) -> bool:
    """Whether a text begins as the address of a PostgreSQL database."""
    return text.strip().lower().startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def problem_of(url: str) -> str | None:
    """What is wrong with an address; None when nothing is. Never repeats the address, which may hold a secret."""
    if not is_postgres(url):
        return "is not an address such as postgresql://user@host/database"
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return "cannot be read as an address; write special characters of a user name as %XX"
    if split_password(url)[1] is not None:
        return "holds a password"
    if not parts.path.strip("/"):
        return "names no database: postgresql://user@host/database"
    schema = dict(parse_qsl(parts.query)).get("schema")
    if schema is not None and _SCHEMA.fullmatch(schema) is None:
        return "its schema must be lower-case letters, digits and underscores, at most 63"
    return None


def split_password(url: str) -> tuple[str, str | None]:
    """The address without its password, and the password. A text that is no address comes back as it is."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return url, None
    if parts.scheme not in SCHEMES:
        return url, None
    user, at, hosts = parts.netloc.rpartition("@")
    name, colon, secret = user.partition(":")
    password = unquote(secret) if colon else None
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(key, value) for key, value in query if key not in ("password", "sslpassword")]
    for key, value in query:
        password = value if key == "password" else password
    if password is None and kept == query:
        return url, None
    return urlunsplit((parts.scheme, f"{name}{at}{hosts}", parts.path, urlencode(kept), "")), password


def split_schema(url: str) -> tuple[str, str | None]:
    """The address as libpq takes it, and the schema that it names."""
    parts = urlsplit(url.strip())
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(key, value) for key, value in query if key != "schema"]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), "")), dict(query).get("schema")


def shown(url: str) -> str:
    """The address for people: without password and without parameters that do not say where it is."""
    parts = urlsplit(split_password(url)[0].strip())
    query = [(key, value) for key, value in parse_qsl(parts.query) if key in _SHOWN and key != "sslmode"]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query, safe="/"), ""))


def is_local(url: str) -> bool:
    """Whether the connection stays on this machine: a socket, or an address of loopback."""
    parts = urlsplit(url.strip())
    hosts = dict(parse_qsl(parts.query)).get("host") or parts.netloc.rpartition("@")[2]
    names = [re.sub(r":\d*$", "", one) for one in hosts.split(",")]
    return all(not name or name.startswith("/") or name in ("localhost", "127.0.0.1", "[::1]") for name in names)
