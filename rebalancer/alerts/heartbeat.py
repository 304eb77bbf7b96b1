"""A dead man's switch: a service that is pinged after each slot, and raises the alarm when the pings stay away.

REBALANCER_HEARTBEAT_URL, pinged as healthchecks.io documents it: GET on success, POST to its `/fail` with the reason in
the body on failure.
"""

from __future__ import annotations

from rebalancer.alerts.address import WebAddress
from rebalancer.alerts.message import one_line
from rebalancer.alerts.web import ask, knock


class Heartbeat:
    """Says that we live, or that something failed."""

    name = "heartbeat"

    def __init__(self, address: WebAddress) -> None:
        self._address, self.shown = address, address.shown

    def beat(self, failure: str = "") -> None:
        """Ping once; a failure is told with its reason. Raises NotDelivered."""
        if failure:
            headers = {"Content-Type": "text/plain; charset=utf-8"}
            ask("POST", self._address.below("fail"), one_line(failure, 500).encode(), headers)
        else:
            ask("GET", self._address.reveal(), None, {})

    def reach(self) -> str:
        """Connect; no ping is sent, since one would keep the alarm quiet."""
        return knock(self._address)
