"""What the broker reported for one phase, and how the pre-trade check values it: with its own prices and its own
collars.

Nothing here is guessed: a number that is not finite and positive is treated as missing, and then nothing is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.brokers.protocol import BrokerOrder, ReadBroker
from rebalancer.core.facts import OpenOrder, Position, Quote, Session, Snapshot, coins
from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Quotes, Rules
from rebalancer.core.values import ZERO

# What the broker lets a market order pay at most (Alpaca, market order collars): 4 % above the ask below 50 USD and for
# shorts, 2.5 % from there on, 2 % for coins.
CHEAP: Final = Decimal(50)
COLLAR_CHEAP: Final = Decimal("1.04")
COLLAR_DEAR: Final = Decimal("1.025")
COLLAR_COIN: Final = Decimal("1.02")
FUTURE_MOST: Final = timedelta(seconds=5)  # the broker's clock is known to a second only


class Readings(NamedTuple):
    """One reading of the account. Positions are signed shares; `entry` is the entry price of each, USD; `coins` are the
    symbols of crypto."""

    cycle_id: str
    session: Session
    equity: Decimal
    positions: Mapping[str, Decimal]
    entry: Mapping[str, Decimal]
    open_orders: tuple[OpenOrder, ...]
    quotes: Mapping[str, Quote]
    coins: Set[str] = frozenset()


def readings_of(snapshot: Snapshot) -> Readings:
    """The readings that a cycle has already made, so that checking its orders needs no further call."""
    return _readings(
        snapshot.cycle_id,
        snapshot.session,
        snapshot.account.equity,
        snapshot.positions,
        snapshot.open_orders,
        snapshot.quotes,
        coins(snapshot.instruments),
    )


def read(broker: ReadBroker, cycle_id: str, symbols: Sequence[str]) -> Readings:
    """Read the broker for orders outside a cycle: five calls. Raises what these calls raise."""
    clock, asset_class = broker.clock(), broker.venue.asset_class
    account, positions = broker.account(), broker.positions()
    wanted = sorted({*symbols, *(p.symbol for p in positions)})
    working = tuple(_open_order(o) for o in broker.orders(None) if not o.state.is_final)
    quotes = broker.quotes(wanted) if wanted else ()
    pairs = frozenset(name for name in {*wanted, *(o.symbol for o in working)} if asset_class(name) == "crypto")
    return _readings(cycle_id, clock.session, account.equity, positions, working, quotes, pairs)


def is_good(number: object) -> bool:
    """A finite decimal above zero: the only kind of price, quantity or limit that lets an order pass."""
    return isinstance(number, Decimal) and number.is_finite() and number > 0


def within(value: object, limit: object) -> bool:
    """True only if both are finite and value <= limit. NaN, infinity and anything that is not a decimal gives False."""
    if not (isinstance(value, Decimal) and isinstance(limit, Decimal)):
        return False
    return value.is_finite() and limit.is_finite() and value <= limit


def quote_fault(quote: Quote | None, now: datetime, rules: Quotes) -> str | None:
    """Why this quote is not usable for opening a position; None when it is."""
    if quote is None:
        return "there is no quote"
    if not (is_good(quote.bid) and is_good(quote.ask)):
        return "the quote has no usable bid and ask"
    assert quote.bid is not None
    assert quote.ask is not None
    if not within(quote.bid, quote.ask):
        return f"the quote is crossed: bid {quote.bid}, ask {quote.ask}"
    if not _is_narrow(quote.bid, quote.ask, rules):
        return f"bid {quote.bid} and ask {quote.ask} are too far apart; quotes.max_spread is {rules.max_spread:.1%}"
    age = now - quote.at
    if not -FUTURE_MOST <= age <= timedelta(seconds=rules.max_age_seconds):
        return f"the quote is {age.total_seconds():,.0f} s old; quotes.max_age_seconds is {rules.max_age_seconds:g}"
    return None


def middle(quote: Quote | None, rules: Quotes) -> Decimal | None:
    """The mid price, USD; None when there is none, or when bid and ask are too far apart."""
    if quote is None or not (is_good(quote.bid) and is_good(quote.ask)):
        return None
    assert quote.bid is not None
    assert quote.ask is not None
    return (quote.bid + quote.ask) / 2 if _is_narrow(quote.bid, quote.ask, rules) else None


def _is_narrow(bid: Decimal, ask: Decimal, rules: Quotes) -> bool:
    return within((ask - bid) * 2, Decimal(str(rules.max_spread)) * (ask + bid))


def worth(readings: Readings, symbol: str, rules: Quotes) -> Decimal | None:
    """The value of one share, USD: the mid price, else the last trade, else the entry price; None when none is
    known."""
    quote = readings.quotes.get(symbol)
    known = (middle(quote, rules), quote.last if quote is not None else None, readings.entry.get(symbol))
    return next((price for price in known if is_good(price)), None)


def collared(readings: Readings, symbol: str, rules: Quotes) -> Decimal | None:
    """The most that one share still to be bought (or sold short) can cost, USD; None when unknown."""
    quote = readings.quotes.get(symbol)
    ask = quote.ask if quote is not None and middle(quote, rules) is not None else worth(readings, symbol, rules)
    if ask is None:
        return None
    if symbol in readings.coins:
        return ask * COLLAR_COIN
    return ask * (COLLAR_CHEAP if ask < CHEAP else COLLAR_DEAR)


def leeway(rules: Rules) -> Decimal:
    """How far collared prices may lie above the mid prices at which a plan fills its caps: an order planned exactly at
    a cap must pass. Half the widest acceptable spread, times the widest collar or limit offset."""
    half_spread = Decimal(str(rules.quotes.max_spread)) / 2
    offset = Decimal(str(rules.execution.limit_offset_bps)) / 10_000 if rules.execution.order_type == "limit" else ZERO
    return (1 + half_spread) * max(COLLAR_CHEAP, 1 + offset)


def _readings(
    cycle_id: str,
    session: Session,
    equity: Decimal,
    positions: Sequence[Position],
    open_orders: Sequence[OpenOrder],
    quotes: Sequence[Quote],
    pairs: frozenset[str],
) -> Readings:
    held: dict[str, Decimal] = {}
    for position in positions:
        held[position.symbol] = held.get(position.symbol, ZERO) + position.qty
    return Readings(
        cycle_id,
        session,
        equity,
        held,
        {p.symbol: p.avg_entry_price for p in positions},
        tuple(open_orders),
        {q.symbol: q for q in quotes},
        pairs,
    )


def _open_order(order: BrokerOrder) -> OpenOrder:
    """A working order as a fact. A notional order has no quantity yet: NaN, which blocks every other order except
    reductions."""
    qty = order.qty if order.qty is not None else Decimal("NaN")
    unknown = order.state is OrderState.UNKNOWN
    return OpenOrder(
        order.client_order_id, order.symbol, order.side, qty, order.filled_qty, order.type, False, order.limit_price,
        unknown,
    )  # fmt: skip
