"""Read assets, quotes and daily bars from Alpaca's JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from rebalancer.brokers.alpaca.fields import (
    UnreadableField,
    flag,
    maybe_moment,
    maybe_number,
    moment,
    number,
    rows,
    table,
    words,
)
from rebalancer.brokers.protocol import DayBar, PriceBar
from rebalancer.core.facts import Instrument, Quote
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import CENT, symbol_of
from rebalancer.core.venue_rules import AssetClass

_ONE: Final = Decimal(1)


def read_instruments(body: Any, kind: AssetClass) -> list[Instrument]:
    """All active assets of one class. A row that cannot be parsed is left out, and its asset cannot be traded.

    Raises UnreadableField when there are rows and none of them can be parsed.
    """
    found: dict[str, Instrument] = {}
    listed = rows(body, "assets")
    for row in listed:
        if row.get("class") != kind or row.get("status") != "active":
            continue
        try:
            instrument = _equity(row) if kind == "us_equity" else _pair(row)
        except ValueError:  # UnreadableField, or a symbol in a form that we do not trade
            continue
        known = found.get(instrument.symbol)
        if known is None or (instrument.tradable and not known.tradable):
            found[instrument.symbol] = instrument
    if listed and not found:
        raise UnreadableField(f"not one of {len(listed)} rows is an active asset of class {kind}")
    return list(found.values())


def read_quote(name: str, body: Any) -> Quote | None:
    """One symbol's snapshot; a missing, null or zero side is None. None when it has no price with a timestamp."""
    snapshot = table(body, name) if body is not None else {}
    quote, trade = _part(snapshot, "latestQuote"), _part(snapshot, "latestTrade")
    bid, ask, last = _price(quote, "bp"), _price(quote, "ap"), _price(trade, "p")
    quoted_at = maybe_moment(quote, "t") if bid is not None or ask is not None else None
    traded_at = maybe_moment(trade, "t") if last is not None else None
    if quoted_at is None:
        bid = ask = None
    if traded_at is None:
        last = None
    times = [at for at in (quoted_at, traded_at) if at is not None]
    return Quote(name, bid, ask, last, max(times)) if times else None


def read_bars(body: Any, kind: AssetClass) -> tuple[dict[str, dict[date, DayBar]], str | None]:
    """One page of daily bars by symbol and day, and the token of the next page.

    Stock days are stamped midnight New York, crypto days midnight UTC.
    """
    page = table(body, "bars")
    found: dict[str, dict[date, DayBar]] = {}
    for name, bars in table(page.get("bars") or {}, "bars").items():
        found[name] = {_day(moment(bar, "t"), kind): _bar(bar) for bar in rows(bars or [], f"bars of {name}")}
    return found, words(page, "next_page_token") or None


def read_price_bars(body: Any) -> tuple[dict[str, list[PriceBar]], str | None]:
    """One page of bars by symbol, and the token of the next page. Raises UnreadableField for a bar without a time, four
    prices above 0 and a volume, and for a low above its high."""
    page = table(body, "bars")
    found: dict[str, list[PriceBar]] = {}
    for name, bars in table(page.get("bars") or {}, "bars").items():
        where = f"bars of {name:.20}"
        listed = rows(bars or [], where)
        try:
            found[name] = []
            for bar in listed:
                found[name].append(_price_bar(bar))
        except UnreadableField as error:
            raise UnreadableField(f"{where}[{len(found[name])}]: {error}") from None
    return found, words(page, "next_page_token") or None


def _price_bar(bar: Mapping[str, Any]) -> PriceBar:
    begins, volume = moment(bar, "t"), float(number(bar, "v"))
    prices = {key: float(number(bar, key)) for key in "ohlc"}
    wrong = next((key for key, price in prices.items() if not 0 < price < math.inf), None)
    if wrong is not None:
        raise UnreadableField(f"{wrong} is {prices[wrong]:g}, not a price above 0")
    if not 0 <= volume < math.inf:
        raise UnreadableField(f"v is {volume:g}")
    if prices["l"] > prices["h"]:
        raise UnreadableField(f"the low {prices['l']:g} is above the high {prices['h']:g}")
    return PriceBar(begins, prices["o"], prices["h"], prices["l"], prices["c"], volume, _number(bar, "vw"))


def _equity(row: Mapping[str, Any]) -> Instrument:
    # Hard-to-borrow shares can only be sold short after a paid locate, which this program does not buy.
    borrow = words(row, "borrow_status")
    easy = borrow == "easy_to_borrow" if borrow else flag(row, "easy_to_borrow", default=True)
    return Instrument(
        symbol=symbol_of(words(row, "symbol")),
        asset_class="us_equity",
        tradable=flag(row, "tradable"),
        fractionable=flag(row, "fractionable", default=False),
        shortable=flag(row, "shortable", default=False) and easy,
        lot=_ONE,
        tick=CENT,
    )


def _pair(row: Mapping[str, Any]) -> Instrument:
    lot, tick = maybe_number(row, "min_trade_increment"), maybe_number(row, "price_increment")
    if lot is None or tick is None or lot <= 0 or tick <= 0:
        raise UnreadableField("a pair without increments cannot be rounded")
    return Instrument(
        symbol=symbol_of(words(row, "symbol"), crypto=True),
        asset_class="crypto",
        tradable=flag(row, "tradable"),
        fractionable=flag(row, "fractionable", default=False),
        shortable=False,
        lot=lot,
        tick=tick,
    )


def _part(snapshot: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = snapshot.get(key)
    return part if isinstance(part, dict) else {}


def _price(part: Mapping[str, Any], key: str) -> Decimal | None:
    price = maybe_number(part, key)
    return price if price is not None and price > 0 else None


def _day(at: datetime, kind: AssetClass) -> date:
    return day_in_new_york(at) if kind == "us_equity" else at.date()


def _bar(bar: Mapping[str, Any]) -> DayBar:
    return DayBar(_number(bar, "c"), _number(bar, "h"), _number(bar, "l"))


def _number(bar: Mapping[str, Any], key: str) -> float:
    found = _price(bar, key)
    price = math.nan if found is None else float(found)
    return price if math.isfinite(price) else math.nan  # too large for a float: treated as missing
