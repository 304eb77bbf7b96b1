"""Identify a signal by its content: the same signal has the same receipt, however often and in whatever way it comes.

The moment of issue is not part of the content: a file without times counts as issued when it was written, by a clock
that may be shifted to the broker's, and the bundled sample is issued again in every cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rebalancer.core.documents import canonical_json, sha256

_NOT_CONTENT: Final = ("id", "issued_at")
_ID_DIGITS: Final = 20  # 80 bits: at 100 million receipts a collision has a probability of 1 in 200 million


def content_of(signal: Mapping[str, Any]) -> str:
    """The canonical JSON text of a signal given as plain JSON, without its id, its time and the fields it leaves
    empty (None or False)."""
    said = {k: v for k, v in signal.items() if k not in _NOT_CONTENT and v is not None and v is not False}
    return canonical_json(said)


def receipt_id(signal_id: str, symbol: str, content_sha256: str) -> str:
    """The id of the receipt of a signal with this content."""
    return f"r-{sha256(canonical_json([signal_id, symbol, content_sha256]))[:_ID_DIGITS]}"


def kind_of(signal: Mapping[str, Any]) -> str:
    """What a signal given as plain JSON says: target, hold or score."""
    if signal.get("target") is not None:
        return "target"
    return "hold" if signal.get("hold") else "score"
