"""A journal is of one mode for good."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.journal.records import CycleStart
from rebalancer.session.ownership import owned
from rebalancer.session.setup import Setup
from rebalancer.settings.load import LoadedRules

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)


def test_a_journal_of_another_mode_is_refused(tmp_path: Path) -> None:
    def setup(mode: str) -> Setup:
        return Setup(tmp_path, LoadedRules(Rules(), {}, ()), mode, tmp_path, {})

    with Journal.open(tmp_path / "journal.sqlite") as journal:
        for cycle, mode in (("2026-11-20T15:00Z", "paper"), ("2026-11-20T15:05Z", "dry_run")):
            assert journal.begin_cycle(CycleStart("a", cycle, mode, NOW, "1", "0" * 64))
        with owned(setup("paper"), journal, "a"):
            pass
        refused = pytest.raises(BadDocument, match="is a journal of paper trading, and this is live")
        with refused, owned(setup("live"), journal, "a"):
            pass


def test_the_record_outlives_any_number_of_dry_runs_and_older_journals_get_one(tmp_path: Path) -> None:
    def setup(mode: str) -> Setup:
        return Setup(tmp_path, LoadedRules(Rules(), {}, ()), mode, tmp_path, {})

    with Journal.open(tmp_path / "journal.sqlite") as journal:
        assert journal.begin_cycle(CycleStart("a", "2026-11-19T15:00Z", "paper", NOW, "1", "0" * 64))
        for number in range(201):
            assert journal.begin_cycle(CycleStart("a", f"dry-{number}", "dry_run", NOW, "1", "0" * 64))
        refused = pytest.raises(BadDocument, match="is a journal of paper trading, and this is live")
        with refused, owned(setup("live"), journal, "a"):
            pass
        for _ in range(2):
            with owned(setup("paper"), journal, "a"):
                pass
        assert [event.body for event in journal.recall("a", "mode")] == [{"mode": "paper"}]
        with owned(setup("paper"), journal, "b"):
            pass
        assert [event.body for event in journal.recall("b", "mode")] == [{"mode": "paper"}]
