"""Ids of events: ULIDs, whose alphabetical order is the order of the events."""

from __future__ import annotations

import hashlib
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 26
_MILLIS_MAX: Final = 2**48 - 1


def event_ulid(seed: int, at: int, seq: int) -> str:
    """The id of the `seq`-th event, which happened at `at` (microseconds since 1970): equal histories, equal ids.

    48 bits of milliseconds, then 40 of the number, so that ids of one millisecond rise too, then 40 that look random.
    """
    assert 0 <= seq < 2**40
    noise = int.from_bytes(hashlib.blake2b(f"{seed}|event|{seq}".encode(), digest_size=5).digest(), "big")
    value = (min(at // 1000, _MILLIS_MAX) << 80) | (seq << 40) | noise
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
