"""What a protection campaign found: one document of all its parts, and what must have happened in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rebalancer.exchange.calendar import MICROS
from rebalancer.execution.exit_orders.unprotected_time import EVERYTHING
from rebalancer.execution.exit_orders.unprotected_time import INTERVAL as KIND
from rebalancer.journal import Journal
from tests.execution.exit_orders.bench import Stretch

POSTS: Final = MappingProxyType(
    {"rejected": 0.06, "lost": 0.02, "booked_lost": 0.03, "late": 0.02, "429": 0.03, "5xx": 0.03, "not_sent": 0.02}
)
OTHERS: Final = MappingProxyType({"lost": 0.003, "429": 0.005, "5xx": 0.005, "not_sent": 0.003})
ALWAYS: Final = (
    *(f"pair {kind}" for kind in POSTS),
    *(f"order {kind}" for kind in POSTS if kind != "rejected"),
    *(f"other {kind}" for kind in OTHERS),
    "late arrival", "venue cancel_race", "venue partial_fill", "outages", "sleeps", "crashes in a cycle",
    "crashes in a look", "human orders", "human sales",
    *(f"path {word}" for word in ("exchange", "gone", "refused", "unknown", "filled in the middle", "new")),
    "exits filled: stop", "exits filled: target", "watched by the monitor",
)  # fmt: skip
"""What must have happened in a long campaign."""


class Part(NamedTuple):
    """What one account went through."""

    stretches: tuple[Stretch, ...]
    longest: float
    alerts: Counter[str]
    untold: int
    violations: list[str]
    figures: Counter[str]


class Standing(NamedTuple):
    """A stretch of the monitor's of which a person was told, from that moment until it was noted as over; microseconds.
    While it lasts, whoever was told has every reason to think that the position is still unprotected."""

    name: str
    told: float
    over: float

    def tells(self, stretch: Stretch) -> bool:
        """Whether it was known at some time in a stretch."""
        return self.name in (stretch.symbol, EVERYTHING) and self.told <= stretch.end and stretch.start <= self.over


def standing_alerts(journal: Journal) -> list[Standing]:
    """What people had been told of and had not seen end, by the monitor's own records."""
    found: list[Standing] = []
    open_: dict[str, float] = {}
    for event in journal.events(kind=KIND):
        name, micros = event.key or "", event.at.timestamp() * MICROS
        if event.body["state"] == "told":
            open_.setdefault(name, micros)
        elif event.body["state"] == "ended" and name in open_:
            found.append(Standing(name, open_.pop(name), micros))
    return [*found, *(Standing(name, told, float("inf")) for name, told in open_.items())]


def document_of(seed: int, parts: Sequence[Part]) -> dict[str, Any]:
    """What all parts found, for JSON."""
    figures, alerts = sum((p.figures for p in parts), Counter[str]()), sum((p.alerts for p in parts), Counter[str]())
    by_cause: dict[str, float] = defaultdict(float)
    stretches = [s for part in parts for s in part.stretches]
    for stretch in stretches:
        name = "+".join(sorted(stretch.causes)) or "nothing went wrong"
        by_cause[name] = max(by_cause[name], round(stretch.seconds, 1))
    own = [s.seconds for s in stretches if "broker" not in s.causes]
    return {
        "seed": seed,
        "rebalances": figures["rebalances"],
        "settled rebalances": figures["settled rebalances"],
        "exchanges of exits": figures["path exchange"],
        "stretches": len(stretches),
        "longest unprotected seconds": round(max((s.seconds for s in stretches), default=0.0), 1),
        "longest while the broker answered": round(max(own, default=0.0), 1),
        "longest by causes": dict(sorted(by_cause.items())),
        "stretches longer than max_unprotected_seconds": sum(s.seconds > p.longest for p in parts for s in p.stretches),
        "of these without an alert": sum(p.untold for p in parts),
        "alerts": dict(sorted(alerts.items())),
        "orphans": figures["orphans"],
        "missing": [name for name in ALWAYS if not figures[name]],
        "violations": [said for part in parts for said in part.violations],
        "figures": dict(sorted(figures.items())),
    }
