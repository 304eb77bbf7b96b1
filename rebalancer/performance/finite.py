"""Safe division of measured numbers: None for a result that is not finite, or a divisor that is only rounding error."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

Number = np.floating[Any]
FLAT: Final = 1e-14  # a smaller deviation is rounding error of equal returns


def over(part: float | Number, whole: float | Number, factor: float = 1.0) -> float | None:
    """part / whole x factor; None if that is not finite, or if the whole is only rounding error."""
    return finite(float(part) / float(whole) * factor) if abs(float(whole)) > FLAT else None


def finite(value: float) -> float | None:
    """The value, or None for infinity and NaN."""
    return value if math.isfinite(value) else None
