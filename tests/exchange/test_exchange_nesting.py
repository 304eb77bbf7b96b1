"""One request inside another is a mistake of ours: it is refused aloud, undone, and blocks nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.positions import list_positions
from tests.exchange.helpers import held, send


@pytest.mark.parametrize(
    "inner", [lambda e: e.account(), list_positions, lambda e: e.catch_up(), lambda e: e.configure({}), send]
)
def test_a_call_inside_a_request_is_refused_and_undoes_it(
    exchange: Exchange, inner: Callable[[Exchange], object]
) -> None:
    before = exchange.books.cash

    def nested() -> None:
        with exchange.request() as at:
            exchange.books.fund(at, before, "never")
            inner(exchange)

    with pytest.raises(RuntimeError, match="inside request"):
        nested()
    assert exchange.books.cash == before
    held(exchange)
    assert [row["qty"] for row in list_positions(exchange)] == ["10"]


def test_reading_inside_reading_is_harmless(exchange: Exchange) -> None:
    with exchange.reading() as at:
        assert exchange.account()["cash"] == "100000"
        assert exchange.caught_up == at
