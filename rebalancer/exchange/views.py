"""Alpaca's JSON objects for account, positions, assets, clock and calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from rebalancer.core.values import CENT, ZERO, cents_toward_zero, text_of, time_text
from rebalancer.exchange.books import Position, computed_id
from rebalancer.exchange.calendar import NEW_YORK, SessionTable, TradingSession, moment_of
from rebalancer.exchange.configuration import Configuration
from rebalancer.exchange.margin import EQUITY_FOR_MARGIN, AccountNumbers, maintenance_rate
from rebalancer.exchange.market.listing import Listing

_RATIO = Decimal("0.0000000000000001")


def cents(amount: Decimal) -> str:
    """USD to the nearest cent."""
    return text_of(amount.quantize(CENT, rounding=ROUND_HALF_EVEN))


def account_view(
    identity: str,
    numbers: AccountNumbers,
    configuration: Configuration,
    last: tuple[datetime, Decimal, Decimal],
    created_at: datetime,
) -> dict[str, object]:
    """GET /v2/account. `last` is date, equity and maintenance margin of the previous trading day's close."""
    asof, last_equity, last_maintenance = last
    shorting = numbers.multiplier > 1 and numbers.equity >= EQUITY_FOR_MARGIN and not configuration.no_shorting
    power = text_of(cents_toward_zero(numbers.buying_power))
    return {
        "id": identity,
        "account_number": "PA" + identity.replace("-", "")[:10].upper(),
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": cents(numbers.cash),
        "portfolio_value": cents(numbers.equity),
        "equity": cents(numbers.equity),
        "last_equity": cents(last_equity),
        "buying_power": power,
        "regt_buying_power": text_of(cents_toward_zero(numbers.regt_available * min(numbers.multiplier, 2))),
        "effective_buying_power": power,
        "non_marginable_buying_power": text_of(cents_toward_zero(numbers.non_marginable_buying_power)),
        "options_buying_power": "0",
        "multiplier": str(numbers.multiplier),
        "long_market_value": cents(numbers.long_value),
        "short_market_value": cents(numbers.short_value),
        "position_market_value": cents(numbers.long_value - numbers.short_value),
        "initial_margin": cents(numbers.initial_margin),
        "maintenance_margin": cents(numbers.maintenance_margin),
        "last_maintenance_margin": cents(last_maintenance),
        "sma": "0",
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "balance_asof": asof.date().isoformat(),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": configuration.suspend_trade,
        "shorting_enabled": shorting,
        "created_at": time_text(created_at),
        "crypto_tier": 1,
        "options_approved_level": 0,
        "options_trading_level": 0,
        "admin_configurations": {},
        "user_configurations": None,
    }


def position_view(
    position: Position, listing: Listing, asset: str, price: Decimal, day_start: Decimal, held_for_orders: Decimal
) -> dict[str, object]:
    """One position. Crypto is named without the slash; quantities of shorts are negative."""
    sign = 1 if position.qty > 0 else -1
    value = position.qty * price
    gain, day_gain = value - sign * position.cost, value - sign * position.day_cost
    free = max(abs(position.qty) - held_for_orders, ZERO) * sign
    return {
        "asset_id": asset,
        "symbol": position.symbol.replace("/", ""),
        "exchange": listing.exchange,
        "asset_class": listing.asset_class,
        "asset_marginable": not listing.is_crypto,
        "qty": text_of(position.qty),
        "qty_available": text_of(free),
        "avg_entry_price": text_of((position.cost / abs(position.qty)).quantize(Decimal("0.000000001"))),
        "side": "long" if sign > 0 else "short",
        "market_value": text_of(value),
        "cost_basis": text_of((sign * position.cost).quantize(Decimal("0.000000001"))),
        "unrealized_pl": text_of(gain.quantize(Decimal("0.000000001"))),
        "unrealized_plpc": _ratio(gain, position.cost),
        "unrealized_intraday_pl": text_of(day_gain.quantize(Decimal("0.000000001"))),
        "unrealized_intraday_plpc": _ratio(day_gain, position.day_cost),
        "current_price": text_of(price),
        "lastday_price": text_of(day_start),
        "change_today": _ratio(price - day_start, day_start),
    }


def day_trading_view(numbers: AccountNumbers, count: int) -> dict[str, object]:
    """The account's day-trading fields of old: a flag from four day trades in five sessions on."""
    power = numbers.buying_power if numbers.multiplier == 4 else ZERO
    return {
        "pattern_day_trader": count >= 4,
        "daytrade_count": count,
        "daytrading_buying_power": text_of(cents_toward_zero(power)),
    }


def asset_view(listing: Listing, identity: str, price: Decimal | None) -> dict[str, object]:
    """One asset. Inactive ones have no price."""
    row: dict[str, object] = {
        "id": identity,
        "class": listing.asset_class,
        "exchange": listing.exchange,
        "symbol": listing.symbol,
        "name": listing.name,
        "status": "active" if listing.tradable else "inactive",
        "tradable": listing.tradable,
        "marginable": listing.tradable and not listing.is_crypto,
        "shortable": listing.tradable and listing.shortable and not listing.is_crypto,
        "easy_to_borrow": listing.tradable and listing.shortable and not listing.is_crypto,
        "fractionable": listing.tradable and listing.fractionable,
        "attributes": attributes_of(listing),
    }
    if listing.is_crypto:
        sizes = {"min_order_size": "0.000000001", "min_trade_increment": "0.000000001", "price_increment": "0.01"}
        return {**row, **sizes, "margin_requirement_long": "100", "margin_requirement_short": "100"}
    row["borrow_status"] = "easy_to_borrow" if row["shortable"] else "hard_to_borrow"
    if price is not None:
        rate = maintenance_rate(listing.symbol, price, short=False) * 100
        row["maintenance_margin_requirement"] = int(rate)
        row["margin_requirement_long"] = text_of(rate)
        row["margin_requirement_short"] = text_of(
            (maintenance_rate(listing.symbol, price, short=True) * 100).quantize(CENT)
        )
    return row


def attributes_of(listing: Listing) -> list[str]:
    if listing.is_crypto or not listing.tradable:
        return []
    extended = ["fractional_eh_enabled"] if listing.fractionable else []
    return [*extended, "overnight_tradable"] if listing.overnight else extended


def clock_view(sessions: SessionTable, at: int) -> dict[str, object]:
    """GET /v2/clock, in New York time."""
    return {
        "timestamp": _local(at),
        "is_open": sessions.current(at) is not None,
        "next_open": _local(sessions.next_open(at).open),
        "next_close": _local(sessions.next_close(at).close),
    }


def calendar_view(session: TradingSession, settlement: TradingSession) -> dict[str, object]:
    """One row of GET /v2/calendar."""
    opens, closes = (moment_of(at).astimezone(NEW_YORK) for at in (session.open, session.close))
    evening = closes + timedelta(hours=4)
    return {
        "date": session.date.isoformat(),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": "0400",
        "session_close": f"{evening:%H%M}",
        "settlement_date": settlement.date.isoformat(),
    }


@lru_cache(maxsize=4096)
def asset_id(symbol: str) -> str:
    """The id of an asset: the same on every exchange, whatever its seed."""
    return computed_id(0, "asset", symbol)


def _local(at: int) -> str:
    return moment_of(at).astimezone(NEW_YORK).isoformat()


def _ratio(part: Decimal, whole: Decimal) -> str:
    return text_of((part / whole).quantize(_RATIO)) if whole else "0"
