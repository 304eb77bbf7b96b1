"""Sign a statement with a local Ed25519 key, and check a signed file byte by byte. Needs the extra `evidence`.

A signed file is the canonical text of one JSON object: sorted keys, two spaces of indentation, a newline at its end.
Its `signature` is over the same text without that key, and `key` is the public half. Any other text of the same
object is refused, so that no byte of a file can change unnoticed.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.core.extras import install_hint
from rebalancer.ops.disk import unwritable
from rebalancer.settings.secrets.private_file import read_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_NAME: Final = "evidence.key"
KEY_BYTES: Final = 32
HINT: Final = install_hint("evidence")


def private_key(state: Path, *, create: bool) -> Ed25519PrivateKey | None:
    """The key of this state folder, from a file of mode 0600; a new one when there is none and `create` is given.
    Raises BadDocument for a file that is not a key, that others may read, or without the extra."""
    ed25519 = _library()
    path = state / KEY_NAME
    text = read_private(path)
    if text is None:
        if not create:
            return None
        fresh = ed25519.Ed25519PrivateKey.generate()
        _write_new(path, base64.b64encode(fresh.private_bytes_raw()).decode() + "\n")
        return fresh  # type: ignore[no-any-return]
    try:
        return ed25519.Ed25519PrivateKey.from_private_bytes(_decoded(text.strip(), KEY_BYTES))  # type: ignore[no-any-return]
    except ValueError:
        hint = "move it away: the next file is then signed with a new key, and its readers must be told"
        raise BadDocument(str(path), "is not a signing key", hint) from None


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half of a key as text, which readers of signed files compare."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def signed(statement: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The signed file of a statement."""
    stated = {**statement, "key": public_text(key)}
    return _text({**stated, "signature": base64.b64encode(key.sign(_text(stated))).decode()})


def checked(content: bytes, source: str) -> dict[str, Any]:
    """The object of a signed file whose signature fits its own key. Raises BadDocument when a single byte differs.

    Who owns that key is for the caller to compare.
    """
    ed25519 = _library()
    from cryptography.exceptions import InvalidSignature

    hint = "ask for the file again, from the machine that wrote it"
    try:
        document = read_json(content.decode(), source)
    except UnicodeDecodeError:
        raise BadDocument(source, "is not UTF-8 text", hint) from None
    if not isinstance(document, dict) or not {"key", "signature", "schema"} <= document.keys():
        raise BadDocument(source, "is not a signed file", "name a file that `rebalancer evidence write` has written")
    if _text(document) != content:
        raise BadDocument(source, "was changed: it is not the text that was signed", hint)
    stated = {name: value for name, value in document.items() if name != "signature"}
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(_decoded(document["key"], KEY_BYTES))
        key.verify(_decoded(document["signature"], 64), _text(stated))
    except (InvalidSignature, ValueError, TypeError):
        raise BadDocument(source, "was changed: its signature does not fit", hint) from None
    return document


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise BadDocument("evidence", "signing needs the package cryptography, which is not installed", HINT) from None
    return ed25519


def _text(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()


def _decoded(text: str, length: int) -> bytes:
    """The bytes of a base64 text. Raises ValueError for any other text or length."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if len(found) != length or base64.b64encode(found).decode() != text:
        raise ValueError("not the right length")
    return found


def _write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet, with mode 0600."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise unwritable(path, error) from None
