"""Counts and quantities with their unit."""

from __future__ import annotations

import pytest

from rebalancer.core.units import amount_of, in_units, quantity_of, quantity_title


@pytest.mark.parametrize(
    ("words", "symbol", "shown"),
    [
        ("0.11 of 0.126638489 shares now, the rest later", "BTC/USD", "0.11 of 0.126638489 BTC now, the rest later"),
        ("20 of 38 shares now, the rest later", "MSFT", "20 of 38 shares now, the rest later"),
        ("1 of 1 shares filled at 187.15", "MSFT", "1 of 1 share filled at 187.15"),
        ("11 shares to buy", "MSFT", "11 shares to buy"),
        ("holds the target of 1 shares", "ETH/USD", "holds the target of 1 ETH"),
        ("other orders hold all of its shares", "BTC/USD", "other orders hold all of its shares"),
    ],
)  # fmt: skip
def test_reasons_are_told_in_the_unit_of_their_symbol(words: str, symbol: str, shown: str) -> None:
    assert in_units(words, symbol) == shown


def test_a_count_and_a_quantity_have_their_unit() -> None:
    assert [amount_of(count, "signal") for count in (0, 1, 1200)] == ["0 signals", "1 signal", "1,200 signals"]
    assert [quantity_of(text, "AAPL") for text in ("1", "0.5", "88")] == ["1 share", "0.5 shares", "88 shares"]
    assert quantity_of("0.5", "BTC/USD") == "0.5 BTC"
    assert [quantity_title(names) for names in ([], ["AAPL"], ["AAPL", "BTC/USD"])] == ["shares", "shares", "quantity"]
