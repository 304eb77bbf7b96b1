"""The checks that ask the broker: login, account, clock, calendar, prices. They change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from rebalancer.brokers.protocol import ReadBroker
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused, WrongAccount
from rebalancer.core.new_york import day_in_new_york
from rebalancer.market_data.trading_calendar import published_hours
from rebalancer.session.doctor.channels import check_channels_there
from rebalancer.session.doctor.findings import CheckResult, fail, ok, warn
from rebalancer.session.doctor.sources import check_sources_there
from rebalancer.session.preflight import clock_problem
from rebalancer.session.setup import Setup

NOT_PERMITTED, UNAVAILABLE = 77, 69
SAMPLE = "SPY"  # a symbol that every feed has


def check_there(setup: Setup, broker: ReadBroker, wall: datetime) -> Iterator[CheckResult]:
    """All checks that ask the broker; the first one that it does not answer ends the list."""
    try:
        account = broker.account()
        if account.restrictions:
            yield fail("account", f"restricted: {', '.join(account.restrictions)}", "look at the broker's own page", 77)
        else:
            yield ok("account", f"{setup.mode}, equity ${account.equity:,.2f}, multiplier {account.multiplier}")
        clock = broker.clock()
        skew = clock_problem(wall, clock.now) if setup.mode != "simulated" else None
        if skew is not None:
            yield warn("clock", skew, "timedatectl set-ntp true")
        else:
            yield ok("clock", f"the broker says {clock.now:%Y-%m-%d %H:%M:%S} UTC")
        yield _calendar(broker, clock.now)
        yield _prices(setup, broker, clock.now)
    except CredentialsRefused as error:
        yield fail("login", str(error), "check APCA_API_KEY_ID and APCA_API_SECRET_KEY", NOT_PERMITTED)
    except WrongAccount as error:
        yield fail("account", str(error), "use the other key, or correct broker.account_id", NOT_PERMITTED)
    except BrokerUnavailable as error:
        yield fail("broker", str(error), "check the connection and the broker's status page", UNAVAILABLE)
    yield from check_channels_there(setup)
    yield from check_sources_there(setup)


def _calendar(broker: ReadBroker, now: datetime) -> CheckResult:
    """Our calendar against the broker's, for the next four weeks."""
    first = day_in_new_york(now)
    last = first + timedelta(days=28)
    ours = {h.day: (h.open, h.close) for h in published_hours(first, last)}
    theirs = {h.day: (h.open, h.close) for h in broker.calendar(first, last)}
    apart = sorted(day for day in {*ours, *theirs} if ours.get(day) != theirs.get(day))
    if apart:
        days = ", ".join(day.isoformat() for day in apart[:3])
        return warn(
            "calendar", f"differs from the broker's on {days}", "the narrower of the two counts; update the packages"
        )
    return ok("calendar", f"agrees with the broker's until {last}")


def _prices(setup: Setup, broker: ReadBroker, now: datetime) -> CheckResult:
    feed = setup.rules.broker.data_feed
    quotes = broker.quotes([SAMPLE])
    if not quotes:
        return fail(
            "prices", f"the feed {feed} has no quote of {SAMPLE}", "choose another broker.data_feed", UNAVAILABLE
        )
    age = max((now - quotes[0].at).total_seconds(), 0.0)
    return ok("prices", f"feed {feed}, {SAMPLE} quoted {age:,.0f} s ago")
