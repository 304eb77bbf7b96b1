"""One journal for many accounts, and posts before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from rebalancer.journal import Journal
from tests.execution.pretrade.hands import Post

MakePost = Callable[..., Post]
_NUMBER = count(1)


@pytest.fixture(scope="session")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal.open(tmp_path_factory.mktemp("gate") / "journal.sqlite") as kept:
        yield kept


@pytest.fixture
def make_post(journal: Journal, tmp_path: Path) -> MakePost:
    """A post of an account of its own."""

    def make(**options: Any) -> Post:
        return Post(tmp_path, journal, f"account-{next(_NUMBER)}", **options)

    return make


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
