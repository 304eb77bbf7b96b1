"""A source that goes off is reported once, and once more when it is asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rebalancer.journal import Journal
from rebalancer.ops.source_status import SourceStatus
from rebalancer.session.source_alerts import FAILURES, source_alerts
from tests.signals.vendors import NOW

ON = SourceStatus("xai", "on", "", "", "", None, 3, 3, 3, 0, "", 1, None, "0", None, "2026-11-20T15:35:00Z")
KEY = ON._replace(state="off", kind="key", because="xai answered 401: no", hint="set XAI_API_KEY", failures=1)
QUOTA = ON._replace(state="off", kind="quota", because="used", until="2026-11-21T05:00:00Z", failures=1)
FAILED = ON._replace(state="off", kind="failed", because="no answer", until="2026-11-20T15:36:00Z", failures=1)

ROUNDS = (
    ON, KEY, KEY, ON._replace(state="stopped"), KEY, ON, ON, KEY, QUOTA, QUOTA, ON._replace(state="spent"), FAILED,
    FAILED._replace(failures=FAILURES), FAILED, FAILED._replace(failures=FAILURES + 1), ON,
)  # fmt: skip


def test_each_episode_is_reported_once(tmp_path: Path) -> None:
    said: list[tuple[str, str, str]] = []
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        for row in ROUNDS:
            found: list[Any] = list(source_alerts(journal, "a", [row], has_substitute=True))
            if found:
                journal.record_events("a", None, NOW, found)
            said += [(body["level"], body["code"], body["text"]) for _, _, body in found]
    off = "the source xai is not asked: xai answered 401: no; set XAI_API_KEY"
    again = ("info", "source_on", "the source xai is asked again")
    assert said == [
        ("warning", "source_off", off),
        again,
        ("warning", "source_off", off),
        ("warning", "source_off", "the source xai is not asked, until 2026-11-21T05:00:00Z: used"),
        again,
        ("warning", "source_off", "the source xai is not asked: no answer"),
        again,
    ]


def test_the_model_says_what_is_traded_instead(tmp_path: Path) -> None:
    row = ON._replace(name="model", state="off", kind="missing", because="model: it is not there", hint="train it")
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        found = [list(source_alerts(journal, "a", [row], has_substitute=one)) for one in (True, False)]
    texts = [(body["code"], body["level"], body["text"]) for rows in found for _, _, body in rows]
    assert texts == [
        ("model_off", "warning", "the model is not used, other signals are used: model: it is not there; train it"),
        ("model_off", "warning", "the model is not used, nothing is traded: model: it is not there; train it"),
    ]
