"""A mirror that is behind, refused or different is reported once per episode, and once more when it is level again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from rebalancer.core.values import time_text
from rebalancer.journal import Journal
from rebalancer.ops.mirror_status import MirrorStatus, lag_of, read_mirror_status, write_mirror_status
from rebalancer.session.mirror_alerts import mirror_alerts

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
LEVEL = MirrorStatus("postgresql://db/desk (schema s)", time_text(NOON), 40, "h", time_text(NOON))
AWAY = LEVEL._replace(
    level_at=time_text(NOON + timedelta(minutes=12)),
    kind="away",
    problem="the database cannot be reached\n  hint: x",
    problem_since=time_text(NOON),
)
REFUSED = LEVEL._replace(kind="refused", problem="another history")
DIFFERS = LEVEL._replace(difference="the row 7 differs")

LOOKS = (  # minutes after noon, what was reported, the journal's newest row, the alert
    (0, None, 0, None),
    (5, None, 10, None),
    (11, None, 10, ("mirror_behind", "the mirror of the journal has not been reached yet")),
    (12, LEVEL, 40, ("mirror_level", "the mirror of the journal has every row again")),
    (12, LEVEL, 40, None),
    (15, AWAY, 50, None),
    (
        23,
        AWAY,
        51,
        (
            "mirror_behind",
            "the mirror of the journal lacks 11 rows, since 2026-11-20T17:12:00Z: the database cannot be reached",
        ),
    ),
    (30, AWAY, 60, None),
    (31, AWAY, 40, ("mirror_level", "the mirror of the journal has every row again")),
    (32, REFUSED, 60, ("mirror_refused", "the journal is not mirrored: another history")),
    (33, REFUSED, 60, None),
    (34, DIFFERS, 60, ("mirror_refused", "the mirror of the journal differs from it: the row 7 differs")),
    (35, LEVEL, 40, ("mirror_level", "the mirror of the journal has every row again")),
)


def test_each_episode_is_reported_once(tmp_path: Path) -> None:
    said = []
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        for minutes, status, newest, _ in LOOKS:
            now = NOON + timedelta(minutes=minutes)
            rows = list(mirror_alerts(journal, "a", status, newest, begun=NOON, now=now, warn_minutes=10))
            for row in rows:
                journal.record_event("a", None, now, *row)
            said.append((rows[0][2]["code"], rows[0][2]["text"]) if rows else None)
            assert len(rows) < 2
    assert said == [expected for *_, expected in LOOKS]


def test_a_session_that_begins_days_after_the_last_report_waits_as_long_as_any(tmp_path: Path) -> None:
    begun = NOON + timedelta(days=3)
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        found = [
            [row[2]["text"] for row in mirror_alerts(
                journal, "a", LEVEL, 43, begun=begun, now=begun + timedelta(minutes=minutes), warn_minutes=10
            )]
            for minutes in (0, 10, 11)
        ]  # fmt: skip
    assert found == [[], [], ["the mirror of the journal lacks 3 rows, since 2026-11-20T17:00:00Z"]]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert read_mirror_status(tmp_path) is None
    write_mirror_status(tmp_path, AWAY)
    assert read_mirror_status(tmp_path) == AWAY
    (tmp_path / "mirror.json").write_text('{"schema": 1, "strange": 2}')
    assert read_mirror_status(tmp_path) is None
    write_mirror_status(tmp_path / "nowhere", AWAY)
    assert [lag_of(LEVEL, newest).rows for newest in (None, 39, 40, 43)] == [None, 0, 0, 3]
    assert lag_of(LEVEL, 43).seconds(NOON + timedelta(seconds=9)) == 9.0
