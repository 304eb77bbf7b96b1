"""The lines of the log: for a person, as JSON, and with fields for journald."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.cli.options import taken
from rebalancer.core.documents import BadDocument
from rebalancer.ops.logs.context import LogEvent, bound, note
from rebalancer.ops.logs.journald import CUT, LONGEST, datagram
from rebalancer.ops.logs.redact import learn
from rebalancer.ops.logs.setup import Form, form_of, level_of, set_up

LOG = logging.getLogger("rebalancer.tests.lines")
SECRET = "canary-lines-99"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Give the logger back as it was."""
    logger = logging.getLogger("rebalancer")
    handlers, level = logger.handlers[:], logger.level
    logger.handlers[:] = []
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def say_all() -> None:
    """What a cycle says: a plain warning, an event, a line of nobody's interest, and an error with its traceback."""
    learn([SECRET])
    with bound(cycle="2026-11-20T20:55Z", account="0a1b2c3d-9f"):
        LOG.warning("the key is %s", SECRET)
        note(LOG, LogEvent.ORDER_FILLED, "XOM filled", symbol="XOM", order=f"rb-{SECRET}")
        LOG.debug("never shown")
        try:
            raise RuntimeError(SECRET)
        except RuntimeError:
            LOG.exception("two\nlines")
    LOG.info("after")


def test_a_person_reads_level_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logging.INFO, Form.HUMAN)
    say_all()
    assert capsys.readouterr().err == (
        "warning: the key is [secret]\ninfo: XOM filled\nerror: two\nlines\ninfo: after\n"
    )


def test_a_person_who_asks_for_more_sees_fields_and_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logging.INFO, Form.HUMAN, with_context=True)
    say_all()
    said = capsys.readouterr().err
    where = "logger=rebalancer.tests.lines"
    assert said.splitlines()[:2] == [
        f"warning: the key is [secret]  [{where} cycle=2026-11-20T20:55Z account=••••d-9f]",
        f"info: XOM filled  [{where} event=order_filled cycle=2026-11-20T20:55Z symbol=XOM order=rb-[secret] "
        "account=••••d-9f]",
    ]
    assert said.count("RuntimeError: [secret]\n") == 1
    assert said.endswith(f"info: after  [{where}]\n")


def test_usually_only_warnings_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logging.WARNING, Form.HUMAN)
    say_all()
    assert capsys.readouterr().err == "warning: the key is [secret]\nerror: two\nlines\n"


def test_json_has_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logging.INFO, Form.JSON)
    say_all()
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one.pop("at")) for one in found)
    traceback = found[2].pop("traceback")
    assert traceback.startswith("Traceback")
    assert traceback.endswith("RuntimeError: [secret]")
    common = {"logger": "rebalancer.tests.lines", "cycle": "2026-11-20T20:55Z", "account": "••••d-9f"}
    assert found == [
        {"level": "warning", "text": "the key is [secret]", **common},
        {
            "level": "info", "text": "XOM filled", "event": "order_filled", "symbol": "XOM", "order": "rb-[secret]",
            **common,
        },
        {"level": "error", "text": "two\nlines", **common},
        {"level": "info", "text": "after", "logger": "rebalancer.tests.lines"},
    ]  # fmt: skip


def parsed(raw: bytes) -> dict[str, str]:
    """Journald's own reading of a datagram."""
    found = {}
    while raw:
        head, _, rest = raw.partition(b"\n")
        name, sign, value = head.partition(b"=")
        if not sign:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[8 + size :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        assert name.decode() not in found
        found[name.decode()] = value.decode()
        raw = rest
    return found


def test_journald_gets_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        journal.settimeout(5)
        set_up(logging.INFO, Form.JOURNALD, journald=tmp_path / "socket")
        say_all()
        found = [parsed(journal.recv(1 << 20)) for _ in range(4)]
    assert capsys.readouterr().err == ""
    assert found[2].pop("TRACEBACK").endswith("RuntimeError: [secret]")
    common = {"SYSLOG_IDENTIFIER": "rebalancer", "LOGGER": "rebalancer.tests.lines"}
    there = {"CYCLE": "2026-11-20T20:55Z", "ACCOUNT": "••••d-9f"}
    assert found == [
        {"MESSAGE": "the key is [secret]", "PRIORITY": "4", **common, **there},
        {
            "MESSAGE": "XOM filled", "PRIORITY": "6", "EVENT": "order_filled", "SYMBOL": "XOM",
            "ORDER": "rb-[secret]", **common, **there,
        },
        {"MESSAGE": "two\nlines", "PRIORITY": "3", **common, **there},
        {"MESSAGE": "after", "PRIORITY": "6", **common},
    ]  # fmt: skip


def test_without_journald_the_line_is_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logging.WARNING, Form.JOURNALD, journald=tmp_path / "nothing")
    LOG.warning("still said")
    assert capsys.readouterr().err == "warning: still said\n"


@given(st.dictionaries(st.sampled_from(["MESSAGE", "ORDER", "CYCLE"]), st.text(st.characters(codec="utf-8"))))
def test_what_is_sent_is_what_is_read(fields: dict[str, str]) -> None:
    assert parsed(datagram(fields)) == fields


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.integers(1, 30))
def test_a_value_that_is_too_long_is_cut_between_characters(value: str, longest: int) -> None:
    (found,) = parsed(datagram({"MESSAGE": value}, longest)).values()
    if len(value.encode()) <= longest:
        assert found == value
    else:
        assert found.endswith(CUT)
        assert value.startswith(found.removesuffix(CUT))
        assert longest - 3 <= len(found.removesuffix(CUT).encode()) <= longest


def test_the_longest_value_fits_a_datagram(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        journal.settimeout(5)
        set_up(logging.WARNING, Form.JOURNALD, journald=tmp_path / "socket")
        LOG.warning("x" * 10_000_000)
        assert parsed(journal.recv(1 << 20))["MESSAGE"] == "x" * LONGEST + CUT


def test_the_form_fits_where_stderr_leads(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        found = os.fstat(file.fileno())
        stream = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        other = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"}
        assert form_of(stream, file) is form_of(stream, file, is_session=True) is Form.JOURNALD
        assert form_of(stream | {"REBALANCER_LOG": "json"}, file) is Form.JSON
        assert [form_of(other, file), form_of(other, file, is_session=True)] == [Form.HUMAN, Form.JSON]
    assert form_of(stream, io.StringIO()) is Form.HUMAN
    if sys.platform == "linux":
        leader, follower = os.openpty()
        with os.fdopen(leader, "rb"), os.fdopen(follower, "w") as terminal:
            assert form_of({}, terminal, is_session=True) is Form.HUMAN


def test_unknown_names_are_refused() -> None:
    with pytest.raises(BadDocument, match="human, json, journald"):
        form_of({"REBALANCER_LOG": "xml"}, sys.stderr)
    with pytest.raises(BadDocument, match="info, warning, error"):
        level_of({"REBALANCER_LOG_LEVEL": "loud"})


def test_v_and_q_stand_anywhere() -> None:
    asked = [taken(words) for words in (["-v", "plan"], ["plan", "--quiet"], ["plan", "--", "-v"])]
    assert [level_of(one.variables) for one in asked] == [logging.INFO, logging.ERROR, None]
    assert [one.rest for one in asked] == [["plan"], ["plan"], ["plan", "--", "-v"]]


def test_bound_fields_end_with_their_block(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logging.INFO, Form.JSON)
    with bound(cycle="one", symbol="A"):
        with bound(symbol="B"):
            note(LOG, LogEvent.RETRY, "in", order="o")
        LOG.info("between")
    LOG.info("out")
    shown = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    fields = [{k: v for k, v in one.items() if k not in ("at", "level", "logger")} for one in shown]
    assert fields == [
        {"text": "in", "event": "retry", "cycle": "one", "symbol": "B", "order": "o"},
        {"text": "between", "cycle": "one", "symbol": "A"},
        {"text": "out"},
    ]


def test_the_page_lists_every_event_and_form() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "logs.md").read_text()
    events = page.partition("## Events")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", events, re.MULTILINE)) == set(LogEvent)
    assert all(f"REBALANCER_LOG={form}" in page for form in Form)
