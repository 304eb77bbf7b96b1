"""What another regime still needs, as values. Light: `status` has 300 ms and imports this."""

from __future__ import annotations

from typing import Literal, NamedTuple

from rebalancer.core.facts import RegimeName

NeedKind = Literal["price", "volatility", "breadth", "slope", "drawdown", "sessions"]


class Need(NamedTuple):
    """One thing that has to move. now, level: fractions; of a price `level` is the change that is needed (0.012: 1.2 %
    higher) and now is 0; of sessions both are numbers of them, `level` those that are left."""

    kind: NeedKind
    now: float
    level: float


class NextStep(NamedTuple):
    """Another regime and everything that it still needs; nothing when it comes at the next session."""

    name: RegimeName
    needs: tuple[Need, ...]
