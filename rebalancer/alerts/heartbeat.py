"""A dead man's switch: an external service is pinged after each slot, and raises an alarm when the pings stop.

REBALANCER_HEARTBEAT_URL is pinged as documented by healthchecks.io: GET on success; on failure, POST to its `/fail`
with the reason in the body.
"""

from __future__ import annotations

from rebalancer.alerts.address import WebAddress
from rebalancer.alerts.message import one_line
from rebalancer.alerts.web import ask, knock


class Heartbeat:
    """Reports that the program is alive, or that something failed."""

    name = "heartbeat"

    def __init__(self, address: WebAddress) -> None:
        self._address, self.shown = address, address.shown

    def beat(self, failure: str = "") -> None:
        """Ping once; a failure is reported with its reason. Raises NotDelivered."""
        if failure:
            headers = {"Content-Type": "text/plain; charset=utf-8"}
            ask("POST", self._address.below("fail"), one_line(failure, 500).encode(), headers)
        else:
            ask("GET", self._address.reveal(), None, {})

    def reach(self) -> str:
        """Connect without sending a ping, since a ping would suppress the alarm."""
        return knock(self._address)
