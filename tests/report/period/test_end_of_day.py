"""The end of a day writes its page and removes pages that are too old; failing to do so stops nothing."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from rebalancer.brokers.endpoints import Endpoints
from rebalancer.brokers.factory import Connection
from rebalancer.market_data.trading_calendar import TradingDay
from rebalancer.ops.notify import Notify
from rebalancer.session.end_of_day import is_closed
from rebalancer.session.setup import Setup
from rebalancer.session.stop import Stop
from rebalancer.session.work import SessionWork
from rebalancer.settings.load import load_rules
from tests.rebalance.conftest import BASE
from tests.support.rig import CREDENTIALS, Rig, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")  # pandas_market_calendars says it to pandas 3

FRIDAY = date(2026, 11, 20)
OLD = ("2024/2024-01-02_simulated_day.html", "2024/2024-01-02_simulated_day.json")
YOUNG = "2026/2026-11-02_simulated_day.html"


@pytest.mark.parametrize("broken", [False, True])
def test_old_pages_go_at_the_end_of_the_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state, reports = tmp_path / "state", tmp_path / "reports"
    for name in (*OLD, YOUNG):
        (reports / name).parent.mkdir(parents=True, exist_ok=True)
        (reports / name).write_text("<html></html>")
    with Rig(state) as rig:
        rig.run(BASE, rules())
        process = rig.process()
        setup = Setup(tmp_path, load_rules([], {}), "simulated", state, {})
        work = SessionWork(
            setup, Connection(CREDENTIALS, Endpoints(rig.url)), process.journal, rig.account_id, process.world.broker,
            Stop(), Notify(None), process.clock,
        )  # fmt: skip
        if broken:
            real = os.unlink

            def refuses(path: str, **more: int) -> None:
                if str(path).startswith("2024-"):
                    raise PermissionError(13, "Permission denied")
                real(path, **more)

            monkeypatch.setattr(os, "unlink", refuses)
        work.end_of_day(TradingDay(FRIDAY, None, (), datetime(2026, 11, 20, 21, tzinfo=UTC)), {"HOLDING": 1})
        assert is_closed(process.journal, rig.account_id, FRIDAY)
        said = [e.body["text"] for e in process.journal.recall(rig.account_id, "alert") if e.key == "report"]
    assert [(reports / name).exists() for name in OLD] == [broken, broken]
    assert (reports / YOUNG).exists()
    assert (reports / "2026" / "2026-11-20_simulated_day.html").exists()
    assert said == ([f"{reports}: old pages cannot be removed: Permission denied"] if broken else [])
