"""Alerts through Apprise, which supports many services: REBALANCER_APPRISE_URLS; needs the extra `alerts`."""

from __future__ import annotations

import logging
from typing import Any, Final

from rebalancer.alerts.address import BadAddress
from rebalancer.alerts.channel import NotDelivered
from rebalancer.alerts.message import Message
from rebalancer.core.extras import install_hint

NAME: Final = "REBALANCER_APPRISE_URLS"
_KINDS: Final = {"info": "info", "warning": "warning", "action": "failure"}


class ThroughApprise:
    """Notifies every configured service. Apprise is imported with the first message, or by `reach`."""

    name = "apprise"

    def __init__(self, urls: str) -> None:
        """urls: Apprise URLs, separated by spaces or commas."""
        self._urls = urls
        self.shown = "services of Apprise"

    def send(self, message: Message) -> None:
        """Notify all services; if one fails, the message counts as not delivered, and will be sent to all again."""
        try:
            kind = _KINDS[message.level]
            done = self._loaded().notify(body=message.text, title=message.subject, notify_type=kind)
        except BadAddress as error:
            raise NotDelivered(str(error)) from None
        except Exception as error:  # noqa: BLE001 - services may raise anything, with the address in its text
            raise NotDelivered(f"a service failed ({type(error).__name__})") from None
        if not done:
            raise NotDelivered("at least one service did not accept it")

    def reach(self) -> str:
        """Load Apprise and let it parse the addresses; nothing is sent."""
        try:
            return f"{len(self._loaded())} services are understood; none was asked"
        except BadAddress as error:
            raise NotDelivered(str(error)) from None

    def _loaded(self) -> Any:
        try:
            import apprise
        except ImportError:
            raise BadAddress(f"{NAME} is set, but Apprise is not installed: {install_hint('alerts')}") from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its log messages contain addresses
        asset = apprise.AppriseAsset(app_id="rebalancer", app_desc="rebalancer", async_mode=False, secure_logging=True)
        service = apprise.Apprise(asset=asset)
        for number, url in enumerate(self._urls.replace(",", " ").split(), 1):
            if not service.add(url):
                raise BadAddress(f"{NAME}: Apprise does not understand address {number}")
        return service
