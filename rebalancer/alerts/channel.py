"""What a channel is: a way to a person."""

from __future__ import annotations

from typing import Protocol

from rebalancer.alerts.message import Message


class NotDelivered(Exception):
    """A message was not taken, or may not have been. The text never holds an address, a key or a server's words."""


class Channel(Protocol):
    """One way to a person. Both methods end within a strict time and raise NotDelivered."""

    @property
    def name(self) -> str:
        """Its name in the journal, such as "webhook"."""
        ...

    @property
    def shown(self) -> str:
        """Where it goes, without any secret."""
        ...

    def send(self, message: Message) -> None:
        """Hand one message over."""
        ...

    def reach(self) -> str:
        """Try the way without telling anybody anything; returns what was tried, in words."""
        ...
