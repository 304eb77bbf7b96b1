"""Pages of bars, trades and quotes: the same rows however they are cut, and bars that are their trades put together."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rebalancer.exchange import market_data
from rebalancer.exchange.calendar import MICROS, midnight_new_york
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate import announce_split
from rebalancer.exchange.market import windows
from rebalancer.exchange.market.bars import bars, latest_bar
from rebalancer.exchange.market.frames import DAY, NODE, Frame, frame_of
from rebalancer.exchange.market.halts import Halt, HaltPlan
from rebalancer.exchange.market.paths import NodePath
from rebalancer.exchange.market.prices import Adjustment, Bar, DayBars, Market, Tick, crypto_session, midnight_utc
from rebalancer.exchange.market.ticks import run_ticks
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from tests.exchange.test_exchange_market import MARKET, MOMENTS, NAMES, SESSIONS

STEP = 15 * MICROS
HOUR = 3600 * MICROS
FRAMES = ("1Min", "7Min", "1Hour", "5Hour", "1Day", "1Week", "1Month")


def trades(market: Market, symbol: str, start: int, end: int, now: int) -> list[Tick]:
    listing = market.listings[symbol]
    runs = windows.windows(market, listing, NODE, start, end, now, 10, newest_first=False)
    return [tick for run in runs for tick in run_ticks(market, listing, run, start, end, now)]


def stamp(market: Market, symbol: str, frame: Frame, at: int) -> int:
    """The bar that a trade belongs to; the closing print belongs to the session's last bar."""
    listing = market.listings[symbol]
    session = market.session(listing, at)
    if frame.width:
        at = min(at, session.close - 1)
        midnight = crypto_session(at).open
        return midnight + (at - midnight) // frame.width * frame.width
    first = frame.first_day(session.day)
    return midnight_utc(first) if listing.is_crypto else midnight_new_york(first)


def put_together(at: int, some: list[Tick]) -> Bar:
    prices, volume = [tick.trade for tick in some], sum(tick.trade_size for tick in some)
    value = sum(tick.trade * tick.trade_size for tick in some)
    return Bar(at, prices[0], max(prices), min(prices), prices[-1], volume, len(some), pytest.approx(value / volume))


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    symbol=st.sampled_from(NAMES),
    now=MOMENTS,
    frame=st.sampled_from(FRAMES).map(frame_of),
    halted=st.none() | st.tuples(st.integers(-20_000, 0), st.integers(1, 40_000)),
)
def test_bars_are_their_trades_put_together(
    symbol: str, now: int, frame: Frame, halted: tuple[int, int] | None
) -> None:
    """Open, high, low, close, volume, count and average of every bar, forming ones and those around halts included."""
    market = Market(7, SESSIONS)
    listing = market.listings[symbol]
    if halted is not None:
        begin = now + halted[0] * MICROS
        market.halts = HaltPlan((Halt(symbol, begin, begin + halted[1] * MICROS),))
    days = {"month": 32, "week": 8, "day": 3}.get(frame.unit, 0)
    start = now - (4 * HOUR if days == 0 else (min(days, 2) if listing.is_crypto else days) * 24 * HOUR)
    grouped: dict[int, list[Tick]] = {}
    for tick in trades(market, symbol, start, now, now):
        grouped.setdefault(stamp(market, symbol, frame, tick.at), []).append(tick)
    expected = [put_together(at, some) for at, some in sorted(grouped.items()) if at >= start]
    assert bars(market, listing, frame, start, now, now) == expected
    if expected and frame.unit not in ("week", "month"):
        assert latest_bar(market, listing, frame, now) == expected[-1]


@settings(max_examples=40, deadline=None)
@given(symbol=st.sampled_from(NAMES), at=MOMENTS)
def test_the_last_past_trade_is_the_latest_one(symbol: str, at: int) -> None:
    assert trades(MARKET, symbol, max(at - 120 * HOUR, MARKET.session(MARKET.listings[symbol], at).open), at, at)[
        -1
    ] == MARKET.tick(MARKET.listings[symbol], at)


@settings(max_examples=40, deadline=None)
@given(
    symbol=st.sampled_from(NAMES),
    now=MOMENTS,
    hours=st.integers(0, 30),
    halts=st.lists(st.tuples(st.integers(-90_000, 0), st.integers(1, 40_000)), max_size=2),
)
def test_past_trades_are_those_that_the_stream_sent(
    symbol: str, now: int, hours: int, halts: list[tuple[int, int]]
) -> None:
    """One at every moment at which the latest trade was a new one; none in a halt and none between sessions."""
    market = Market(7, SESSIONS)
    begins = [now + begin * MICROS for begin, _ in halts]
    market.halts = HaltPlan(
        tuple(Halt(symbol, at, at + length * MICROS) for at, (_, length) in zip(begins, halts, strict=True))
    )
    start = now - hours * HOUR
    moments = range(-(-start // STEP) * STEP, now + 1, STEP)
    sent = [tick for at in moments if (tick := market.tick(market.listings[symbol], at)).at == at]
    assert trades(market, symbol, start, now, now) == sent


def collected(exchange: Exchange, kind: str, query: dict[str, str], *, crypto: bool) -> tuple[dict[str, Any], int]:
    """All pages put together, and how many there were."""
    found: dict[str, list[Any]] = {}
    token, count = "", 0
    while True:
        page = market_data.page(exchange, kind, {**query, "page_token": token}, "pairs" if crypto else "stocks")
        rows: Any = page[kind]
        assert sum(len(some) for some in rows.values()) <= int(query["limit"])
        for symbol, some in rows.items():
            found.setdefault(symbol, []).extend(some)
        count += 1
        if page["next_page_token"] is None:
            return found, count
        token = str(page["next_page_token"])


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["bars", "trades", "quotes", "auctions"]),
    symbols=st.lists(st.sampled_from(["AAPL", "KO", "NVR", "ZZZZ", "BTC/USD"]), min_size=1, unique=True),
    frame=st.sampled_from(FRAMES),
    days=st.integers(0, 9),
    hours=st.integers(0, 30),
    limit=st.integers(1, 700),
)
def test_pages_are_the_whole_cut_in_pieces(
    shared: Exchange, kind: str, symbols: list[str], frame: str, days: int, hours: int, limit: int
) -> None:
    crypto = "BTC/USD" in symbols
    if crypto:
        symbols = [symbol for symbol in symbols if "/" in symbol]
        kind = "trades" if kind == "auctions" else kind
    start = datetime(2026, 11, 10, tzinfo=UTC) + timedelta(days=days)
    end = start + timedelta(hours=hours if kind in ("trades", "quotes") else 24 * hours)
    if kind == "bars" and frame in FRAMES[:2]:
        end = start + timedelta(hours=hours)
    query = {"symbols": ",".join(symbols), "start": start.isoformat(), "end": end.isoformat(), "timeframe": frame}
    whole, _ = collected(shared, kind, {**query, "limit": "10000"}, crypto=crypto)
    rows = sum(len(some) for some in whole.values())
    limit = max(limit, rows // 20)  # not too many pages
    forward, count = collected(shared, kind, {**query, "limit": str(limit)}, crypto=crypto)
    assert (forward, list(forward)) == (whole, sorted(whole))
    assert count == max(-(-rows // limit), 1)
    backward, _ = collected(shared, kind, {**query, "limit": str(limit), "sort": "desc"}, crypto=crypto)
    assert backward == {symbol: some[::-1] for symbol, some in whole.items()}
    for some in whole.values():
        stamps = [row["d" if kind == "auctions" else "t"] for row in some]
        assert stamps == sorted(set(stamps))


@pytest.fixture(scope="module")
def shared() -> Any:
    opened = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0))
    yield opened
    opened.close()


class CountedMarket(Market):
    """Counts the nodes that are computed."""

    nodes = 0

    def paths(self, listing: Any, days: tuple[int, ...], steps: int) -> NodePath:
        self.nodes += len(days) * steps
        return super().paths(listing, days, steps)


@pytest.mark.parametrize("symbol", ["AAPL", "BTC/USD"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize(
    ("frame", "sessions"), [("1Min", 2), ("1Hour", 2), ("1Day", 4), ("1Week", 21), ("12Month", 1000)]
)
def test_one_row_of_many_years_costs_next_to_nothing(
    exchange: Exchange, symbol: str, sort: str, frame: str, sessions: int
) -> None:
    market = CountedMarket(7, exchange.sessions)
    exchange.market = market
    query = {"symbols": symbol, "timeframe": frame, "start": "2018-06-01", "sort": sort, "limit": "1"}
    names = "pairs" if "/" in symbol else "stocks"
    (row,) = market_data.page(exchange, "bars", query, names)["bars"][symbol]  # type: ignore[index] # rows
    assert row["t"] < "2019-06-02" if sort == "asc" else row["t"] >= "2025-12"
    assert 0 < market.nodes <= sessions * (5760 if "/" in symbol else 1560)


def test_a_page_ends_before_it_costs_too_much(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    query = {"symbols": "AAPL,KO,MSFT", "timeframe": "1Day", "start": "2025-01-01", "limit": "10000"}
    whole, count = collected(exchange, "bars", query, crypto=False)
    assert count == 1
    monkeypatch.setattr("rebalancer.exchange.market_pages.WORK_MAX", 300_000)
    for sort in ("asc", "desc"):
        some, count = collected(exchange, "bars", {**query, "sort": sort}, crypto=False)
        assert count > 4
        assert some == {symbol: rows if sort == "asc" else rows[::-1] for symbol, rows in whole.items()}


def test_a_plain_date_as_end_means_all_of_that_day(exchange: Exchange) -> None:
    query = {"symbols": "AAPL", "timeframe": "1Hour", "start": "2026-11-19", "end": "2026-11-19", "limit": "100"}
    (rows,) = collected(exchange, "bars", query, crypto=False)[0].values()
    assert [row["t"][:13] for row in rows] == [f"2026-11-19T{hour}" for hour in range(14, 21)]
    for kind in ("trades", "quotes"):
        (rows,) = collected(exchange, kind, {**query, "limit": "10000"}, crypto=False)[0].values()
        assert (rows[0]["t"], rows[-1]["t"], len(rows)) == ("2026-11-19T14:30:00Z", "2026-11-19T21:00:00Z", 1561)
    (auctions,) = collected(exchange, "auctions", query, crypto=False)[0].values()
    assert [one["d"] for one in auctions] == ["2026-11-19"]
    assert (auctions[0]["o"][0]["p"], auctions[0]["c"][0]["p"]) == (rows_price(exchange, 0), rows_price(exchange, -1))


def rows_price(exchange: Exchange, place: int) -> float:
    query = {"symbols": "AAPL", "start": "2026-11-19", "end": "2026-11-19", "limit": "10000"}
    price: float = collected(exchange, "trades", query, crypto=False)[0]["AAPL"][place]["p"]
    return price


def test_weeks_around_a_split_are_in_units_of_today(exchange: Exchange) -> None:
    announce_split(exchange, "KO", date(2026, 11, 25), 2, 1)
    exchange.clock.advance(14 * 24 * 3600)
    query = {"symbols": "KO", "start": "2026-11-23", "end": "2026-11-29", "limit": "100", "adjustment": "split"}
    (days,) = collected(exchange, "bars", {**query, "timeframe": "1Day"}, crypto=False)[0].values()
    ((week,),) = collected(exchange, "bars", {**query, "timeframe": "1Week"}, crypto=False)[0].values()
    assert week["h"] == max(day["h"] for day in days)
    assert week["l"] == min(day["l"] for day in days)
    assert (week["o"], week["c"]) == (days[0]["o"], days[-1]["c"])
    assert week["v"] == sum(day["v"] for day in days)
    assert Decimal("0.8") < Decimal(str(week["l"] / week["h"])) < 1


def test_days_are_remembered_and_forgotten_with_a_split(exchange: Exchange) -> None:
    query = {"symbols": "KO", "timeframe": "1Day", "start": "2026-10-01", "limit": "100"}
    first, again = (collected(exchange, "bars", query, crypto=False) for _ in range(2))
    assert first == again
    announce_split(exchange, "KO", date(2026, 11, 24), 2, 1)
    assert collected(exchange, "bars", query, crypto=False) == first  # prices that were seen do not change
    exchange.clock.advance(5 * 24 * 3600)
    (rows,) = collected(exchange, "bars", query, crypto=False)[0].values()
    assert rows[-2]["c"] < 0.6 * rows[-4]["c"]


def test_days_are_shared_by_markets_that_are_alike_alone() -> None:
    """A market that finds the days of another has the bars that it would compute; a market that differs finds none."""
    listing, start = MARKET.listings["KO"], MARKET.sessions.sessions[-900].open
    now = MARKET.sessions.sessions[-860].open

    def days_of(market: Market) -> list[Bar]:
        return bars(market, listing, DAY, start, now, now)

    alike, alone, other, split = (Market(seed, SESSIONS) for seed in (MARKET.seed, MARKET.seed, 99, MARKET.seed))
    alone._day_bars = DayBars()
    split.adjust({"KO": [Adjustment(MARKET.sessions.days[-880], 0.5, 0.0)]})
    assert days_of(MARKET) == days_of(alike) == days_of(alone)
    assert days_of(other) != days_of(MARKET) != days_of(split)
    assert days_of(alike) == days_of(alone)


def test_the_latest_bar_before_any_trade_of_a_halted_day_is_that_of_the_day_before(exchange: Exchange) -> None:
    listing, at = exchange.market.listings["KO"], exchange.clock.micros()
    session = exchange.sessions.last_opened(at)
    exchange.market.halts = HaltPlan((Halt("KO", session.open - HOUR, at + 2 * MICROS),))
    at += 3 * MICROS  # trading goes on, and the next trade is yet to come
    assert latest_bar(exchange.market, listing, DAY, at).at == midnight_new_york(session.day - 1)
    assert latest_bar(exchange.market, listing, Frame("minute"), at).at < session.open


def test_requests_of_data_do_not_stand_in_each_others_way(exchange: Exchange) -> None:
    """The lock is free between two steps of a long page."""
    query = {"symbols": "BTC/USD", "timeframe": "1Day", "start": "2018-01-01", "limit": "10000"}
    thread = threading.Thread(target=market_data.page, args=(exchange, "bars", query, "pairs"))
    waits, pause = 0, threading.Event()
    thread.start()
    while thread.is_alive():
        with exchange.lock:
            waits += 1
        pause.wait(0.001)
    assert waits > 5
