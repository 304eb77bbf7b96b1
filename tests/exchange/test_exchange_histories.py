"""Random histories: the short ones always, 100 000 events in the campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exchange.histories import History, check_laws


@pytest.mark.parametrize(("seed", "multiplier"), [(1, 1), (2, 2), (3, 4)])
def test_a_random_history_keeps_the_laws(tmp_path: Path, seed: int, multiplier: int) -> None:
    history = History(tmp_path / "state.db", seed, multiplier)
    history.run(700, check_every=350)
    assert history.happened["refused 403"] > 20
    assert len([name for name in history.happened if name.startswith("accepted")]) > 12
    history.exchange.close()


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_events_keep_the_laws(tmp_path: Path) -> None:
    history = History(tmp_path / "state.db", 11, 2)
    history.run(100_000, check_every=10_000)
    check_laws(history.exchange)
    history.exchange.close()
