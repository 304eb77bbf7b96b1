"""Random draws that depend on a seed and a purpose only, so that one more draw in one place moves no other."""

from __future__ import annotations

import hashlib
import random


def stream(seed: int, purpose: str) -> random.Random:
    """The draws of one purpose."""
    return random.Random(int.from_bytes(hashlib.blake2b(f"{seed}|{purpose}".encode(), digest_size=16).digest(), "big"))


class Chances:
    """Stands in for the module `secrets` where the product spreads its pauses."""

    def __init__(self, seed: int) -> None:
        self._draws = stream(seed, "pauses")

    def randbelow(self, most: int) -> int:
        return self._draws.randrange(most)
