"""One session, played once, for all its judgements."""

from __future__ import annotations

import pytest

from rebalancer.exchange.starter import start_exchange
from tests.conformance.judge import Answer
from tests.conformance.routes import calls_of
from tests.conformance.session import OPTIONS, play


@pytest.fixture(scope="session")
def played() -> tuple[list[Answer], set[str]]:
    """All answers of the scripted session, and the routes of the exchange that gave them."""
    with start_exchange(OPTIONS) as running:
        return play(running), calls_of(running)
