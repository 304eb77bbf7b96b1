"""Counts and quantities with their unit, as people read them: "1 signal", "3 orders", "88 shares", "0.5 BTC"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_SHARES: Final = re.compile(r"(?<![\d.,])([\d.,]*\d) shares\b")


def amount_of(count: int, one: str, many: str = "") -> str:
    """A count with its noun: "1 order", "3 orders"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def coin_of(symbol: str) -> str:
    """What a pair such as BTC/USD is counted in, "BTC"; "" for shares."""
    base, slash, _ = symbol.partition("/")
    return base if slash else ""


def quantity_of(quantity: str, symbol: str) -> str:
    """A quantity, already written, with its unit: "0.5 BTC", "1 share", "88 shares"."""
    return f"{quantity} {coin_of(symbol) or ('share' if quantity.lstrip('+-−') == '1' else 'shares')}"


def quantity_title(symbols: Iterable[str]) -> str:
    """The heading of a column of quantities: "shares", or "quantity" when a coin is among them."""
    return "quantity" if any(map(coin_of, symbols)) else "shares"


def in_units(words: str, symbol: str) -> str:
    """Reasons about one symbol, whose quantities the planner calls shares, with the unit of the symbol. For people
    alone: stored plans keep the planner's words."""
    return _SHARES.sub(lambda found: quantity_of(found[1], symbol), words)
