"""The border of the numeric core: facts as columns of integers, in the units of `core.columns`.

Quantities keep as many decimals as they have, up to twelve, and prices at least six. What is finer is rounded to the
safe side: what is held and free toward zero, a worst case away from it, prices up. `OutOfRange` is raised for what
would leave 63 bits, where compiled integers wrap: capital above 4e12 USD, a price above 2e6 USD a share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from math import isinf
from typing import Final, NamedTuple

from rebalancer.core.facts import Instrument, Signal, Snapshot
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, Side
from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, Names, Numbers, SignalRows
from rebalancer.planning.core.size import gross_limit
from rebalancer.planning.groups import Groups, group
from rebalancer.planning.lot_sizes import closing_lot, trade_lot
from rebalancer.planning.numbers import MICROS, money_down, money_up, numbers_of, rate
from rebalancer.planning.overnight_ramp import overnight_gross_limit
from rebalancer.planning.pricing import above_value, order_price, reserve_per_share
from rebalancer.planning.reconcile import ReconciledBook
from rebalancer.planning.regime_factors import regime_factors
from rebalancer.planning.short_selling import may_be_shorted
from rebalancer.planning.trading_cost import trading_cost
from rebalancer.planning.validate_signals import Prices
from rebalancer.planning.volatility import volatility_of

MICRO_DECIMALS: Final = 6
DECIMALS_MOST: Final = 12  # of a quantity
PRICE_DECIMALS: Final = (6, 9, 12)
PRICE_MOST: Final = 2_000_000_000_000
MONEY_MOST: Final = Decimal(codes.UNLIMITED).scaleb(-MICRO_DECIMALS)  # USD
DIVISOR_DECIMALS_MOST: Final = 12
DEAR_COIN: Final = Decimal(10_000)  # USD; a coin priced above this gets `crypto_floor`


class OutOfRange(ValueError):
    """A quantity, a price or an amount of money that the numeric core cannot hold."""


class Columns(NamedTuple):
    """All that the core decides from. `at`: the row of each symbol. `decimals`: of each name's quantities;
    `price_decimals`: of its prices. `is_known`: whether the name's volatility is known, or assumed."""

    symbols: tuple[str, ...]
    at: Mapping[str, int]
    names: Names
    signals: SignalRows
    limits: list[int]
    numbers: Numbers
    funds: Funds
    groups: Groups
    decimals: tuple[int, ...]
    price_decimals: tuple[int, ...]
    is_known: tuple[bool, ...]

    def shares(self, i: int, units: int) -> Decimal:
        """A signed number of base units as shares, exactly."""
        decimals = self.decimals[i]
        while decimals > 0 and units % 10 == 0:
            units, decimals = units // 10, decimals - 1
        return Decimal(units).scaleb(-decimals)

    def units(self, i: int, shares: Decimal, rounding: str = ROUND_DOWN) -> int:
        """A signed number of shares in base units."""
        return int(shares.scaleb(self.decimals[i]).to_integral_value(rounding))

    def grains(self, i: int, price: Decimal) -> int:
        """A price, USD per share, in the grains of the name, rounded up."""
        return int(price.scaleb(self.price_decimals[i]).to_integral_value(ROUND_CEILING))


class _Scale(NamedTuple):
    """How a name's quantities and prices become whole numbers. `divisor`: quantity x price / divisor is money in
    micro-dollars."""

    quantity: int
    price: int
    divisor: int

    def units(self, shares: Decimal) -> int:
        """A signed quantity, rounded toward zero."""
        return int(shares.scaleb(self.quantity)) if self.quantity else int(shares)

    def units_up(self, shares: Decimal) -> int:
        """A signed quantity, rounded away from zero."""
        exact = shares.scaleb(self.quantity)
        found = int(exact)
        return found if found == exact else found + (1 if exact > 0 else -1)

    def grains(self, price: Decimal) -> int:
        """A price, rounded up."""
        exact = price.scaleb(self.price)
        found = int(exact)
        return found if found == exact else found + 1


def to_columns(
    snapshot: Snapshot,
    book: ReconciledBook,
    prices: Prices,
    signals: Mapping[str, tuple[Signal, ...]],
    cooling: Set[str],
    capital: Decimal,
    rules: Rules,
    *,
    denies: bool,
    leaves: bool,
    gross: float | None = None,
) -> Columns:
    """The columns of a snapshot, the names in symbol order.

    signals: the valid ones by symbol, newest first. cooling: the symbols in their cool-off. denies: whether increases
    are not allowed. leaves: whether every position is being closed. gross: the limit on all names together, where it is
    known already; a fraction of capital. Raises OutOfRange.
    """
    instruments = {i.symbol: i for i in snapshot.instruments}
    symbols = tuple(sorted({*signals, *book.held, *book.worst_case}))
    regime, numbers = regime_factors(snapshot.regime, rules.regime), numbers_of(rules, prices.venue)
    confidence_rate, gross_rate = regime.rates
    funds = Funds(
        capital=money_down(capital),
        buying_power=_money(snapshot.account.buying_power),
        cash=_money(snapshot.account.cash),
        orders_left=rules.risk_management.max_orders_per_day - snapshot.day.orders_sent,
        denies=int(denies),
        leaves=int(leaves),
        confidence_rate=confidence_rate,
        gross_rate=gross_rate,
    )
    rows_of_signals, first = _signal_rows(symbols, signals, rules)
    if gross is None:
        gross = overnight_gross_limit(snapshot.as_of, snapshot.session, rules)
        if regime.gross != 1:
            gross = gross_limit(rows_of_signals, first, rate(gross), numbers, funds) / codes.RATE
    groups = group(symbols, instruments, gross, rules)
    if not 1 <= funds.capital <= codes.UNLIMITED:
        raise OutOfRange(f"a capital of {capital} USD is not between 0.000001 and 4,000,000,000,000 USD")
    above = above_value(snapshot.open_orders, book.worst_case, prices.value)
    rows: list[tuple[int, ...]] = []
    scales: list[_Scale] = []
    volatility: list[float] = []
    known: list[bool] = []
    for i, symbol in enumerate(symbols):
        instrument = instruments.get(symbol)
        is_tradable = symbol not in book.frozen and (
            symbol in signals or (instrument is not None and instrument.tradable and symbol in prices.usable)
        )
        scale = _scale(symbol, instrument, book, prices, funds.capital, rules)
        measured = None if instrument is None else volatility_of(instrument, prices.usable.get(symbol), rules)
        volatility.append(measured or rules.risk_management.assumed_volatility)
        known.append(measured is not None)
        scales.append(scale)
        rows.append(
            (
                *_facts(symbol, instrument, is_tradable, scale, snapshot, book, prices, signals.get(symbol, ()), rules),
                int(symbol in cooling),
                groups.sector[i],
                groups.cluster[i],
                money_up(above[symbol]) if symbol in above else 0,
            )
        )
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(len(_ORDER))]
    by_name = dict(zip(_ORDER, columns, strict=True))
    return Columns(
        symbols=symbols,
        at={symbol: i for i, symbol in enumerate(symbols)},
        names=Names(
            first=first,
            volatility=volatility,
            trading_cost=[trading_cost(snapshot.trading_costs, symbol, prices.venue) for symbol in symbols],
            **by_name,
        ),
        signals=rows_of_signals,
        limits=[codes.NO_LIMIT if isinf(limit) else rate(limit) for limit in groups.limits],
        numbers=numbers,
        funds=funds,
        groups=groups,
        decimals=tuple(scale.quantity for scale in scales),
        price_decimals=tuple(scale.price for scale in scales),
        is_known=tuple(known),
    )


_ORDER: Final = (
    "tradable", "may_short", "coin", "is_selected", "stop_below", "stop_above", "price", "paid_buy", "paid_sell",
    "reserve_buy", "reserve_sell", "divisor", "lot_long", "lot_short", "closing_lot", "held", "pending", "worst",
    "available", "sent", "most_reduce", "most_increase", "is_cooling", "sector", "cluster", "above",
)  # fmt: skip


def _facts(
    symbol: str,
    instrument: Instrument | None,
    is_tradable: bool,
    scale: _Scale,
    snapshot: Snapshot,
    book: ReconciledBook,
    prices: Prices,
    signals: Sequence[Signal],
    rules: Rules,
) -> tuple[int, ...]:
    """The facts about one name in the order of `_ORDER`, up to `most_increase`."""
    held, worst = scale.units(book.held.get(symbol, ZERO)), scale.units_up(book.worst_case.get(symbol, ZERO))
    price = prices.usable.get(symbol) if is_tradable else prices.value.get(symbol)
    value = scale.grains(price or ZERO)
    may_short = 0 if instrument is None or not may_be_shorted(instrument, snapshot.account, rules) else 1
    if instrument is None or not is_tradable or price is None:
        return (
            0, may_short, 0, 1, 0, 0, value, 0, 0, 0, 0, scale.divisor, 1, 1, 1, held, 0, worst, 0, 0, 0, 0,
        )  # fmt: skip
    coin = 0
    if instrument.asset_class == "crypto":
        coin = codes.DEAR_COIN if price > DEAR_COIN else codes.COIN
    selection = rules.selection
    selected = 0 if selection.only and symbol not in selection.only else -1 if symbol in selection.exclude else 1
    below = above = 0
    if any(s.stop_price is not None for s in signals):
        stops = [s.stop_price for s in signals if s.stop_price is not None]
        below = next((max(min(scale.grains(stop), value - 1), 1) for stop in stops if stop < price), 0)
        above = next((max(scale.grains(stop), value + 1) for stop in stops if stop > price), 0)
    paid_buy = paid_sell = value
    if rules.execution.order_type == "limit":
        paid_buy, paid_sell = (scale.grains(order_price(side, instrument, prices, rules)) for side in _SIDES)
    reserve_buy, reserve_sell = (scale.grains(reserve_per_share(side, instrument, prices, rules)) for side in _SIDES)
    long, short = (_lot(scale, symbol, trade_lot(instrument, rules, is_long=is_long)) for is_long in (True, False))
    closing = closing_lot(instrument, is_long=True)
    most = selection.at_most.get(symbol, {}) if selection.at_most else {}
    return (
        1, may_short, coin, selected, below, above, value, paid_buy, paid_sell, reserve_buy, reserve_sell,
        scale.divisor, long, short, 0 if closing is None else _lot(scale, symbol, closing), held,
        scale.units(book.pending[symbol]) if symbol in book.pending else 0, worst,
        abs(scale.units(book.available[symbol])) if symbol in book.available else 0,
        snapshot.day.orders_sent_by_symbol.get(symbol, 0),
        scale.units(most.get("reduce", ZERO)), scale.units(most.get("increase", ZERO)),
    )  # fmt: skip


_SIDES: Final[tuple[Side, Side]] = ("buy", "sell")


def _lot(scale: _Scale, symbol: str, lot: Decimal) -> int:
    """A lot in base units; where those are coarser, one of them."""
    units = lot.scaleb(scale.quantity)
    found = int(units)
    if found != units and units > 1:
        raise OutOfRange(f"{symbol}: lots of {lot} shares have more decimals than a quantity can have here")
    return max(found, 1)


def _scale(
    symbol: str, instrument: Instrument | None, book: ReconciledBook, prices: Prices, capital: int, rules: Rules
) -> _Scale:
    """The decimals that hold a name's quantities and prices exactly, or as many as fit."""
    quantities = [q for each in _QUANTITIES if (q := getattr(book, each).get(symbol)) is not None]
    if instrument is not None:
        quantities.append(trade_lot(instrument, rules, is_long=True))
    price = prices.usable.get(symbol) or prices.value.get(symbol, ZERO)
    grains = next((d for d in PRICE_DECIMALS if _is_whole(price, d)), PRICE_DECIMALS[-1])
    while grains > MICRO_DECIMALS and price.scaleb(grains) > PRICE_MOST:
        grains -= 3
    if price.scaleb(grains) > PRICE_MOST:
        raise OutOfRange(f"{symbol}: a price of {price} USD is above 2,000,000 USD a share")
    units = 0
    for quantity in quantities:
        while units < DECIMALS_MOST and not _is_whole(quantity, units):
            units = 6 if units == 0 else units + 3
    largest = max(map(abs, quantities), default=ZERO)
    if largest * price > MONEY_MOST:
        raise OutOfRange(f"{symbol}: {largest} shares at {price} USD are more than can be counted")
    while units > 0 and _is_too_fine(units, grains, price, capital, largest):
        units -= 3
    if _is_too_fine(units, grains, price, capital, largest):
        raise OutOfRange(f"{symbol}: {largest} shares at {price} USD are more than can be counted")
    return _Scale(units, grains, _POWERS[units + grains - MICRO_DECIMALS])


_QUANTITIES: Final = ("held", "worst_case", "pending", "available")
_POWERS: Final = tuple(10**n for n in range(DIVISOR_DECIMALS_MOST + 1))


def _is_whole(number: Decimal, decimals: int) -> bool:
    """Whether a number has no more than this many decimals."""
    scaled = number.scaleb(decimals)
    return int(scaled) == scaled


def _is_too_fine(units: int, grains: int, price: Decimal, capital: int, largest: Decimal) -> bool:
    """Whether with these decimals the divisor, a position or what all capital could buy would be too large a number."""
    if units + grains - MICRO_DECIMALS > DIVISOR_DECIMALS_MOST:
        return True
    if largest.scaleb(units) > codes.UNLIMITED:
        return True
    return price > 0 and capital * 10**units > codes.UNLIMITED * (price * MICROS)


def _money(usd: Decimal) -> int:
    """What may be spent, in micro-dollars; more than can be counted counts as that much."""
    return max(min(money_down(usd), codes.UNLIMITED), -codes.UNLIMITED)


def _signal_rows(
    symbols: Sequence[str], signals: Mapping[str, tuple[Signal, ...]], rules: Rules
) -> tuple[SignalRows, list[int]]:
    """The signals as rows, and the first row of every name."""
    found = SignalRows([], [], [], [], [], [])
    first, weights = [0], rules.signals.weights
    for symbol in symbols:
        for signal in signals.get(symbol, ()):
            found.is_target.append(int(signal.target is not None))
            found.target.append(float(signal.target or 0))
            found.score.append(signal.score)
            found.confidence.append(signal.confidence)
            found.weight.append(weights.get(signal.source, 1.0))
            found.hold.append(int(signal.hold))
        first.append(len(found.score))
    return found, first
