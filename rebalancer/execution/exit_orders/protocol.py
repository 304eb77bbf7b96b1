"""What a cycle and the monitor need from the protection of positions, and an implementation that keeps no exits."""

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
    """The exit orders at the broker. `rows`: every order of our pairs that is working, or has ended since the given
    moment; `held`: the shares per symbol that they reserve, signed as the position; `doubtful`: pairs that the broker
    may or may not have, as orders in an unknown state."""

    rows: tuple[BrokerOrder, ...] = ()
    ids: frozenset[str] = frozenset()
    held: Mapping[str, Decimal] = {}
    doubtful: tuple[OpenOrder, ...] = ()


class ExitOrders(Protocol):
    """What a cycle needs from the protection of its positions."""

    def look(self, since: datetime | None) -> ExitOrdersSeen:
        """Read the current state of the pairs. Raises BrokerUnavailable: then nothing may be planned."""
        ...

    def release(self, symbols: Collection[str]) -> Mapping[str, str]:
        """Withdraw the pairs of these symbols. Returns the reason for each symbol that may not trade now."""
        ...

    def place(self, levels: Sequence[ExitLevel]) -> None:
        """Bring the exits at the broker in line with these exit levels. Raises nothing because of the broker."""
        ...

    def kept(self) -> Mapping[str, ExitPairRecord]:
        """The newest record of every symbol that ever had a pair."""
        ...


class NoExitOrders:
    """Keeps no exits at the broker."""

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
