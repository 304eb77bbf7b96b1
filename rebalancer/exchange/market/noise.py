"""Counter-based random numbers: the same on every machine, and any day of any stream without replaying the others.

Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") gives the n-th draw of a stream directly.
Only integer operations, sums and products are applied to the draws: unlike log or exp they are exactly specified by
IEEE 754, so that no processor rounds a price to another cent.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Raw = NDArray[np.uint64]

_EVEN_PARTS: Final = np.uint64(0x0000FFFF0000FFFF)
_MEAN: Final = 4 * 65535 / 2
_DEVIATION: Final = (4 * (65536.0**2 - 1) / 12) ** 0.5


def stream_key(seed: int, *names: str) -> int:
    """The 128-bit key of one stream of draws."""
    text = "|".join((str(seed), *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def draws(key: int, first: int, count: int, width: int) -> Raw:
    """Rows `first` to `first + count` of a stream, `width` 64-bit draws each; `width` is a multiple of four."""
    assert width % 4 == 0
    assert first >= 0
    bits = np.random.Philox(key=key, counter=first * (width // 4))
    return np.asarray(bits.random_raw(count * width), dtype=np.uint64).reshape(count, width)


def normals(raw: Raw) -> Floats:
    """One nearly normal number per draw, mean 0 and variance 1: the sum of its four 16-bit parts, at most 3.47."""
    total = raw & _EVEN_PARTS
    total += (raw >> np.uint64(16)) & _EVEN_PARTS  # two sums at once, of 17 bits in 32
    total += total >> np.uint64(32)
    total &= np.uint64(0xFFFFFFFF)
    found = total.astype(np.float64)
    found -= _MEAN
    found *= 1.0 / _DEVIATION
    return np.asarray(found)


def uniforms(raw: Raw) -> Floats:
    """One number in [0, 1) per draw, from bits that are mixed once more so that it does not follow `normals`."""
    mixed = raw >> np.uint64(29)
    mixed ^= raw
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed >>= np.uint64(11)
    found = mixed.astype(np.float64)
    found *= 2.0**-53
    return np.asarray(found)


def heavy_tails(normal: Floats) -> Floats:
    """Stretch the large draws and shrink the small ones, keeping the variance near 1: daily returns have fat tails."""
    return np.asarray(normal * (0.75 + 0.08 * normal * normal))
