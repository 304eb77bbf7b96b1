"""What stands in place of `planning.core.seams` in a compiled copy of the core: the only module that knows numba.

No `fastmath` and no `parallel`: either would change bits. `error_model="numpy"` leaves out the checks for a division by
zero, which the border rules out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Function = TypeVar("Function", bound=Callable[..., Any])

rule: Callable[[Function], Function] = njit(cache=True, error_model="numpy")  # type: ignore[assignment]  # a wrapper


@rule
def floats(count: int) -> Floats:
    """A column of zeros."""
    return np.zeros(count)


@rule
def integers(count: int) -> Ints:
    """A column of whole zeros."""
    return np.zeros(count, np.int64)


@rule
def ranked(rows: Ints, count: int, urgency: Ints) -> Ints:
    """The first `count` row numbers, which ascend, by descending urgency; equal ones stay in symbol order."""
    return rows[:count][np.argsort(-urgency[rows[:count]], kind="mergesort")]
