"""The signed file of a day, `evidence/2026-11-20.json` in the state folder, and how it is checked later."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, canonical_json
from rebalancer.core.input_file import read_content
from rebalancer.journal import Journal
from rebalancer.ops.disk import unwritable
from rebalancer.ops.files import put_whole
from rebalancer.report.evidence.document import SCHEMA, evidence_of
from rebalancer.report.evidence.signature import checked, private_key, signed
from rebalancer.version import __version__

FOLDER: Final = "evidence"
BYTES_MAX: Final = 256 * 1024 * 1024
_NAME: Final = re.compile(r"\d{4}-\d\d-\d\d\.json", re.ASCII)
_ADDED: Final = ("key", "previous", "program", "signature")  # what a file holds beside the journal's statement


class SignedFile(NamedTuple):
    """A file whose signature fits: its statement, the SHA-256 of its bytes, and the public key that signed it."""

    statement: dict[str, Any]
    sha256: str
    key: str


def write_day(journal: Journal, account_id: str, day: date, state: Path) -> Path | None:
    """Write the signed file of a day in New York, with the key of the state folder, which is created when missing. It
    names the newest file of an earlier day by its hash. A file of the same day is replaced, unless one of a later day
    may name it: then BadDocument. None when the account has no row of that day. Also raises Unwritable and
    JournalBroken."""
    statement = evidence_of(journal, account_id, day)
    if statement is None:
        return None
    key = private_key(state, create=True)
    assert key is not None
    folder = state / FOLDER
    path = folder / f"{day.isoformat()}.json"
    later = [name for name in _names(folder) if name > path.name]
    if later and path.exists():
        raise BadDocument(
            str(path), f"is named by {later[0]}, and stays as it is", "write it before the next day's file"
        )
    content = signed({**statement, "previous": _before(folder, day), "program": __version__}, key)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        put_whole(path, content)
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def read_file(path: Path) -> SignedFile:
    """A signed file that was not changed. Raises BadDocument."""
    body = read_content(path, BYTES_MAX).body
    statement = checked(body, str(path))
    if statement["schema"] != SCHEMA:
        raise BadDocument(str(path), f"states {statement['schema']!r:.40}", f"this version reads {SCHEMA}")
    return SignedFile(statement, hashlib.sha256(body).hexdigest(), str(statement["key"]))


def is_linked(path: Path, statement: dict[str, Any]) -> bool | None:
    """Whether the file of the day before, beside this one, is the one that it names; None when it is not here, or when
    none is named."""
    before = statement["previous"]
    if before is None or _NAME.fullmatch(before["file"]) is None:
        return None
    there = path.with_name(before["file"])
    return read_file(there).sha256 == before["sha256"] if there.exists() else None


def differences(journal: Journal, statement: dict[str, Any]) -> tuple[str, ...]:
    """The parts of a file that today's journal states otherwise, by name; nothing when it agrees. The journal is read
    as of the file's last row, so rows that were added later do not count."""
    last = statement["journal"]["last_row"]
    again = evidence_of(journal, statement["account"], date.fromisoformat(statement["day"]), last) or {}
    names = sorted({*again, *statement} - {*_ADDED})
    return tuple(name for name in names if canonical_json(again.get(name)) != canonical_json(statement.get(name)))


def _before(folder: Path, day: date) -> dict[str, str] | None:
    """The newest file of an earlier day: its name and the SHA-256 of its bytes."""
    earlier = [name for name in _names(folder) if name < f"{day.isoformat()}.json"]
    if not earlier:
        return None
    return {
        "file": earlier[-1],
        "sha256": hashlib.sha256(read_content(folder / earlier[-1], BYTES_MAX).body).hexdigest(),
    }


def _names(folder: Path) -> list[str]:
    """The files of a folder, the earliest day first."""
    return sorted(one.name for one in folder.glob("*.json") if _NAME.fullmatch(one.name)) if folder.is_dir() else []
