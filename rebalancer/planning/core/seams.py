"""The three places in which a compiled copy of these texts differs: what a rule is, how a column is made, how rows are
ranked. This is the interpreted side; lists, because arrays take half as long again where Python itself indexes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Floats = list[float]
Ints = list[int]
Function = TypeVar("Function", bound=Callable[..., Any])


def rule(function: Function) -> Function:
    """Mark a function as part of the core."""
    return function


def floats(count: int) -> Floats:
    """A column of zeros."""
    return [0.0] * count


def integers(count: int) -> Ints:
    """A column of whole zeros."""
    return [0] * count


def ranked(rows: Ints, count: int, urgency: Ints) -> Ints:
    """The first `count` row numbers, which ascend, by descending urgency; equal ones stay in symbol order."""
    return sorted(rows[:count], key=lambda row: -urgency[row])
