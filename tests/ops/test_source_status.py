"""What is reported of the sources is only true while somebody asks them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from rebalancer.ops.run_lock import RunLock
from rebalancer.ops.source_status import LOCK_NAME, SourceStatus, SourceStatusFile, current_sources, source_status
from rebalancer.report.sources import source_line

AT = datetime(2026, 11, 20, 15, 34, tzinfo=UTC)
ON = SourceStatus("xai", "on", "", "", "", None, 3, 2, 2, 0, "", 1, None, "0", None, "2026-11-20T15:34:00Z")
OFF = ON._replace(
    name="massive", state="off", kind="key", because="massive answered 401", hint="set MASSIVE_API_KEY", failures=2
)


def test_a_report_is_current_while_its_process_runs(tmp_path: Path) -> None:
    assert current_sources(tmp_path, AT) == ()
    file = SourceStatusFile(tmp_path)
    file.tell(ON)
    file.tell(OFF)
    with RunLock(tmp_path / LOCK_NAME, "sources"):
        assert current_sources(tmp_path, AT + timedelta(minutes=15)) == (OFF, ON)
    assert source_status(tmp_path) == (OFF, ON)


def test_a_process_that_ended_leaves_nothing_that_looks_current(tmp_path: Path) -> None:
    file = SourceStatusFile(tmp_path)
    file.tell(ON)
    file.tell(OFF)
    with RunLock(tmp_path / LOCK_NAME, "sources"):
        pass
    off, on = current_sources(tmp_path, AT + timedelta(seconds=5))
    assert (on.state, on.is_ok, off.kind, off.failures) == ("stopped", False, "", 0)
    assert source_line(on) == (
        "! 2 of 3 names, 1 calls: not asked now: the process that asks the sources does not run; this is of "
        "2026-11-20 15:34 UTC; a session or the unit starts it, or rebalancer sources run"
    )
    assert off.because.endswith("; this is of 2026-11-20 15:34 UTC (massive answered 401)")


def test_a_process_whose_rounds_do_not_end_is_told_from_one_that_works(tmp_path: Path) -> None:
    SourceStatusFile(tmp_path).tell(ON)
    with RunLock(tmp_path / LOCK_NAME, "sources"):
        (late,) = current_sources(tmp_path, AT + timedelta(hours=1))
        assert (late.state, late.because) == ("stopped", "its rounds do not end; this is of 2026-11-20 15:34 UTC")
        SourceStatusFile(tmp_path).tell(ON._replace(at="no time"))
        assert current_sources(tmp_path, AT)[0].state == "stopped"
