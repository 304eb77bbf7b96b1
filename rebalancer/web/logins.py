"""Who is logged in with a browser: one-time codes, and the sessions that they were exchanged for. Only hashes are kept.

`rebalancer web login` adds a code and prints a link with it; the page posts it once and gets a cookie. A code lasts ten
minutes and works once, a session twelve hours. A session may read and set the kill switch, nothing else.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.core.values import time_text, utc_of
from rebalancer.ops.files import put_whole
from rebalancer.ops.run_lock import RunLock
from rebalancer.settings.secrets.private_file import read_private
from rebalancer.web.tokens import WebToken, digest_of, stamp_of

LOGINS_NAME: Final = "web-logins.json"
SCHEMA: Final = "rebalancer.web-logins/1"
SCOPES_OF_PAGE: Final = ("read", "kill")
CODE_LASTS: Final = timedelta(minutes=10)
SESSION_LASTS: Final = timedelta(hours=12)
CODES_MAX: Final = 20
SESSIONS_MAX: Final = 100
_COOKIE: Final = "rebalancer"


class WebLogin(NamedTuple):
    """One code or session: the SHA-256 of its text, and until when it is good."""

    name: str
    sha256: str
    created_at: datetime
    until: datetime


class Logins(NamedTuple):
    """The codes that are still good, and the open sessions."""

    codes: tuple[WebLogin, ...] = ()
    sessions: tuple[WebLogin, ...] = ()


class LoginFile:
    """The logins of one state folder, read again whenever the file has changed."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._known = Logins()

    def find(self, presented: str, now: datetime) -> WebToken | None:
        """The session of a cookie, as a caller with its scopes; None when there is none or it has ended. Raises
        BadDocument."""
        digest = digest_of(presented)
        found = None
        for session in self._read().sessions:
            if hmac.compare_digest(session.sha256, digest) and session.created_at <= now < session.until:
                found = session
        if found is None:
            return None
        return WebToken(f"browser {found.name}", SCOPES_OF_PAGE, found.sha256, time_text(found.created_at))

    def _read(self) -> Logins:
        with self._lock:
            seen = stamp_of(self.path)
            if seen != self._seen or seen is None:
                self._known = read_logins(self.path)
                self._seen = seen
            return self._known


def read_logins(path: Path) -> Logins:
    """The logins in a file, none when it is missing. Raises BadDocument."""
    text = read_private(path)
    if text is None:
        return Logins()
    document = read_json(text, str(path))
    try:
        if document["schema"] != SCHEMA:
            raise ValueError
        return Logins(*(tuple(_login(row) for row in document[kind]) for kind in Logins._fields))
    except (KeyError, TypeError, ValueError):
        raise BadDocument(str(path), "is not a file of logins", "remove it, and log in again") from None


def add_code(path: Path, at: datetime) -> str:
    """Add a one-time code and return its text, which is kept nowhere. Raises BadDocument."""
    text = secrets.token_urlsafe(24)
    with RunLock(path.with_suffix(".lock"), "web login"):
        before = _current(read_logins(path), at)
        kept = before.codes[-(CODES_MAX - 1) :]
        _write(path, before._replace(codes=(*kept, _made(text, at, CODE_LASTS))))
    return text


def redeem(path: Path, code: str, at: datetime) -> str | None:
    """Exchange a code for the text of a new session; None when it is unknown, used or too old. Raises BadDocument."""
    digest = digest_of(code)
    with RunLock(path.with_suffix(".lock"), "web login"):
        before = _current(read_logins(path), at)
        kept = tuple(one for one in before.codes if not hmac.compare_digest(one.sha256, digest))
        if len(kept) == len(before.codes):
            return None
        text = secrets.token_urlsafe(32)
        sessions = before.sessions[-(SESSIONS_MAX - 1) :]
        _write(path, Logins(kept, (*sessions, _made(text, at, SESSION_LASTS))))
    return text


def end_sessions(path: Path, at: datetime, sha256: str | None = None) -> int:
    """End one session, or all of them and all codes; how many sessions have ended. Raises BadDocument."""
    with RunLock(path.with_suffix(".lock"), "web logout"):
        before = _current(read_logins(path), at)
        kept = tuple(one for one in before.sessions if sha256 is not None and one.sha256 != sha256)
        _write(path, Logins(before.codes if sha256 is not None else (), kept))
    return len(before.sessions) - len(kept)


def cookie_name(host: str, *, is_secure: bool) -> str:
    """The cookie of one server. Cookies do not know ports, so that its name does; `__Host-` where there is TLS."""
    port = host.rpartition(":")[2] if re.search(r":\d+$", host) else "80"
    return f"{'__Host-' if is_secure else ''}{_COOKIE}-{port}"


def _made(text: str, at: datetime, lasts: timedelta) -> WebLogin:
    return WebLogin(secrets.token_hex(3), digest_of(text), at, at + lasts)


def _current(logins: Logins, at: datetime) -> Logins:
    return Logins(*(tuple(one for one in kind if one.created_at <= at < one.until) for kind in logins))


def _write(path: Path, logins: Logins) -> None:
    rows = {
        kind: [
            {
                "name": one.name,
                "sha256": one.sha256,
                "created_at": time_text(one.created_at),
                "until": time_text(one.until),
            }
            for one in found
        ]
        for kind, found in zip(Logins._fields, logins, strict=True)
    }
    put_whole(path, (json.dumps({"schema": SCHEMA, **rows}, indent=1) + "\n").encode())


def _login(row: dict[str, Any]) -> WebLogin:
    found = WebLogin(str(row["name"]), str(row["sha256"]), utc_of(row["created_at"]), utc_of(row["until"]))
    if re.fullmatch(r"[0-9a-f]{64}", found.sha256) is None:
        raise ValueError
    return found
