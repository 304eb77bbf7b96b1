"""Alerts posted as JSON to one address: REBALANCER_ALERT_WEBHOOK."""

from __future__ import annotations

import json

from rebalancer.alerts.address import WebAddress
from rebalancer.alerts.message import Message
from rebalancer.alerts.web import ask, knock

SCHEMA = "rebalancer.alert/1"


class Webhook:
    """POSTs every message. A message has the same `Idempotency-Key` on every attempt."""

    name = "webhook"

    def __init__(self, address: WebAddress) -> None:
        self._address, self.shown = address, address.shown

    def send(self, message: Message) -> None:
        """POST the message as one JSON object."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
        ask("POST", self._address.reveal(), json.dumps(document_of(message), ensure_ascii=False).encode(), headers)

    def reach(self) -> str:
        """Connect without posting anything."""
        return knock(self._address)


def document_of(message: Message) -> dict[str, object]:
    """The object that is posted."""
    return {
        "schema": SCHEMA,
        "id": message.id,
        "level": message.level,
        "code": message.code,
        "key": message.key,
        "count": message.alerts,
        "at": message.at,
        "subject": message.subject,
        "text": message.text,
    }
