"""Opening an account at any moment of any day: the last close before today is always known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange

FRIDAY_OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("hours", range(0, 96, 5))
def test_a_fresh_account_tells_its_last_equity_at_any_hour(hours: int) -> None:
    """Half an hour after the close, at night, on the weekend, before the next open."""
    start = FRIDAY_OPEN + timedelta(hours=hours, minutes=35)
    exchange = open_exchange(ExchangeOptions(start=start, speed=0, holdings="starter"))
    account = exchange.account()
    exchange.close()
    assert (account["last_equity"], account["status"]) == ("100000", "ACTIVE")
