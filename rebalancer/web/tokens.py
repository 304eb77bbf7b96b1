"""Tokens: who may call, and for what. Only hashes are kept; a changed file is read again at the next request.

A token has 256 random bits (a hook's 128, since it stands in a path), so one round of SHA-256 protects it. Every
comparison takes the same time, whatever is presented.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.core.values import time_text
from rebalancer.ops.files import put_whole
from rebalancer.ops.run_lock import RunLock
from rebalancer.settings.secrets.private_file import read_private

SCOPES: Final = ("read", "signals", "execute", "kill", "hook")
SCHEMA: Final = "rebalancer.web-tokens/1"
PREFIX: Final = "rbt_"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class WebToken(NamedTuple):
    """One token: its name, which is also the source of its signals, and what it may do."""

    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: str


class TokenFile:
    """The tokens of one state folder, read again whenever the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._tokens: tuple[WebToken, ...] = ()

    def find(self, presented: str) -> WebToken | None:
        """The token with this text; None when there is none. Raises BadDocument for a file that others may read."""
        digest = digest_of(presented)
        found = None
        for token in self.tokens():
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def tokens(self) -> tuple[WebToken, ...]:
        """All tokens, by name."""
        with self._lock:
            seen = stamp_of(self._path)
            if seen != self._seen or seen is None:
                self._tokens = read_tokens(self._path)
                self._seen = seen
            return self._tokens


def read_tokens(path: Path) -> tuple[WebToken, ...]:
    """The tokens in a file, none when it is missing. Raises BadDocument."""
    text = read_private(path)
    if text is None:
        return ()
    document = read_json(text, str(path))
    try:
        if document["schema"] != SCHEMA:
            raise ValueError
        return tuple(_token(row) for row in document["tokens"])
    except (KeyError, TypeError, ValueError):
        hint = "remove it, and add the tokens again with rebalancer web token add"
        raise BadDocument(str(path), "is not a file of tokens", hint) from None


def add_token(path: Path, name: str, scopes: Iterable[str], at: datetime, *, replace: bool = False) -> str:
    """Add a token and return its text, which is kept nowhere. replace: take the place of one with the same name.
    Raises BadDocument for a name that is taken or a scope that is unknown."""
    wanted = tuple(scope for scope in SCOPES if scope in set(scopes))
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not wanted:
        shown = ", ".join(unknown) or "nothing"
        raise BadDocument("--scope", f"{shown[:80]!r} is no scope", f"one or more of {', '.join(SCOPES)}, with commas")
    if "hook" in wanted and wanted != ("hook",):
        raise BadDocument("--scope", "hook stands alone: its token is part of an address", "add two tokens")
    if _NAME.fullmatch(name) is None:
        raise BadDocument("NAME", f"{name[:40]!r} cannot be a name", "use letters, digits, dots, dashes, underscores")
    text = secrets.token_hex(16) if wanted == ("hook",) else PREFIX + secrets.token_urlsafe(32)
    with RunLock(path.with_suffix(".lock"), "web token"):
        before = read_tokens(path)
        if not replace and any(token.name == name for token in before):
            raise BadDocument("NAME", f"there is a token {name!r} already", "--replace gives it a new text")
        kept = [token for token in before if token.name != name]
        _write(path, [*kept, WebToken(name, wanted, digest_of(text), time_text(at))])
    return text


def remove_token(path: Path, name: str) -> bool:
    """Remove a token, which no request may use from then on; False when there is none of this name."""
    with RunLock(path.with_suffix(".lock"), "web token"):
        before = read_tokens(path)
        kept = [token for token in before if token.name != name]
        if len(kept) == len(before):
            return False
        _write(path, kept)
        return True


def _write(path: Path, tokens: list[WebToken]) -> None:
    rows = [
        {"name": t.name, "scopes": list(t.scopes), "sha256": t.sha256, "created_at": t.created_at}
        for t in sorted(tokens)
    ]
    put_whole(path, (json.dumps({"schema": SCHEMA, "tokens": rows}, indent=1) + "\n").encode())


def _token(row: dict[str, Any]) -> WebToken:
    token = WebToken(str(row["name"]), tuple(row["scopes"]), str(row["sha256"]), str(row["created_at"]))
    if not set(token.scopes) <= set(SCOPES) or re.fullmatch(r"[0-9a-f]{64}", token.sha256) is None:
        raise ValueError
    return token


def digest_of(text: str) -> str:
    """The SHA-256 of a secret text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced; None when it is missing."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
