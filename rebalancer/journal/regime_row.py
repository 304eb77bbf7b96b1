"""The market's regime as the journal has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from rebalancer.core.facts import Regime

REGIME: Final = "regime"


def regime_of_body(body: Mapping[str, Any]) -> Regime:
    """The regime of an event. Raises KeyError, TypeError or ValueError for a body that is none."""
    known = {name: body[name] for name in Regime._fields}
    days = {name: None if known[name] is None else date.fromisoformat(known[name]) for name in _DAYS}
    return Regime(**{**known, **days})


_DAYS: Final = ("since", "as_of", "measured_on")
