"""The checks of the alert channels: configured, readable, and answering. No message is sent."""

from __future__ import annotations

from collections.abc import Iterator

from rebalancer.alerts import Channel, NotDelivered, configured
from rebalancer.alerts.heartbeat import Heartbeat
from rebalancer.session.doctor.findings import CheckResult, fail, ok, warn
from rebalancer.session.setup import Setup

WHAT = "alert channel"


def check_channels(setup: Setup) -> Iterator[CheckResult]:
    """Which channels are configured, and which cannot be read. Makes no connection."""
    found = configured(setup.rules.alerts, setup.environ)
    for problem in found.problems:
        yield fail(WHAT, problem, "see docs/how-to/alerts.md", 78)
    for channel in found.channels:
        yield ok(WHAT, f"{channel.name}: {channel.shown}")
    if found.heartbeat is not None:
        yield ok(WHAT, f"heartbeat: {found.heartbeat.shown}")
    if found.feed is not None:
        yield ok(WHAT, f"events: {found.feed.shown}")
    if not (found.channels or found.problems):
        yield warn(WHAT, "none: nobody is notified when a day goes wrong", "set one up as docs/how-to/alerts.md says")


def check_channels_there(setup: Setup) -> Iterator[CheckResult]:
    """Whether each channel answers: a login at the mail server, a connection to the others."""
    found = configured(setup.rules.alerts, setup.environ)
    ways: list[Channel | Heartbeat] = [*found.channels, *([] if found.heartbeat is None else [found.heartbeat])]
    for one in ways:
        try:
            yield ok(WHAT, f"{one.name}: {one.reach()}")
        except NotDelivered as error:
            yield warn(WHAT, f"{one.name}: {one.shown}: {error}", "rebalancer alerts test")
