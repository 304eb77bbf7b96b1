"""What people and companies do to an account: deposits, splits, dividends, and days that pass."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from rebalancer.exchange import corporate
from rebalancer.exchange.admin.actions import deposit, trade
from tests.support.rig import Rig

MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # the rigs begin on Friday, 20 November
EX_DATE = MONDAY.date()


def pay_in(rig: Rig, amount: str) -> None:
    """Bring money in, or take it out."""
    deposit(rig.exchange.exchange, {"amount": amount})


def split(rig: Rig, symbol: str, new: int, old: int, ex_date: date = EX_DATE) -> None:
    """Announce a split."""
    corporate.announce_split(rig.exchange.exchange, symbol, ex_date, new, old)


def dividend(rig: Rig, symbol: str, rate: str, ex_date: date = EX_DATE, pay_date: date = EX_DATE) -> None:
    """Announce a cash dividend, USD a share."""
    corporate.announce_dividend(rig.exchange.exchange, symbol, ex_date, pay_date, Decimal(rate))


def buy_coins(rig: Rig, qty: str) -> None:
    """Buy bitcoins by hand, at the market."""
    body = {"symbol": "BTC/USD", "qty": qty, "side": "buy", "type": "market", "time_in_force": "gtc"}
    trade(rig.exchange.exchange, {**body, "client_order_id": "coins"})
    rig.exchange.clock.advance(2)


def until(rig: Rig, moment: datetime) -> None:
    """Let time pass until then, if it is still to come."""
    rig.exchange.clock.advance(max((moment - rig.exchange.clock.now()).total_seconds(), 0))
