"""The outcomes of names in plans, from the codes of the engine."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.outcomes import Outcome
from rebalancer.planning.core import codes
from rebalancer.planning.decided import BARRED, DENIED, HELD
from rebalancer.research import tape as tape_rows
from rebalancer.research.market import Integers

CELLS_AT_ONCE: Final = 32_768  # bars x names in the engine's units at one time
DENIALS: Final = 128  # more than there are codes of a denial
REFUSED: Final = {
    tape_rows.INVALID: Outcome.REJECTED_INVALID,
    tape_rows.UNSURE: Outcome.REJECTED_LOW_CONFIDENCE,
    tape_rows.EXITED: Outcome.DENIED_STOPPED_OUT,
}


def pair_counts(code: NDArray[np.uint8], denied: NDArray[np.uint8]) -> Integers:
    """How often each code goes with each denial: at place code x `DENIALS` + denial."""
    found = np.zeros(256 * DENIALS, np.int64)
    rows = max(CELLS_AT_ONCE // max(code.shape[1], 1), 1)
    for first in range(0, len(code), rows):
        part = slice(first, first + rows)
        pairs = code[part].astype(np.int64) * DENIALS + denied[part]
        found += np.bincount(pairs.reshape(-1), minlength=len(found))
    return found


def outcomes_of(code: NDArray[np.uint8], denied: NDArray[np.uint8]) -> dict[str, int]:
    """How often each outcome occurs, over all names of all plans."""
    found: dict[str, int] = {}
    for pair, count in enumerate(pair_counts(code, denied).tolist()):
        outcome = outcome_of(*divmod(pair, DENIALS)) if count else None
        if outcome is not None:
            found[str(outcome)] = found.get(str(outcome), 0) + count
    return dict(sorted(found.items()))


def outcome_of(code: int, denied: int) -> Outcome | None:
    """The outcome of a name in one plan; None where it was not in it. A loss limit counts as DENIED_DAILY_LOSS."""
    if code == tape_rows.ABSENT:
        return None
    if code == tape_rows.UNTRADED:
        return Outcome.REJECTED_NO_PRICE
    if code == tape_rows.PLANNED:
        return Outcome.PLANNED
    if code in REFUSED:
        return REFUSED[code]
    if denied == codes.HALTED + tape_rows.FLAT or code == tape_rows.BARRED + codes.LEAVING + tape_rows.FLAT:
        return Outcome.DENIED_FLAT_BY
    if denied:
        return Outcome.DENIED_DAILY_LOSS if denied == codes.HALTED else DENIED[denied]
    if code >= tape_rows.BARRED:
        bar = code - tape_rows.BARRED
        return Outcome.DENIED_DAILY_LOSS if bar == codes.LEAVING else BARRED[bar]
    return HELD[code]
