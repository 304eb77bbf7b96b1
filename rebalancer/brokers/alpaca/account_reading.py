"""Read the account, its positions and the clock from Alpaca's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final

from rebalancer.brokers.alpaca.fields import (
    UnreadableField,
    asset_class,
    day,
    flag,
    maybe_number,
    moment,
    number,
    once,
    rows,
    symbol,
    table,
    text,
    words,
)
from rebalancer.brokers.protocol import BrokerClock, TradingHours
from rebalancer.core.facts import Account, Position, Session
from rebalancer.core.new_york import NEW_YORK, day_in_new_york
from rebalancer.core.values import ZERO

CORE_OPEN: Final = time(9, 30)
_MONEY_MAX: Final = Decimal(10) ** 12
_BLOCKS: Final = ("trading_blocked", "account_blocked", "trade_suspended_by_user")


def read_account(body: Any, is_live: bool) -> tuple[Account, frozenset[str]]:
    """The account, and every identifier it is known by. `peak_equity` is set to today's equity; the journal holds the
    real peak.

    Raises UnreadableField when a number that limits depend on is missing, not positive or absurd.
    """
    row = table(body, "account")
    names = [name for name in (words(row, "account_number"), words(row, "id")) if name]
    if not names:
        raise UnreadableField("neither account_number nor id is there")
    status = text(row, "status")
    usable = ("ACTIVE",) if is_live else ("ACTIVE", "PAPER_ONLY")
    restrictions = [name for name in _BLOCKS if flag(row, name)]
    if status not in usable:
        restrictions.append(f"status:{status}")
    equity = _worth(row, "equity")
    account = Account(
        id=names[0],
        equity=equity,
        last_equity=_worth(row, "last_equity"),
        peak_equity=equity,
        cash=_money(row, "cash"),
        buying_power=_money(row, "buying_power"),
        multiplier=number(row, "multiplier"),
        shorting_enabled=flag(row, "shorting_enabled", default=False),
        restrictions=tuple(restrictions),
    )
    return account, frozenset(names)


def read_positions(body: Any) -> tuple[Position, ...]:
    """All positions in assets that this program trades, by symbol; shorts are negative."""
    found = []
    for row in rows(body, "positions"):
        kind = asset_class(row, "asset_class")
        if kind is None:
            continue
        name, qty = symbol(row, kind), _signed_qty(row)
        available = min(abs(number(row, "qty_available")), abs(qty))
        found.append(
            Position(name, qty, available if qty > 0 else -available, maybe_number(row, "avg_entry_price") or ZERO)
        )
    once((position.symbol for position in found), "position")
    return tuple(sorted(found))


def read_clock(body: Any) -> BrokerClock:
    """The broker's time and the current session, or the next one.

    The clock endpoint does not report when the current session opened. Core sessions open at 09:30 New York time even
    on early-close days, so the opening time is derived, which saves a calendar request.
    """
    row = table(body, "clock")
    now, next_open, next_close = moment(row, "timestamp"), moment(row, "next_open"), moment(row, "next_close")
    if next_close <= now:
        raise UnreadableField(f"next_close {next_close.isoformat()} is not after {now.isoformat()}")
    if flag(row, "is_open"):
        day = day_in_new_york(next_close)
        opened = datetime.combine(day, CORE_OPEN, NEW_YORK).astimezone(now.tzinfo)
        return BrokerClock(now, Session(True, min(opened, now), next_close))
    if not now <= next_open < next_close:
        raise UnreadableField(f"next_open {next_open.isoformat()} is not before next_close {next_close.isoformat()}")
    return BrokerClock(now, Session(False, next_open, next_close))


def read_calendar(body: Any) -> tuple[TradingHours, ...]:
    """The core sessions of the broker's calendar, oldest first. The calendar's times are in New York time."""
    found = []
    for row in rows(body, "calendar"):
        on = day(row, "date")
        opens, closes = (datetime.combine(on, _hour(row, key), NEW_YORK).astimezone(UTC) for key in ("open", "close"))
        if not opens < closes:
            raise UnreadableField(f"{on} closes before it opens")
        found.append(TradingHours(on, opens, closes))
    once([str(hours.day) for hours in found], "the day")
    return tuple(sorted(found))


def _hour(row: Mapping[str, Any], key: str) -> time:
    try:
        return time.fromisoformat(text(row, key))
    except ValueError as error:
        raise UnreadableField(f"{key}: {error}") from None


def _signed_qty(row: Mapping[str, Any]) -> Decimal:
    qty, side = number(row, "qty"), row.get("side")
    if side == "short":
        return -abs(qty)
    if qty == 0 or (side == "long" and qty < 0):
        raise UnreadableField(f"{row.get('symbol')} is {side} with a quantity of {qty}")
    return qty


def _money(row: Mapping[str, Any], key: str) -> Decimal:
    value = number(row, key)
    if abs(value) >= _MONEY_MAX:
        raise UnreadableField(f"{key} of {value} is absurd")
    return value


def _worth(row: Mapping[str, Any], key: str) -> Decimal:
    value = _money(row, key)
    if value <= 0:
        raise UnreadableField(f"{key} is {value}: weights and limits cannot be computed from it")
    return value
