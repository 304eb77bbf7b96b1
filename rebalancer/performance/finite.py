"""Divisions of measured numbers: None where there is no finite answer, or only rounding to divide by."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

Number = np.floating[Any]
FLAT: Final = 1e-14  # a deviation this small is rounding of equal returns


def over(part: float | Number, whole: float | Number, factor: float = 1.0) -> float | None:
    """part / whole x factor; None where it would not be a finite number, or where the whole is only rounding."""
    return finite(float(part) / float(whole) * factor) if abs(float(whole)) > FLAT else None


def finite(value: float) -> float | None:
    """The value, None for infinity and NaN."""
    return value if math.isfinite(value) else None
