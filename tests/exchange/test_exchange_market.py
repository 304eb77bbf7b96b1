"""The simulated market: deterministic, and consistent between quotes, trades and bars of every width."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.exchange.calendar import MICROS, SessionTable, build_sessions, micros_of
from rebalancer.exchange.market.bars import bars, latest_bar
from rebalancer.exchange.market.frames import DAY, Frame, frame_of
from rebalancer.exchange.market.frames import MINUTE as MINUTES
from rebalancer.exchange.market.listing import listings
from rebalancer.exchange.market.noise import draws, normals, stream_key
from rebalancer.exchange.market.prices import DAY_MICROS, Market

SESSIONS = SessionTable(build_sessions())
MARKET = Market(7, SESSIONS)
MINUTE = 60 * MICROS
NAMES = [symbol for symbol, row in listings().items() if row.tradable]
MOMENTS = st.integers(micros_of(datetime(2024, 1, 3, tzinfo=UTC)), micros_of(datetime(2027, 6, 1, tzinfo=UTC)))
GOLDEN = {
    ("AAPL", "2024-03-08T16:00:00"): ("580.46", "580.53"),
    ("AAPL", "2026-11-20T15:05:00"): ("271.86", "271.9"),
    ("AAPL", "2027-01-04T20:59:59"): ("298.41", "298.45"),
    ("XOM", "2024-03-08T16:00:00"): ("142.66", "142.69"),
    ("XOM", "2026-11-20T15:05:00"): ("117.82", "117.84"),
    ("XOM", "2027-01-04T20:59:59"): ("117.49", "117.52"),
    ("BTC/USD", "2024-03-08T16:00:00"): ("10209.05", "10212.12"),
    ("BTC/USD", "2026-11-20T15:05:00"): ("87134.18", "87160.34"),
    ("BTC/USD", "2027-01-04T20:59:59"): ("125475.54", "125513.2"),
}
PRINT = """
from datetime import UTC, datetime, timedelta
from rebalancer.exchange.calendar import SessionTable, build_sessions, micros_of
from rebalancer.exchange.market.prices import Market
market = Market(7, SessionTable(build_sessions()))
start = datetime(2025, 3, 3, 15, tzinfo=UTC)
for step in range(8):
    at = micros_of(start + timedelta(days=35 * step, minutes=55 * step))
    print(*(f"{s} {market.tick(market.listings[s], at)}" for s in sorted(market.listings)[::3]))
"""


def _at(text: str) -> int:
    return micros_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_prices_of_known_moments_never_change() -> None:
    """Golden values: a changed price generator is a changed market for everybody who recorded a run."""
    quotes = {
        (symbol, at): MARKET.quote(symbol, _at(at))
        for symbol in ("AAPL", "XOM", "BTC/USD")
        for at in ("2024-03-08T16:00:00", "2026-11-20T15:05:00", "2027-01-04T20:59:59")
    }
    assert {key: tuple(map(str, pair)) for key, pair in quotes.items()} == GOLDEN


def test_a_fresh_process_sees_the_same_prices() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PRINT],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") == 8


def test_another_seed_is_another_market() -> None:
    at = _at("2026-11-20T15:05:00")
    other = Market(8, SESSIONS)
    assert len([s for s in NAMES if other.quote(s, at) == MARKET.quote(s, at)]) <= 1  # a cheap name may coincide


@given(first=st.integers(0, 5000), count=st.integers(1, 9), row=st.integers(0, 8))
def test_any_row_of_a_stream_can_be_drawn_alone(first: int, count: int, row: int) -> None:
    key = stream_key(1, "x")
    row %= count
    assert np.array_equal(draws(key, first, count, 8)[row], draws(key, first + row, 1, 8)[0])


def test_draws_are_nearly_normal() -> None:
    values = normals(draws(stream_key(3, "y"), 0, 1000, 400)).ravel()
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.01


@settings(max_examples=60, deadline=None)
@given(symbol=st.sampled_from(NAMES), at=MOMENTS)
def test_prices_do_not_depend_on_what_was_asked_before(symbol: str, at: int) -> None:
    assert Market(7, SESSIONS).tick(MARKET.listings[symbol], at) == MARKET.tick(MARKET.listings[symbol], at)


@settings(max_examples=150, deadline=None)
@given(symbol=st.sampled_from(NAMES), at=MOMENTS)
def test_quotes_are_uncrossed_fresh_and_agree_with_the_bars(symbol: str, at: int) -> None:
    listing = MARKET.listings[symbol]
    tick = MARKET.tick(listing, at)
    assert 0 < tick.bid < tick.ask
    assert tick.bid <= tick.trade <= tick.ask
    assert tick.at <= at
    if listing.is_crypto or SESSIONS.current(at):
        assert at - tick.at < 15 * MICROS
    limit = max(listing.spread_bp * 1e-4 * tick.trade + 2, 1)
    assert tick.ask - tick.bid <= limit
    for width in (MINUTES, Frame("minute", 5), Frame("hour"), DAY):
        bar = latest_bar(MARKET, listing, width, at)
        assert bar.close == tick.trade
        assert bar.low <= tick.trade <= bar.high


@settings(max_examples=100, deadline=None)
@given(symbol=st.sampled_from(NAMES), at=MOMENTS, width=st.sampled_from(["1Min", "7Min", "1Hour", "23Hour", "1Day"]))
def test_the_latest_bar_is_the_last_of_its_session(symbol: str, at: int, width: str) -> None:
    listing, frame = MARKET.listings[symbol], frame_of(width)
    assert frame is not None
    session = MARKET.session(listing, at)
    inside = bars(MARKET, listing, frame, session.open - session.open % DAY_MICROS, session.close, at)
    assert latest_bar(MARKET, listing, frame, at) == inside[-1]


@settings(max_examples=40, deadline=None)
@given(symbol=st.sampled_from(NAMES), at=MOMENTS, wide=st.sampled_from(["5Min", "1Hour", "1Day"]))
def test_wide_bars_are_the_minute_bars_put_together(symbol: str, at: int, wide: str) -> None:
    listing = MARKET.listings[symbol]
    session = MARKET.session(listing, at)
    frame = frame_of(wide)
    assert frame is not None
    minutes = bars(MARKET, listing, MINUTES, session.open, session.close, at)
    whole = bars(MARKET, listing, frame, session.open - 24 * 60 * MINUTE, session.close, at)
    whole = [
        bar for bar in whole if bar.at >= session.open or (frame == DAY and bar.at > session.open - 16 * 60 * MINUTE)
    ]
    if frame.width and not listing.is_crypto:  # the first hour bar is stamped 14:00 and begins with the session
        whole = bars(MARKET, listing, frame, session.open - frame.width + 1, session.close, at)
    groups = {
        bar.at: [m for m in minutes if frame == DAY or m.at // frame.width * frame.width == bar.at] for bar in whole
    }
    assert sum(len(group) for group in groups.values()) == len(minutes)
    for bar in whole:
        group = groups[bar.at]
        together = (group[0].open, max(m.high for m in group), min(m.low for m in group), group[-1].close)
        assert (bar.open, bar.high, bar.low, bar.close) == together
        assert bar.volume == sum(m.volume for m in group)
        assert bar.low <= bar.vwap <= bar.high


def test_many_days_at_once_equal_each_day_alone() -> None:
    listing = MARKET.listings["CAT"]
    start, end = _at("2025-10-01T00:00:00"), _at("2026-02-01T00:00:00")
    together = bars(MARKET, listing, DAY, start, end, end)
    alone = [
        bar
        for session in SESSIONS.between(datetime(2025, 10, 1).toordinal(), datetime(2026, 1, 31).toordinal())
        for bar in bars(MARKET, listing, DAY, session.open - 12 * 60 * MINUTE, session.close, end)
    ]
    assert together == alone
    assert len(together) == 84


@settings(max_examples=80, deadline=None)
@given(
    symbol=st.sampled_from(NAMES),
    at=MOMENTS,
    side=st.sampled_from(["buy", "sell"]),
    off=st.integers(-80, 80),
    tenths=st.integers(0, 9),
)
def test_a_limit_is_reached_exactly_when_a_quote_is_marketable(
    symbol: str, at: int, side: str, off: int, tenths: int
) -> None:
    listing = MARKET.listings[symbol]
    session = MARKET.session(listing, at)
    since, until = session.open + 7, min(session.open + 40 * MINUTE, session.close)
    tick = MARKET.tick(listing, since)
    limit = (Decimal(tick.trade + off * tick.trade // 20000) + Decimal(tenths) / 10) / 100
    moments = [since, *range(session.open + 15 * MICROS, until, 15 * MICROS)]

    def marketable(moment: int) -> bool:
        bid, ask = MARKET.quote(symbol, moment)
        return ask <= limit if side == "buy" else bid >= limit

    expected = next((moment for moment in moments if marketable(moment)), None)
    assert MARKET.next_reached(symbol, side, limit, since, until) == expected  # type: ignore[arg-type] # drawn from the two sides


def test_names_of_one_sector_move_together_and_volatility_is_as_listed() -> None:
    start, end = _at("2023-11-20T00:00:00"), _at("2026-11-20T00:00:00")

    def returns(symbol: str) -> np.ndarray:
        closes = np.asarray([b.close for b in bars(MARKET, MARKET.listings[symbol], DAY, start, end, end)], dtype=float)
        return closes[1:] / closes[:-1] - 1

    chevron, exxon, apple, spy = (returns(s) for s in ("CVX", "XOM", "AAPL", "SPY"))
    assert len(apple) > 750
    assert np.corrcoef(chevron, exxon)[0, 1] > 0.5 > np.corrcoef(chevron, apple)[0, 1] > 0.05
    assert np.corrcoef(apple, spy)[0, 1] > 0.5
    assert apple.std() * 252**0.5 == pytest.approx(0.27, rel=0.2)


def test_minute_moves_are_larger_near_open_and_close() -> None:
    listing = MARKET.listings["MSFT"]
    moves = np.zeros(390)
    for session in SESSIONS.between(datetime(2026, 9, 1).toordinal(), datetime(2026, 11, 19).toordinal()):
        rows = bars(MARKET, listing, MINUTES, session.open, session.close, session.close)
        moves += [abs(b.close - b.open) / b.open for b in rows]
    assert moves[:60].mean() > 1.3 * moves[165:225].mean()
    assert moves[-60:].mean() > 1.3 * moves[165:225].mean()


def test_frames() -> None:
    found = {
        "1Min": ("minute", 1), "59T": ("minute", 59), "1Hour": ("hour", 1), "23H": ("hour", 23), "1Day": ("day", 1),
        "1D": ("day", 1), "1Week": ("week", 1), "1W": ("week", 1), "1Month": ("month", 1), "12M": ("month", 12),
    }  # fmt: skip
    assert {text: frame_of(text) for text in found} == found
    wrong = (
        "0Min",
        "60Min",
        "24Hour",
        "2Day",
        "2Week",
        "5Month",
        "13Month",
        "",
        "Min",
        "1min",
        "1Year",
        "-1Min",
        "1 Min",
    )
    assert [frame_of(text) for text in wrong] == [None] * len(wrong)


def test_listings_have_sectors_and_sane_factors() -> None:
    rows = listings().values()
    assert len({row.sector for row in rows if not row.is_crypto and not row.sector.endswith(" Fund")}) == 11
    assert all(row.market_weight**2 + row.sector_weight**2 < 1 for row in rows)
