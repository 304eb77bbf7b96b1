"""The market as the exchange sees it: the quote and trade of a moment, closes, and when a limit is next reached.

All answers are pure functions of (seed, symbol, time). The caches below only save work.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from threading import Lock
from typing import Final, NamedTuple

import numpy as np

from rebalancer.core.values import ZERO, Side
from rebalancer.exchange.calendar import MICROS, SessionTable, TradingSession, midnight_new_york, new_york_day
from rebalancer.exchange.market.daily import CRYPTO_DAY, DailyPath, daily_path
from rebalancer.exchange.market.halts import HaltPlan
from rebalancer.exchange.market.listing import Listing, listings
from rebalancer.exchange.market.paths import CRYPTO_NODES, STEP, Factors, NodePath, Ticks, node_path

DAY_MICROS: Final = CRYPTO_DAY * MICROS
_EPOCH_DAY: Final = 719_163  # 1970-01-01
_UNIT: Final = Decimal("0.000001")
_DAYS_KEPT: Final = 3  # of every name: about 45 MB when all are asked for
_DAILY_KEPT: Final = 100  # about 15 MB; a name's is needed once for each of its days
_DAYS_KEPT_MIN: Final = 200  # about 10 MB
_SO_FAR_KEPT: Final = 400  # about 20 MB
_DAY_BARS_KEPT: Final = 80_000  # about 24 MB: all names for a year


class Tick(NamedTuple):
    """Prices in cents and the moment they were made, with the sizes on both sides."""

    at: int
    bid: int
    ask: int
    trade: int
    bid_size: int
    ask_size: int
    trade_size: int


class Bar(NamedTuple):
    """Prices in cents, volume in shares (millionths of a coin for crypto), `vwap` in cents, unrounded."""

    at: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int
    vwap: float


class Adjustment(NamedTuple):
    """What a corporate action does to prices from its ex-date on: old shares a new one, and dollars a share."""

    ex_day: int
    factor: float
    dividend: float


class SoFar(NamedTuple):
    """A session as its day bar grows: at each node the highest and lowest trade until then, the shares, and the sum of
    trades times shares."""

    high: Ticks
    low: Ticks
    amount: Ticks
    value: Ticks

    def at(self, node: int) -> tuple[int, int, int, int]:
        """High, low, shares and value of the first nodes up to this one."""
        return int(self.high[node]), int(self.low[node]), int(self.amount[node]), int(self.value[node])


class DayBars:
    """Bars of whole days. Thread-safe: all simulated markets of a process share one, since a bar is a pure function of
    its key (seed, sessions, listing, adjustments, session)."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Bar] = OrderedDict()

    def find(self, key: Hashable) -> Bar | None:
        """A bar that was computed before, or None."""
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: Hashable, bar: Bar) -> None:
        """Remember a bar; the oldest makes room."""
        with self._lock:
            self._kept[key] = bar
            if len(self._kept) > _DAY_BARS_KEPT:
                self._kept.popitem(last=False)


_SIMULATED_BARS: Final = DayBars()


class Market:
    """Simulated prices of every listing. Not locked: callers hold the exchange's lock."""

    def __init__(self, seed: int, sessions: SessionTable, listed: dict[str, Listing] | None = None) -> None:
        self.seed = seed
        self.sessions = sessions
        self.factors = Factors(seed)
        self.listings = listings() if listed is None else listed
        self.halts = HaltPlan()
        self.adjustments: dict[str, list[Adjustment]] = {}
        self._joined = {s.replace("/", ""): s for s, row in self.listings.items() if row.is_crypto}
        self._daily: OrderedDict[str, DailyPath] = OrderedDict()
        self._days: OrderedDict[tuple[str, int], NodePath] = OrderedDict()
        self._so_far: dict[tuple[str, int], SoFar] = {}
        self._days_kept = max(_DAYS_KEPT * len(self.listings), _DAYS_KEPT_MIN)
        self._day_bars = _SIMULATED_BARS
        self._world = (seed, hash(sessions.sessions))

    def find(self, name: str) -> Listing | None:
        """The listing of a symbol; crypto also in the joined form (`BTCUSD`). Case-sensitive, as at Alpaca."""
        return self.listings.get(name) or self.listings.get(self._joined.get(name, ""))

    def daily(self, listing: Listing) -> DailyPath:
        """Opens and closes of all sessions."""
        found = self._daily.get(listing.symbol)
        if found is None:
            found = adjusted(daily_path(self.seed, listing, self.sessions), self.adjustments.get(listing.symbol, []))
            self._daily[listing.symbol] = found
            if len(self._daily) > _DAILY_KEPT:
                self._daily.popitem(last=False)
        return found

    def adjust(self, adjustments: dict[str, list[Adjustment]]) -> None:
        """Take over the schedule of corporate actions; prices before an ex-date stay as they are."""
        for symbol in adjustments.keys() | self.adjustments.keys():
            if adjustments.get(symbol) != self.adjustments.get(symbol):
                self._daily.pop(symbol, None)
                for key in [key for key in self._days if key[0] == symbol]:
                    del self._days[key]
                for key in [key for key in self._so_far if key[0] == symbol]:
                    del self._so_far[key]
        self.adjustments = adjustments

    def session(self, listing: Listing, at: int) -> TradingSession:
        """The session that the latest price of a moment belongs to; for crypto the UTC day."""
        return crypto_session(at) if listing.is_crypto else self.sessions.last_opened(at)

    def path(self, listing: Listing, session: TradingSession) -> NodePath:
        """The nodes of one session: arrays of shape (1, nodes), cached."""
        key = (listing.symbol, session.day)
        found = self._days.get(key)
        if found is None:
            found = self.paths(listing, (session.day,), steps_of(session))
            self._days[key] = found
            if len(self._days) > self._days_kept:
                self._days.popitem(last=False)
        else:
            self._days.move_to_end(key)
        return found

    def so_far(self, listing: Listing, session: TradingSession) -> SoFar:
        """How a session's day bar grows, cached."""
        key = (listing.symbol, session.day)
        found = self._so_far.get(key)
        if found is None:
            trade, volume = (column[0] for column in self.path(listing, session)[2:])
            found = self._so_far[key] = SoFar(
                np.maximum.accumulate(trade), np.minimum.accumulate(trade), np.cumsum(volume), np.cumsum(trade * volume)
            )
            if len(self._so_far) > _SO_FAR_KEPT:
                del self._so_far[next(iter(self._so_far))]
        return found

    def day_bar(self, listing: Listing, session: TradingSession) -> Bar | None:
        """A day's bar that was computed before, or None."""
        return self._day_bars.find(self._bar_key(listing, session))

    def keep_day_bar(self, listing: Listing, session: TradingSession, bar: Bar) -> None:
        """Remember the bar of a session that is over."""
        self._day_bars.keep(self._bar_key(listing, session), bar)

    def _bar_key(self, listing: Listing, session: TradingSession) -> Hashable:
        return self._world, listing, tuple(self.adjustments.get(listing.symbol, ())), session

    def paths(self, listing: Listing, days: tuple[int, ...], steps: int) -> NodePath:
        """The nodes of sorted days with equally many steps: arrays of shape (days, nodes)."""
        return node_path(self.factors, listing, self.daily(listing), days, steps)

    def tick(self, listing: Listing, at: int) -> Tick:
        """Quote and latest trade at a moment; outside sessions those of the last close, in a halt those before it."""
        at = self.halts.priced_at(listing.symbol, at)
        session = self.session(listing, at)
        path = self.path(listing, session)
        node = min((at - session.open) // STEP, path.bid.shape[1] - 1)
        return tick_at(path, 0, node, session.open)

    def quote(self, symbol: str, at: int) -> tuple[Decimal, Decimal]:
        """Bid and ask in USD."""
        tick = self.tick(self.listings[symbol], at)
        return usd(tick.bid), usd(tick.ask)

    def last(self, symbol: str, at: int) -> Decimal:
        """The latest trade in USD."""
        return usd(self.tick(self.listings[symbol], at).trade)

    def lasts(self, symbol: str, moments: Iterable[int]) -> list[Decimal]:
        """The latest trades of many moments in USD; neighbours of one session are found quickly."""
        listing, halts = self.listings[symbol], self.halts.of(symbol)
        found: list[Decimal] = []
        start, until, trades = 0, -1, np.empty(0, dtype=np.int64)
        for at in moments:
            if halts:
                at = self.halts.priced_at(symbol, at)
            if not start <= at < until:
                session = self.session(listing, at)
                trades = self.path(listing, session).trade[0]
                start, until = session.open, session.close
            found.append(usd(int(trades[min((at - start) // STEP, len(trades) - 1)])))
        return found

    def day_start(self, symbol: str, at: int) -> Decimal:
        """The price that today's change is measured from: the latest before midnight in New York, in USD."""
        day = new_york_day(at)
        price = self.last(symbol, midnight_new_york(day))
        for row in self.adjustments.get(symbol, ()):
            if row.ex_day == day and self.sessions.last_opened(at).day == day:  # in the units of today
                price = (price * Decimal(row.factor)).quantize(_UNIT)
        return price

    def next_reached(self, symbol: str, side: Side, limit: Decimal, since: int, until: int) -> int | None:
        """The first moment in [since, until) at which a limit is marketable, or None. The span lies in one session."""
        path, open_at, first, stop = self._nodes(symbol, since, until)
        if side == "buy":
            reached = path.ask[0, first:stop] <= int((limit * 100).to_integral_value(ROUND_FLOOR))
        else:
            reached = path.bid[0, first:stop] >= int((limit * 100).to_integral_value(ROUND_CEILING))
        return _first(reached, open_at, first, since)

    def next_traded(self, symbol: str, side: Side, stop_price: Decimal, since: int, until: int) -> int | None:
        """The first moment in [since, until), within one session, whose latest trade triggers a stop, or None."""
        path, open_at, first, stop = self._nodes(symbol, since, until)
        trade = path.trade[0, first:stop]
        if side == "buy":
            return _first(trade >= int((stop_price * 100).to_integral_value(ROUND_CEILING)), open_at, first, since)
        return _first(trade <= int((stop_price * 100).to_integral_value(ROUND_FLOOR)), open_at, first, since)

    def next_trailed(
        self, symbol: str, side: Side, best: Decimal, trail: tuple[Decimal | None, Decimal | None], since: int,
        until: int,
    ) -> int | None:  # fmt: skip
        """As `next_traded`, for a stop that trails the best trade by dollars or by per cent. Exact, in integers."""
        path, open_at, first, stop = self._nodes(symbol, since, until)
        trade = path.trade[0, first:stop]
        start = int(best * 100)
        dollars, percent = trail
        away = int((dollars or ZERO) * 10**8)
        share = int((percent or ZERO) * 10**4)
        if side == "buy":
            marks = np.minimum.accumulate(np.minimum(trade, start))
            return _first(trade * 10**6 >= marks * (10**6 + share) + away, open_at, first, since)
        marks = np.maximum.accumulate(np.maximum(trade, start))
        return _first(trade * 10**6 <= marks * (10**6 - share) - away, open_at, first, since)

    def best_traded(self, symbol: str, side: Side, since: int, until: int) -> Decimal | None:
        """The lowest (side buy) or highest trade known in [since, until]; None unless `since` lies in a session."""
        if until < since or (not self.listings[symbol].is_crypto and self.sessions.current(since) is None):
            return None
        path, _, first, stop = self._nodes(symbol, since, until + 1)
        trade = path.trade[0, first : max(stop, first + 1)]
        return usd(int(trade.min() if side == "buy" else trade.max()))

    def _nodes(self, symbol: str, since: int, until: int) -> tuple[NodePath, int, int, int]:
        """The nodes of a span's session, its start, and the first and last (exclusive) node of the span."""
        listing = self.listings[symbol]
        session = self.session(listing, since)
        path = self.path(listing, session)
        first = min((since - session.open) // STEP, path.bid.shape[1] - 1)
        return path, session.open, first, min(-((session.open - until) // STEP), path.bid.shape[1])


def tick_at(path: NodePath, row: int, node: int, open_at: int) -> Tick:
    """The quote and the trade of one node; the trade is all that was traded in its 15 seconds."""
    volume = int(path.volume[row, node])
    return Tick(
        open_at + node * STEP,
        int(path.bid[row, node]),
        int(path.ask[row, node]),
        int(path.trade[row, node]),
        1 + volume % 9,
        1 + (volume // 9) % 9,
        volume,
    )


def _first(reached: np.ndarray[tuple[int], np.dtype[np.bool_]], open_at: int, first: int, since: int) -> int | None:
    """The moment of the first node that is true."""
    if not reached.size:
        return None
    node = int(np.argmax(reached))
    return max(since, open_at + (first + node) * STEP) if reached[node] else None


def adjusted(path: DailyPath, adjustments: list[Adjustment]) -> DailyPath:
    """The path with splits and dividends worked into the prices, oldest first."""
    opens, closes, volumes = path.opens.copy(), path.closes.copy(), path.volumes.copy()
    for row in adjustments:
        first = path.row(row.ex_day)
        factor = row.factor * (1.0 - row.dividend / float(closes[first - 1]))
        opens[first:] *= factor
        closes[first:] *= factor
        volumes[first:] *= 1.0 / row.factor
    return path._replace(opens=opens, closes=closes, volumes=volumes)


def crypto_session(at: int) -> TradingSession:
    """The UTC day of a moment as a session of 24 hours."""
    number = at // DAY_MICROS
    return TradingSession(_EPOCH_DAY + number, number * DAY_MICROS, (number + 1) * DAY_MICROS)


def midnight_utc(day: int) -> int:
    """00:00 UTC of a day ordinal."""
    return (day - _EPOCH_DAY) * DAY_MICROS


def steps_of(session: TradingSession) -> int:
    """How many 15-second steps a session has."""
    return min((session.close - session.open) // STEP, CRYPTO_NODES)


def usd(ticks: int) -> Decimal:
    """Cents as dollars."""
    return Decimal(ticks) / 100
