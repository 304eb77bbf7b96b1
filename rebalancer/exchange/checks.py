"""Why an order is refused: every rule between a well-formed request and an accepted order, in the order it is asked.

1. `check_asset`       the asset exists, trades, and takes this time in force, fraction and price increment
2. `check_opposite`    the other side's open orders: flat accounts, position intent, wash trades
3. `check_quantity`    what may be sold or bought back, and who may sell short
4. `check_funds`       minimum value and buying power, with the reserve Alpaca takes on market orders

A duplicate client order id is refused before 2, so that a repeated request always learns that the first one landed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

from rebalancer.exchange import errors
from rebalancer.exchange.books import SMALLEST
from rebalancer.exchange.configuration import Configuration
from rebalancer.exchange.margin import EQUITY_FOR_MARGIN, AccountNumbers, margin_rate
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.order import Intent, Order
from rebalancer.exchange.order_request import OrderRequest, check_force
from rebalancer.values import CENT, ZERO, cents_toward_zero, text_of

_SHORT_RESERVE: Final = Decimal("1.03")
_CRYPTO_COLLAR: Final = Decimal("0.02")
_MINIMUM: Final = {"us_equity": Decimal(1), "crypto": Decimal(10)}


class Desk(NamedTuple):
    """What the checks look at. `bid`, `ask` and `reference` are USD; `orders` are the symbol's open orders."""

    listing: Listing
    bid: Decimal
    ask: Decimal
    is_open: bool
    last: Decimal
    held: Decimal  # signed position
    orders: Sequence[Order]
    numbers: AccountNumbers
    configuration: Configuration


class Admission(NamedTuple):
    """An order's intent, the price it may not pass, and what one unit reserves of buying power (USD)."""

    intent: Intent
    worst_price: Decimal | None
    reserve_price: Decimal


def check_asset(request: OrderRequest, listing: Listing | None, configuration: Configuration) -> Listing:
    """The listing of a tradable asset. Raises ApiError."""
    if listing is None:
        raise errors.unprocessable(f'asset "{request.symbol}" not found')
    if not listing.tradable:
        raise errors.unprocessable(f'asset "{listing.symbol}" is not tradable')
    check_force(request, crypto=listing.is_crypto)
    price = request.limit_price
    if price is not None and not listing.is_crypto and price % (CENT if price >= 1 else CENT / 100):
        raise errors.unprocessable(
            f"invalid limit_price {text_of(price)}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    if request.is_fractional and not listing.is_crypto:
        if not configuration.fractional_trading:
            raise errors.forbidden("fractional trading is disabled for this account")
        if not listing.fractionable:
            raise errors.forbidden(f'asset "{listing.symbol}" is not fractionable')
    return listing


def admit(request: OrderRequest, desk: Desk) -> Admission:
    """Ask all account rules. Raises ApiError; changes nothing."""
    check_opposite(request, desk)
    intent = inferred_intent(request, desk.held)
    if request.position_intent not in (None, intent):
        words = f"position intent mismatch, inferred: {intent}, specified: {request.position_intent}"
        raise errors.unprocessable(words)
    worst, reserve = _prices(request, desk, intent)
    check_quantity(request, desk, intent)
    check_funds(request, desk, intent, reserve)
    return Admission(intent, worst, reserve)


def inferred_intent(request: OrderRequest, held: Decimal) -> Intent:
    """Closing when the position stands on the other side, else opening."""
    if request.side == "buy":
        return "buy_to_close" if held < 0 else "buy_to_open"
    return "sell_to_close" if held > 0 else "sell_to_open"


def check_opposite(request: OrderRequest, desk: Desk) -> None:
    """Refuse an order that opposes an own open order. Raises ApiError."""
    opposite = [order for order in desk.orders if order.side != request.side]
    if opposite and not desk.held and not desk.listing.is_crypto:
        if request.side == "buy":
            raise errors.forbidden("cannot open a long buy while a short sell order is open")
        raise errors.forbidden("cannot open a short sell while a long buy order is open")
    for order in opposite:
        if request.limit_price is not None and order.limit_price is not None:
            buy, sell = request.limit_price, order.limit_price
            if request.side == "sell":
                buy, sell = sell, buy
            if buy < sell:
                continue
        raise errors.wash_trade(order.id, f"opposite side {order.type} order exists")


def check_quantity(request: OrderRequest, desk: Desk, intent: Intent) -> None:
    """Refuse to close more than is free, to flip, and to sell short what may not be. Raises ApiError."""
    price = desk.ask if request.side == "buy" else desk.bid
    qty = request.qty if request.qty is not None else _units(request.notional or ZERO, price)
    if intent.endswith("close"):
        same = [order for order in desk.orders if order.side == request.side]
        held_for_orders = sum((order.remaining(price) for order in same), ZERO)
        existing = abs(desk.held)
        available = max(existing - held_for_orders, ZERO)
        if qty > available:
            if desk.listing.is_crypto:
                raise errors.insufficient_balance(_coin(desk.listing), qty, available)
            raise errors.insufficient_qty(
                desk.listing.symbol, qty, available, existing, held_for_orders, [order.id for order in same]
            )
    elif intent == "sell_to_open":
        _check_short(request, desk, qty)


def _check_short(request: OrderRequest, desk: Desk, qty: Decimal) -> None:
    if desk.listing.is_crypto:
        raise errors.insufficient_balance(_coin(desk.listing), qty, ZERO)
    if request.is_fractional:
        raise errors.unprocessable("fractional orders cannot be sold short")
    if not desk.listing.shortable:
        raise errors.unprocessable(f'asset "{desk.listing.symbol}" cannot be sold short')
    poor = desk.numbers.equity < EQUITY_FOR_MARGIN or desk.numbers.multiplier < 2
    if poor or desk.configuration.no_shorting:
        raise errors.forbidden("account is not allowed to short")


def check_funds(request: OrderRequest, desk: Desk, intent: Intent, reserve: Decimal) -> None:
    """Refuse orders below the minimum value or above the buying power. Raises ApiError."""
    minimum = _MINIMUM[desk.listing.asset_class]
    plain_price = request.limit_price if request.limit_price is not None else _reference(request, desk)
    worth = request.notional if request.qty is None else request.qty * plain_price
    assert worth is not None
    exempt = request.side == "sell" and not desk.listing.is_crypto and request.qty is not None
    if worth < minimum and not exempt:
        raise errors.forbidden(f"cost basis must be >= minimal amount of order {minimum}")
    if not intent.endswith("open"):
        return
    cost = request.notional if request.qty is None else request.qty * reserve
    assert cost is not None
    numbers = desk.numbers
    if desk.listing.is_crypto:
        limit, enough = numbers.non_marginable_buying_power, cost <= numbers.non_marginable_buying_power
    else:
        rate = margin_rate(desk.listing.symbol, reserve, numbers.multiplier)
        limit, enough = numbers.buying_power, cost * rate <= numbers.available
    if not enough:
        raise errors.insufficient_buying_power(cents_toward_zero(limit), cost)


def _prices(request: OrderRequest, desk: Desk, intent: Intent) -> tuple[Decimal | None, Decimal]:
    """The bound on the fill price and the reserve a unit.

    Market orders that open a long become marketable limits with a collar of 4 % below 50 USD and 2.5 % from there on;
    crypto market orders of both sides have one of 2 %. An opening short reserves 103 % of the ask.
    """
    limit = request.limit_price
    reference = _reference(request, desk)
    if intent == "sell_to_open":
        return limit, max(limit or ZERO, desk.ask * _SHORT_RESERVE)
    if limit is not None:
        return limit, limit
    if desk.listing.is_crypto:
        worst = reference * (1 + (_CRYPTO_COLLAR if request.side == "buy" else -_CRYPTO_COLLAR))
        return worst, worst
    if intent != "buy_to_open":
        return None, reference
    collar = Decimal("0.04") if reference < 50 else Decimal("0.025")
    return reference * (1 + collar), reference * (1 + collar)


def _reference(request: OrderRequest, desk: Desk) -> Decimal:
    """The far side of the quote while trading, else the last trade."""
    if not desk.is_open:
        return desk.last
    return desk.ask if request.side == "buy" else desk.bid


def _units(notional: Decimal, price: Decimal) -> Decimal:
    return (notional / price).quantize(SMALLEST, rounding=ROUND_FLOOR)


def _coin(listing: Listing) -> str:
    return listing.symbol.partition("/")[0]
