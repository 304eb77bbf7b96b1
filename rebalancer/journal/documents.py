"""Snapshots, rules and plans, stored in full under the SHA-256 of their text: equal texts are stored once."""

from __future__ import annotations

import hashlib
import zlib

from sqlalchemy import Connection, select

from rebalancer.core.codec import sha256
from rebalancer.core.errors import JournalBroken
from rebalancer.journal.schema import documents


def store_text(connection: Connection, text: str) -> str:
    """Store a text unless it is stored already. Returns its SHA-256, by which it can be loaded."""
    name = sha256(text)
    if connection.execute(select(documents.c.sha256).where(documents.c.sha256 == name)).first() is None:
        body = zlib.compress(text.encode(), 6)
        stored = {"sha256": name, "body": body, "body_sha256": hashlib.sha256(body).hexdigest()}
        connection.execute(documents.insert(), stored)
    return name


def load_text(connection: Connection, name: str) -> str:
    """The text with this SHA-256. Raises JournalBroken when it is missing or altered."""
    row = connection.execute(select(documents).where(documents.c.sha256 == name)).first()
    if row is None:
        raise JournalBroken(f"the document {name} is missing\n  hint: restore the last good backup")
    return text_of_row(*row)


def text_of_row(name: str, body: object, body_sha256: str) -> str:
    """The text of a stored row. Raises JournalBroken when the stored bytes or the text do not match their hashes."""
    if isinstance(body, bytes) and hashlib.sha256(body).hexdigest() == body_sha256:
        try:
            text = zlib.decompress(body).decode()
        except (zlib.error, UnicodeDecodeError):
            text = ""
        if sha256(text) == name:
            return text
    raise JournalBroken(f"the document {name} was altered\n  hint: restore the last good backup")
