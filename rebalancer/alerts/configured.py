"""Determine the configured channels, from the `alerts` section of the rules and environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rebalancer.alerts.address import BadAddress, smtp_server, web_address
from rebalancer.alerts.channel import Channel
from rebalancer.alerts.event_feed import SignedAddress, signed_address
from rebalancer.alerts.heartbeat import Heartbeat
from rebalancer.alerts.mail import Email, recipients_of
from rebalancer.alerts.through_apprise import NAME as APPRISE
from rebalancer.alerts.through_apprise import ThroughApprise
from rebalancer.alerts.webhook import Webhook
from rebalancer.core.rules import Alerts

WEBHOOK: Final = "REBALANCER_ALERT_WEBHOOK"
SMTP: Final = "REBALANCER_SMTP_URL"
HEARTBEAT: Final = "REBALANCER_HEARTBEAT_URL"


class Configured(NamedTuple):
    """The channels in delivery order, the heartbeat, the problems of channels that are misconfigured, and where events
    are posted for programs."""

    channels: tuple[Channel, ...]
    heartbeat: Heartbeat | None
    problems: tuple[str, ...]
    feed: SignedAddress | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to deliver to."""
        return not (self.channels or self.heartbeat or self.feed)


def configured(rules: Alerts, environ: Mapping[str, str]) -> Configured:
    """Read the channel configuration. A misconfiguration is returned as a problem, never raised: trading goes on."""
    channels: list[Channel] = []
    problems: list[str] = []
    heartbeat = None
    try:
        if url := environ.get(WEBHOOK, "").strip():
            channels.append(Webhook(web_address(WEBHOOK, url)))
    except BadAddress as error:
        problems.append(str(error))
    if urls := environ.get(APPRISE, "").strip():
        channels.append(ThroughApprise(urls))
    try:
        mail = _email(rules, environ.get(SMTP, "").strip())
        channels += [] if mail is None else [mail]
    except BadAddress as error:
        problems.append(str(error))
    try:
        if url := environ.get(HEARTBEAT, "").strip():
            heartbeat = Heartbeat(web_address(HEARTBEAT, url))
    except BadAddress as error:
        problems.append(str(error))
    feed = None
    try:
        feed = signed_address(environ)
    except BadAddress as error:
        problems.append(str(error))
    return Configured(tuple(channels), heartbeat, tuple(problems), feed)


def _email(rules: Alerts, url: str) -> Email | None:
    recipients = recipients_of(rules.email_to)
    if not url and not recipients:
        return None
    if not url:
        raise BadAddress(f"alerts.email_to is set, and {SMTP} is not")
    if not recipients:
        raise BadAddress(f"{SMTP} is set, and alerts.email_to names no recipient")
    sender = recipients_of(rules.email_from) or recipients[:1]
    return Email(smtp_server(SMTP, url), sender[0], recipients)
