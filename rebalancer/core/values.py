"""Numbers, times and symbols: conversion between text and exact values, and rounding.

Floats are for estimates only: every quantity and price that can reach a broker is a `Decimal` rounded here, by a
function named for its direction. External interfaces exchange numbers as strings, never as floats. All datetimes are
aware UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Final, Literal

Side = Literal["buy", "sell"]

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
FRACTIONAL_LOT: Final = Decimal("0.000001")  # one millionth of a share; Alpaca takes up to nine decimals
SYMBOL_LENGTH_MAX: Final = 24
EQUITY_LETTERS_MAX: Final = 5  # US tickers have at most five letters, not counting a share class after a dot
_EQUITY: Final = re.compile(r"[A-Z][A-Z0-9]{0,11}(?:\.[A-Z]{1,3})?")
_PAIR: Final = re.compile(r"([A-Z0-9]{2,10})[/-](USD|USDC|USDT|BTC)")
_CRYPTO_JOINED: Final = re.compile(r"([A-Z0-9]{2,10}?)(USDC|USDT|USD|BTC)")
_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)")
_STAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z")


def decimal_of(text: str | int | Decimal) -> Decimal:
    """Parse a finite decimal. Raises ValueError for NaN, infinity, floats and anything that is not a number."""
    if isinstance(text, (bool, float)):
        raise ValueError(f"{text!r} is not exact: write it as a string")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not finite")
    return value


def text_of(value: Decimal) -> str:
    """Write a decimal without exponent or trailing zeros, as Alpaca does ("150", not "1.5E+2" nor "150.00")."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def shares_toward_zero(shares: Decimal, lot: Decimal) -> Decimal:
    """Round a signed number of shares toward zero to whole multiples of `lot`; never larger in magnitude."""
    lots = (shares / lot).to_integral_value(rounding=ROUND_DOWN)
    return lots * lot


def shares_away_from_zero(shares: Decimal, lot: Decimal) -> Decimal:
    """Round a signed number of shares away from zero to whole multiples of `lot`; never smaller in magnitude."""
    rounding = ROUND_CEILING if shares > 0 else ROUND_FLOOR
    return (shares / lot).to_integral_value(rounding=rounding) * lot


def cents_toward_zero(money: Decimal) -> Decimal:
    """Round US dollars toward zero to whole cents."""
    return money.quantize(CENT, rounding=ROUND_DOWN)


def price_to_tick_for(side: Side, price: Decimal, tick: Decimal) -> Decimal:
    """Round a limit price to the tick on the passive side: down for a buy, up for a sell. USD per share."""
    rounding = ROUND_FLOOR if side == "buy" else ROUND_CEILING
    return (price / tick).to_integral_value(rounding=rounding) * tick


def decimal_near(value: float) -> Decimal:
    """The shortest decimal that reads back as this float. Raises ValueError when it is not finite."""
    return decimal_of(repr(float(value)))


def utc_of(text: str) -> datetime:
    """Parse an RFC 3339 timestamp to aware UTC, truncated to microseconds. Raises ValueError without an offset."""
    if _STAMP.fullmatch(text) is not None:  # as the journal and brokers write it; Python reads that without our help
        return datetime.fromisoformat(text)
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time with an offset, such as 2026-11-20T15:35:00Z")
    day, clock, fraction, offset = match.groups()
    micros = f".{(fraction or '.0')[1:7]:0<6}"
    if len(clock) == 5:
        clock += ":00"
    offset = "+00:00" if offset in "Zz" else offset
    return datetime.fromisoformat(f"{day}T{clock}{micros}{offset}").astimezone(UTC)


def utc(moment: datetime) -> datetime:
    """Convert an aware datetime to UTC. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)


def time_text(moment: datetime) -> str:
    """Write an aware datetime as RFC 3339 with a Z, with microseconds only when there are any."""
    return utc(moment).isoformat().replace("+00:00", "Z")


def symbol_of(text: str, *, crypto: bool = False) -> str:
    """The canonical form of a symbol: `AAPL`, `BRK.B`, `BTC/USD`.

    `BTC-USD` and `BTC/USD` are always read as crypto pairs; the joined form is if it is longer than an equity ticker
    can be (`BTCUSD`: more than five letters), or else only with `crypto=True`. Share classes may be written `BRK.B`,
    `BRK/B` or `BRK-B`. Raises ValueError for anything else: a symbol is never guessed from a similar one.
    """
    name = text.strip()
    if len(name) > SYMBOL_LENGTH_MAX or not name.isascii():
        raise ValueError(f"{name[:40]!r} is not a symbol")
    name = name.upper()
    pair = _PAIR.fullmatch(name)
    if pair is not None:
        return f"{pair[1]}/{pair[2]}"
    if crypto or len(name) > EQUITY_LETTERS_MAX:
        joined = _CRYPTO_JOINED.fullmatch(name)
        if joined is not None:
            return f"{joined[1]}/{joined[2]}"
    name = re.sub(r"(?<=[A-Z0-9])[/-](?=[A-Z]{1,3}$)", ".", name)
    if _EQUITY.fullmatch(name) is None:
        raise ValueError(f"{text.strip()[:40]!r} is not a symbol")
    return name
