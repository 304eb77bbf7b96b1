"""The interface of an alert channel."""

from __future__ import annotations

from typing import Protocol

from rebalancer.alerts.message import Message


class NotDelivered(Exception):
    """A message was not accepted, or may not have been. The text never contains an address, a key or a server's
    response."""


class Channel(Protocol):
    """One way to notify a person. `send` and `reach` have strict time limits and raise NotDelivered."""

    @property
    def name(self) -> str:
        """Its name in the journal, such as "webhook"."""
        ...

    @property
    def shown(self) -> str:
        """The destination, without secrets."""
        ...

    def send(self, message: Message) -> None:
        """Deliver one message."""
        ...

    def reach(self) -> str:
        """Test the connection without sending a message; returns a description of what was tested."""
        ...
