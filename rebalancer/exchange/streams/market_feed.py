"""What has newly become known about prices: every quote and trade of the market, minute bars when they are complete.

The cursor moves with simulated time, not with the wall: however seldom one asks, the same messages come, in the same
order. Only after a long step of the clock are the oldest left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from rebalancer.core.values import utc_of
from rebalancer.exchange.calendar import MICROS, moment_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.market.bars import bars, latest_bar
from rebalancer.exchange.market.frames import DAY, MINUTE
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.paths import STEP
from rebalancer.exchange.market_data import quote_row, trade_row
from rebalancer.exchange.market_rows import bar_row, book_row

Message = dict[str, Any]
Prices = Literal["stocks", "crypto", "news"]
CHANNELS: Final[dict[Prices, tuple[str, ...]]] = {
    "stocks": (
        "trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances", "corrections",
        "cancelErrors",
    ),
    "crypto": ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"),
    "news": ("news",),
}  # fmt: skip
"""What can be subscribed to, by kind of stream. Nothing ever comes on updatedBars, lulds, imbalances, corrections,
cancelErrors and news."""
EVERYTHING: Final = "*"
_MINUTE: Final = 60 * MICROS
_NODES_MAX: Final = 6000  # a day of 15-second steps
_HALT: Final = {"sc": "H", "sm": "Trading Halt", "rc": "LUDP", "rm": "Volatility Trading Pause", "z": "C"}
_RESUMPTION: Final = {"sc": "T", "sm": "Trading Resumption", "rc": "", "rm": "", "z": "C"}


class MarketFeed:
    """One listener's subscriptions and how far it has heard."""

    def __init__(self, exchange: Exchange, kind: Prices) -> None:
        self._exchange = exchange
        listings = exchange.market.listings.items() if kind != "news" else ()
        self._listed = {s: one for s, one in listings if one.is_crypto == (kind == "crypto") and one.tradable}
        self._wanted: dict[str, list[str]] = {channel: [] for channel in CHANNELS[kind]}
        self._booked: set[str] = set()  # symbols whose order book has been sent
        with exchange.reading() as at:
            self._at = at
            self._halted = set(exchange.market.halts.halted(at))

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels of this stream."""
        return tuple(self._wanted)

    def subscribe(self, channel: str, symbols: list[str]) -> None:
        """Add symbols, known or not; `*` stands for all."""
        self._wanted[channel] = list(dict.fromkeys([*self._wanted[channel], *symbols]))

    def unsubscribe(self, channel: str, symbols: list[str]) -> None:
        """Remove symbols."""
        self._wanted[channel] = [symbol for symbol in self._wanted[channel] if symbol not in symbols]

    def subscriptions(self) -> Message:
        """The message that confirms what is subscribed to."""
        return {"T": "subscription", **self._wanted}

    def news(self) -> list[Message]:
        """Messages since the last call, in the order of their time."""
        exchange = self._exchange
        if not any(self._wanted.values()):
            with exchange.reading() as self._at:
                self._halted = set(exchange.market.halts.halted(self._at))
            return []
        with exchange.reading() as at:
            found = [(self._at, message) for message in (*self._statuses(at), *self._books(at))]
            if at > self._at:
                for listing in self._asked("trades", "quotes", "orderbooks"):
                    found += self._ticks(listing, at)
                for listing in self._asked("bars", "dailyBars"):
                    found += self._bars(listing, at)
            self._at = max(self._at, at)
        return [message for _, message in sorted(found, key=lambda one: one[0])]

    def _ticks(self, listing: Listing, now: int) -> Iterator[tuple[int, Message]]:
        """Trade and quote of every node in (cursor, now]."""
        market, symbol = self._exchange.market, listing.symbol
        at = max(self._at // STEP + 1, now // STEP - _NODES_MAX) * STEP
        while at <= now:
            tick = market.tick(listing, at)
            if tick.at < at:  # a halt, or no session: go on where prices do
                resumed = market.halts.resumes(symbol, at) or market.sessions.next_open(at).open
                at = -(-resumed // STEP) * STEP
                continue
            if self._wants("trades", symbol):
                yield at, _message("t", symbol, trade_row(self._exchange, listing, at))
            if self._wants("quotes", symbol):
                yield at, _message("q", symbol, quote_row(self._exchange, listing, at))
            if self._wants("orderbooks", symbol):
                yield at, _message("o", symbol, {**book_row(tick), "r": True})
            at += STEP

    def _books(self, at: int) -> Iterator[Message]:
        """The order book of every symbol that has newly been subscribed to. Each book is whole, never a difference."""
        asked = {listing.symbol: listing for listing in self._asked("orderbooks")}
        for symbol in sorted(asked.keys() - self._booked):
            yield _message("o", symbol, {**book_row(self._exchange.market.tick(asked[symbol], at)), "r": True})
        self._booked = set(asked)

    def _bars(self, listing: Listing, now: int) -> Iterator[tuple[int, Message]]:
        """Minute bars whose minute ended in (cursor, now], each followed by the day's bar so far."""
        market, symbol = self._exchange.market, listing.symbol
        first = (self._at - _MINUTE) // _MINUTE * _MINUTE + 1
        for bar in bars(market, listing, MINUTE, first, now - _MINUTE, now)[-_NODES_MAX:]:
            end = bar.at + _MINUTE
            if self._wants("bars", symbol):
                yield end, _message("b", symbol, bar_row(listing, bar))
            if self._wants("dailyBars", symbol):
                yield end, _message("d", symbol, bar_row(listing, latest_bar(market, listing, DAY, end - 1)))

    def _statuses(self, at: int) -> Iterator[Message]:
        halted = set(self._exchange.market.halts.halted(at))
        for symbol in sorted(halted ^ self._halted):
            if self._wants("statuses", symbol):
                words = _HALT if symbol in halted else _RESUMPTION
                yield {"T": "s", "S": symbol, **words, "t": moment_of(at)}
        self._halted = halted

    def _wants(self, channel: str, symbol: str) -> bool:
        wanted = self._wanted.get(channel, ())
        return symbol in wanted or EVERYTHING in wanted

    def _asked(self, *channels: str) -> list[Listing]:
        return [one for symbol, one in self._listed.items() if any(self._wants(name, symbol) for name in channels)]


def _message(kind: str, symbol: str, row: Message) -> Message:
    return {"T": kind, "S": symbol, **row, "t": utc_of(str(row["t"]))}
