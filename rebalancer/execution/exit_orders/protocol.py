"""What a cycle and the monitor ask of the protection of positions, and the answer where nothing is kept there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.core.facts import OpenOrder
from rebalancer.journal.exit_order_records import ExitPairRecord
from rebalancer.planning.exit_levels import ExitLevel


class ExitOrdersSeen(NamedTuple):
    """What rests at the broker for protection. `rows`: every order of our pairs that works, or ended since the moment
    asked for; `held`: the shares per symbol that they hold back, signed as the position; `doubtful`: pairs that the
    broker may or may not have, as orders whose fate is unknown."""

    rows: tuple[BrokerOrder, ...] = ()
    ids: frozenset[str] = frozenset()
    held: Mapping[str, Decimal] = {}
    doubtful: tuple[OpenOrder, ...] = ()


class ExitOrders(Protocol):
    """What a cycle asks of the protection of its positions."""

    def look(self, since: datetime | None) -> ExitOrdersSeen:
        """Learn what became of the pairs. Raises BrokerUnavailable: then nothing may be planned."""
        ...

    def release(self, symbols: Collection[str]) -> Mapping[str, str]:
        """Take the pairs of these symbols down. Returns, per symbol that may not trade now, why."""
        ...

    def place(self, levels: Sequence[ExitLevel]) -> None:
        """Bring what rests at the broker in line with these guards. Raises nothing for what the broker does."""
        ...

    def kept(self) -> Mapping[str, ExitPairRecord]:
        """The newest record of every symbol that ever had a pair."""
        ...


class NoExitOrders:
    """Nothing is kept at the broker."""

    def look(self, since: datetime | None) -> ExitOrdersSeen:
        del since
        return ExitOrdersSeen()

    def release(self, symbols: Collection[str]) -> Mapping[str, str]:
        del symbols
        return {}

    def place(self, levels: Sequence[ExitLevel]) -> None:
        del levels

    def kept(self) -> Mapping[str, ExitPairRecord]:
        return {}
