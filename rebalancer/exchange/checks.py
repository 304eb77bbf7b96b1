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

from rebalancer.core.values import CENT, ZERO, Side, cents_toward_zero, text_of
from rebalancer.exchange import errors
from rebalancer.exchange.books import SMALLEST
from rebalancer.exchange.configuration import Configuration
from rebalancer.exchange.margin import EQUITY_FOR_MARGIN, AccountNumbers, margin_rate
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.order import STOPS, Intent, Order, held_quantity
from rebalancer.exchange.order_request import OrderRequest, check_force

_SHORT_RESERVE: Final = Decimal("1.03")
_CRYPTO_COLLAR: Final = Decimal("0.02")
_PRICED: Final = ("limit", "stop_limit")
_MINIMUM: Final = {"us_equity": Decimal(1), "crypto": Decimal(10)}


class OrderContext(NamedTuple):
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
    is_overnight: bool = False  # then 2x is the most
    located: Decimal = ZERO  # shares that may be borrowed by unused locates


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
    exits = request.exits
    prices = {"limit_price": request.limit_price, "stop_price": request.stop_price}
    prices |= {"take_profit.limit_price": exits.take_profit, "stop_loss.stop_price": exits.stop_loss}
    prices |= {"stop_loss.limit_price": exits.stop_limit}
    for name, price in prices.items():
        if price is not None and not listing.is_crypto:
            check_increment(name, price)
    if request.is_fractional and not listing.is_crypto:
        if not configuration.fractional_trading:
            raise errors.forbidden("fractional trading is disabled for this account")
        if not listing.fractionable:
            raise errors.forbidden(f'asset "{listing.symbol}" is not fractionable')
    return listing


def check_increment(name: str, price: Decimal) -> None:
    """Refuse fractions of a cent from 1 USD on, of a hundredth of a cent below. Raises ApiError."""
    if price % (CENT if price >= 1 else CENT / 100):
        raise errors.unprocessable(
            f"invalid {name} {text_of(price)}. sub-penny increment does not fulfill minimum pricing criteria"
        )


def admit(request: OrderRequest, context: OrderContext) -> Admission:
    """Ask all account rules. Raises ApiError; changes nothing."""
    check_opposite(request, context)
    intent = inferred_intent(request, context.held)
    if request.position_intent not in (None, intent):
        words = f"position intent mismatch, inferred: {intent}, specified: {request.position_intent}"
        raise errors.unprocessable(words)
    check_class(request, context, intent)
    worst, reserve = _prices(request, context, intent)
    check_quantity(request, context, intent)
    check_funds(request, context, intent, reserve)
    return Admission(intent, worst, reserve)


def inferred_intent(request: OrderRequest, held: Decimal) -> Intent:
    """Closing when the position stands on the other side, else opening."""
    if request.side == "buy":
        return "buy_to_close" if held < 0 else "buy_to_open"
    return "sell_to_close" if held > 0 else "sell_to_open"


def check_opposite(request: OrderRequest, context: OrderContext) -> None:
    """Refuse an order that opposes an own open order. Raises ApiError.

    Complex orders (brackets, pairs of exits) and trailing stops are exempt from the wash-trade rule on both sides.
    """
    opposite = [order for order in context.orders if order.side != request.side and order.status != "held"]
    if opposite and not context.held and not context.listing.is_crypto:
        if request.side == "buy":
            raise errors.forbidden("cannot open a long buy while a short sell order is open")
        raise errors.forbidden("cannot open a short sell while a long buy order is open")
    if request.order_class in ("bracket", "oco") or request.type == "trailing_stop":
        return
    for order in opposite:
        if order.is_complex:
            continue
        if request.type in _PRICED and order.type in _PRICED:
            assert request.limit_price is not None
            assert order.limit_price is not None
            buy, sell = request.limit_price, order.limit_price
            if request.side == "sell":
                buy, sell = sell, buy
            if buy < sell:
                continue
        raise errors.wash_trade(order.id, f"opposite side {order.type} order exists")


def check_class(request: OrderRequest, context: OrderContext, intent: Intent) -> None:
    """Refuse brackets that close, exits that open, and exits on the wrong side of the price. Raises ApiError."""
    order_class, exits = request.order_class, request.exits
    if not order_class:
        return
    if order_class in ("bracket", "oto") and not intent.endswith("open"):
        raise errors.unprocessable(f"{order_class} orders must be entry orders")
    if order_class == "oco" and not intent.endswith("close"):
        raise errors.unprocessable("oco orders must be exit orders")
    base = request.limit_price or request.stop_price or context.last
    entry_sign = 1 if (request.side == "buy") == (order_class != "oco") else -1
    if order_class != "oco" and exits.take_profit is not None:
        _check_beyond("take_profit.limit_price", exits.take_profit, base, entry_sign)
    if exits.stop_loss is not None:
        _check_beyond("stop_loss.stop_price", exits.stop_loss, base, -entry_sign)
        _check_beyond("stop_loss.stop_price", exits.stop_loss, context.last, -entry_sign)


def _check_beyond(name: str, price: Decimal, base: Decimal, sign: int) -> None:
    """Refuse a price that is not at least a cent above (sign 1) or below the base price."""
    if sign * (price - base) < CENT:
        words = f"{name} must be {'>= base_price +' if sign > 0 else '<= base_price -'} 0.01"
        raise errors.ApiError(422, {"code": 42210000, "message": words, "base_price": text_of(base)})


def check_quantity(request: OrderRequest, context: OrderContext, intent: Intent) -> None:
    """Refuse to close more than is free, to flip, and to sell short what may not be. Raises ApiError."""
    if request.side == "sell" and context.listing.is_hard_to_borrow and request.time_in_force != "day":
        words = f'only day orders are allowed for hard-to-borrow asset "{context.listing.symbol}"'
        raise errors.unprocessable(words)
    price = context.ask if request.side == "buy" else context.bid
    qty = request.qty if request.qty is not None else _units(request.notional or ZERO, price)
    if intent.endswith("close"):
        _check_queued(request, context)
        same = [order for order in context.orders if order.side == request.side and order.status != "held"]
        held_for_orders = held_quantity(same, price)
        existing = abs(context.held)
        available = max(existing - held_for_orders, ZERO)
        if qty > available:
            if context.listing.is_crypto:
                raise errors.insufficient_balance(_coin(context.listing), qty, available)
            raise errors.insufficient_qty(
                context.listing.symbol, qty, available, existing, held_for_orders, [order.id for order in same]
            )
    elif intent == "sell_to_open":
        _check_short(request, context, qty)


def _check_queued(request: OrderRequest, context: OrderContext) -> None:
    """Outside the core session a sale by value may not stand beside another one."""
    others = [order for order in context.orders if order.side == request.side and not order.is_opening]
    if context.is_open or not others:
        return
    if request.qty is None or any(order.notional is not None for order in others):
        raise errors.forbidden("unable to open new notional orders while having open closing position orders")


def _check_short(request: OrderRequest, context: OrderContext, qty: Decimal) -> None:
    if context.listing.is_crypto:
        raise errors.insufficient_balance(_coin(context.listing), qty, ZERO)
    if request.is_fractional:
        raise errors.unprocessable("fractional orders cannot be sold short")
    if not context.listing.shortable and context.located < qty:
        raise errors.unprocessable(f'asset "{context.listing.symbol}" cannot be sold short')
    poor = context.numbers.equity < EQUITY_FOR_MARGIN or context.numbers.multiplier < 2
    if poor or context.configuration.no_shorting:
        raise errors.forbidden("account is not allowed to short")


def check_funds(request: OrderRequest, context: OrderContext, intent: Intent, reserve: Decimal) -> None:
    """Refuse orders below the minimum value or above the buying power. Raises ApiError."""
    minimum = _MINIMUM[context.listing.asset_class]
    plain_price = request.limit_price or request.stop_price or _reference(request, context)
    worth = request.notional if request.qty is None else request.qty * plain_price
    assert worth is not None
    exempt = request.side == "sell" and not context.listing.is_crypto and request.qty is not None
    if worth < minimum and not exempt:
        raise errors.forbidden(f"cost basis must be >= minimal amount of order {minimum}")
    if not intent.endswith("open"):
        return
    cost = request.notional if request.qty is None else request.qty * reserve
    assert cost is not None
    numbers = context.numbers
    if context.listing.is_crypto:
        limit, enough = numbers.non_marginable_buying_power, cost <= numbers.non_marginable_buying_power
    else:
        multiplier, available = numbers.multiplier, numbers.available
        if context.is_overnight and multiplier > 2:
            multiplier, available = 2, numbers.regt_available
        rate = margin_rate(context.listing.symbol, reserve, multiplier)
        limit, enough = available * multiplier, cost * rate <= available
    if not enough:
        raise errors.insufficient_buying_power(cents_toward_zero(limit), cost)


def _prices(request: OrderRequest, context: OrderContext, intent: Intent) -> tuple[Decimal | None, Decimal]:
    """The bound on the fill price and the reserve a unit.

    Market orders that open a long, and all buy stops, become limits with a collar of 4 % below 50 USD and 2.5 % from
    there on; crypto market orders of both sides have one of 2 %. An opening short reserves 103 % of the ask.
    """
    limit = request.limit_price
    reference = request.stop_price or _reference(request, context)
    if request.trail_price is not None or request.trail_percent is not None:
        reference = stop_of(request.side, context.last, request.trail_price, request.trail_percent)
    if intent == "sell_to_open":
        return limit, max(limit or ZERO, context.ask * _SHORT_RESERVE)
    if limit is not None:
        return limit, limit
    if context.listing.is_crypto:
        worst = reference * (1 + (_CRYPTO_COLLAR if request.side == "buy" else -_CRYPTO_COLLAR))
        return worst, worst
    if intent != "buy_to_open" and not (request.side == "buy" and request.type in STOPS):
        return None, reference
    return collared(reference), collared(reference)


def collared(price: Decimal) -> Decimal:
    """The price with the collar of a buy on top."""
    return price * (1 + (Decimal("0.04") if price < 50 else Decimal("0.025")))


def stop_of(side: Side, hwm: Decimal, trail_price: Decimal | None, trail_percent: Decimal | None) -> Decimal:
    """The stop price of a trailing stop: the trail away from the best trade, unrounded."""
    trail = trail_price if trail_price is not None else hwm * (trail_percent or ZERO) / 100
    return hwm + trail if side == "buy" else hwm - trail


def _reference(request: OrderRequest, context: OrderContext) -> Decimal:
    """The far side of the quote while trading, else the last trade."""
    if not context.is_open:
        return context.last
    return context.ask if request.side == "buy" else context.bid


def _units(notional: Decimal, price: Decimal) -> Decimal:
    return (notional / price).quantize(SMALLEST, rounding=ROUND_FLOOR)


def _coin(listing: Listing) -> str:
    return listing.symbol.partition("/")[0]
