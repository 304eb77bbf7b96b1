"""Rigs for the tests of whole cycles. A settled account is laid out once and copied, which takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.rig import Rig, rules

BASE = {"AAPL": 1.0, "KO": 1.0, "V": 1.0}  # what a settled account holds, about 10 000 USD each
NEXT = {"AAPL": 0.4, "KO": 0.3, "V": 1.0, "MSFT": 1.0, "JNJ": 1.0, "XOM": 1.0}  # two reductions, three increases

MakeRig = Callable[..., Rig]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The exchange builds its calendar with pandas_market_calendars, which still says dt.weekday to pandas 3."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:Series.dt.weekday"))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="session")
def settled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An account after its first cycle: three holdings, a journal, a day sheet; all processes ended."""
    folder = tmp_path_factory.mktemp("settled") / "state"
    rig = Rig(folder)
    first = rig.run(BASE | dict.fromkeys(("MSFT", "JNJ", "XOM"), 0.0), rules())
    assert [o.symbol for o in first.orders] == ["AAPL", "KO", "V"]
    rig.end()
    rig.exchange.stop()
    return folder


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    """Makes rigs with fresh accounts in folders of their own."""
    made: list[Rig] = []

    def make(**options: Any) -> Rig:
        made.append(Rig(tmp_path / f"rig{len(made)}", **options))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def settled(make_rig: MakeRig, settled_folder: Path) -> MakeRig:
    """Makes rigs with an account that holds BASE."""
    return lambda **options: make_rig(template=settled_folder, **options)
