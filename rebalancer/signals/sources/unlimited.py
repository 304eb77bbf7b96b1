"""A budget without limits, for questions that cost nothing."""

from __future__ import annotations

from decimal import Decimal


class Unlimited:
    """Counts nothing."""

    calls_left: int | None = None
    usd_left: Decimal | None = None

    def spend(self, usd: Decimal | None = None) -> None:
        """Allowed."""

    def correct(self, usd: Decimal) -> None:
        """Not counted."""
