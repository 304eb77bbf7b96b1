"""Snapshots, rules and plans, stored in full under the SHA-256 of their text: equal texts are stored once."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, Final

from rebalancer.core.documents import sha256
from rebalancer.core.errors import JournalAltered
from rebalancer.journal.conditions import Ask

NAMED: Final = ("snapshot_sha256", "rules_sha256", "plan_sha256")


def named_documents(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the documents that a `cycle_planned` event refers to."""
    return tuple(str(body[name]) for name in NAMED)


def load_text(ask: Ask, name: str) -> str:
    """The text with this SHA-256. Raises JournalBroken when it is missing or altered."""
    found = ask("SELECT sha256, body, body_sha256 FROM documents WHERE sha256 = :name", {"name": name})
    if not found:
        raise JournalAltered(f"the document {name} is missing\n  hint: restore the last good backup")
    return text_of_row(*found[0])


def kept_text(ask: Ask, name: str) -> str | None:
    """The same, and None for a document that an archive has instead of the journal."""
    there = ask("SELECT 1 FROM documents WHERE sha256 = :name", {"name": name})
    if not there and ask("SELECT 1 FROM events WHERE kind = 'documents_archived' LIMIT 1", {}):
        return None
    return load_text(ask, name)


def text_of_row(name: str, body: object, body_sha256: str) -> str:
    """The text of a stored row. Raises JournalBroken when the stored bytes or the text do not match their hashes."""
    if isinstance(body, bytes) and hashlib.sha256(body).hexdigest() == body_sha256:
        try:
            text = zlib.decompress(body).decode()
        except (zlib.error, UnicodeDecodeError):
            text = ""
        if sha256(text) == name:
            return text
    raise JournalAltered(f"the document {name} was altered\n  hint: restore the last good backup")
