"""One session, played once, for all its judgements; and an exchange whose time stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.conformance.routes import calls_of
from tests.conformance.schema_check import Answer
from tests.conformance.session import STILL, play


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    patch.setenv("no_proxy", "127.0.0.1")
    yield
    patch.undo()


@pytest.fixture(scope="session")
def played() -> tuple[list[Answer], set[str]]:
    """All answers of the scripted session, and the routes of the exchange that gave them."""
    with start_exchange(STILL) as running:
        return play(running), calls_of(running)


@pytest.fixture(scope="module")
def still() -> Iterator[RunningExchange]:
    """Whatever changes here was changed by a request."""
    with start_exchange(STILL) as server:
        yield server
