"""What a trading venue prescribes, as data: price increments, price collars, fees, symbol forms, session rules.

A broker states them (`brokers.protocol.ReadBroker.venue`), a snapshot carries them, and planning applies them. So
planning knows no venue, and another broker needs no change in it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.values import ZERO, Side

AssetClass = Literal["us_equity", "crypto"]
TimeInForce = Literal["day", "gtc"]


class VenueRules(NamedTuple):
    """The rules of one venue. Prices are USD per share or coin.

    Stocks are priced in whole `equity_tick` from `equity_tick_from` up, and in `equity_tick_below` under it; an
    instrument's own larger increment counts from there up. Crypto has the increment of its instrument.

    A collar is the most that a market order may pay, as a multiple of the ask; the broker reserves that much buying
    power. A purchase of stocks has `collar_low` below `collar_split_price` and `collar_high` from it up.

    The venue refuses orders worth less than `equity_purchase_min` and `crypto_order_min`, USD; a sale of stocks by
    quantity may be worth less.

    crypto_fee_max: the largest fraction that a fill in crypto can lose to fees, rounding included. pair_separator: what
    stands between the two sides of a crypto pair in this venue's symbols, and in no symbol of a stock.
    crypto_always_open: crypto trades while the session of stocks is closed.
    """

    name: str
    equity_tick: Decimal
    equity_tick_from: Decimal
    equity_tick_below: Decimal
    collar_split_price: Decimal
    collar_low: Decimal
    collar_high: Decimal
    collar_short: Decimal
    collar_crypto: Decimal
    equity_purchase_min: Decimal
    crypto_order_min: Decimal
    crypto_fee_max: Decimal
    pair_separator: str
    equity_time_in_force: TimeInForce
    crypto_time_in_force: TimeInForce
    crypto_always_open: bool

    def tick(self, asset_class: AssetClass, own: Decimal, price: Decimal) -> Decimal:
        """The price increment at a price, USD. own: the instrument's."""
        if asset_class != "us_equity":
            return own
        return max(own, self.equity_tick) if price >= self.equity_tick_from else self.equity_tick_below

    def collar(self, asset_class: AssetClass, ask: Decimal, *, is_long: bool) -> Decimal:
        """The collar of a market order that opens a position, as a multiple of the ask."""
        if asset_class == "crypto":
            return self.collar_crypto
        if not is_long:
            return self.collar_short
        return self.collar_low if ask < self.collar_split_price else self.collar_high

    def order_min(self, asset_class: AssetClass, side: Side) -> Decimal:
        """The least that an order by quantity may be worth, USD."""
        if asset_class == "crypto":
            return self.crypto_order_min
        return self.equity_purchase_min if side == "buy" else ZERO

    def time_in_force(self, asset_class: AssetClass) -> TimeInForce:
        """How long an order of a cycle rests at the venue."""
        return self.crypto_time_in_force if asset_class == "crypto" else self.equity_time_in_force

    def asset_class(self, symbol: str) -> AssetClass:
        """The asset class that this venue's spelling of a symbol stands for. For records that hold a symbol alone; an
        instrument, an order of the broker and a position say their asset class themselves."""
        return "crypto" if self.pair_separator in symbol else "us_equity"


# Alpaca: "Placing Orders", the market order collars, the minimum order values and the crypto fees. Also what
# a snapshot without `venue` was planned with, so these values never change: a venue whose rules change gets a constant
# of its own.
ALPACA: Final = VenueRules(
    name="alpaca",
    equity_tick=Decimal("0.01"),
    equity_tick_from=Decimal(1),
    equity_tick_below=Decimal("0.0001"),
    collar_split_price=Decimal(50),
    collar_low=Decimal("1.04"),
    collar_high=Decimal("1.025"),
    collar_short=Decimal("1.04"),
    collar_crypto=Decimal("1.02"),
    equity_purchase_min=Decimal(1),
    crypto_order_min=Decimal(10),
    crypto_fee_max=Decimal("0.003"),  # 0.25 % and rounding
    pair_separator="/",
    equity_time_in_force="day",
    crypto_time_in_force="gtc",
    crypto_always_open=True,
)
