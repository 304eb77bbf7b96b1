"""The signed file of a day: what it states of a real run, that any changed byte is refused, and what it is compared
with."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal import Journal
from rebalancer.report.evidence.day_file import differences, is_linked, read_file, write_day
from rebalancer.report.evidence.document import evidence_of
from rebalancer.report.evidence.signature import KEY_NAME, private_key, public_text, signed
from rebalancer.session.setup import load_setup
from rebalancer.session.work import SessionWork
from tests.cli.conftest import Command, command, project
from tests.journal.journal_kit import WRITER, at, run_cycle, start
from tests.support.closed_at_end import closed_at_end

__all__ = ["command", "project"]  # fixtures
DAY = date(2026, 11, 20)


def journalled(path: Path) -> Journal:
    """A journal with one closed cycle of Friday: one order filled, one cancelled, two verdicts, an alert."""
    journal = closed_at_end(Journal.open(path))
    run_cycle(journal, "c1")
    return journal


def test_a_whole_run_is_stated_and_found_again(command: Command, project: Path, tmp_path: Path) -> None:
    assert command("evidence", "write").code == 2
    assert command("run-now").code == 0
    said = command("evidence", "write", "--to", str(tmp_path / "copy.json"))
    path = Path(said.out.strip())
    assert (said.code, path.parent, path.stat().st_mode & 0o777) == (0, load_setup(None).state / "evidence", 0o600)
    assert (tmp_path / "copy.json").read_bytes() == path.read_bytes()
    stated = json.loads(path.read_text())
    history = json.loads(command("history", "--json").out)["cycles"]
    orders = json.loads(command("export", "orders", "--format", "json").out)["rows"]
    assert [(c["cycle"], c["outcome"]) for c in stated["cycles"]] == [(c["cycle_id"], c["outcome"]) for c in history]
    names = ("client_order_id", "broker_id", "symbol", "side", "qty", "state", "filled_qty", "filled_avg_price")
    assert [[o[n] for n in names] for o in stated["orders"]] == [[o[n] for n in names] for o in orders]
    assert all(verdict["because"] for cycle in stated["cycles"] for verdict in cycle["verdicts"])
    assert set(stated["rules"]) == {cycle["rules_sha256"] for cycle in stated["cycles"]}

    key = command("evidence", "key").out.strip()
    checked = command("evidence", "verify", str(path), "--journal", "--json")
    told_of = json.loads(checked.out)
    assert (checked.code, told_of["key"], told_of["agrees_with_journal"]) == (0, key, True)
    assert (told_of["orders"], told_of["sha256"]) == (len(orders), hashlib.sha256(path.read_bytes()).hexdigest())
    assert command("run-now").code == 0, "rows that come later"
    assert command("evidence", "verify", str(path), "--journal").code == 0

    elsewhere = ("--key", "AAAA" + key[4:])
    refused = command("evidence", "verify", str(path), *elsewhere)
    assert (refused.code, "is signed by another key" in refused.err) == (78, True)
    path.write_bytes(path.read_bytes().replace(b'"COMPLETED"', b'"HALTED_ACCOUNT"', 1))
    refused = command("evidence", "verify", str(path))
    assert (refused.code, "was changed: its signature does not fit" in refused.err) == (78, True)
    assert command("evidence", "write", "--day", "2020-01-02").code == 2
    assert command("evidence", "write", "--day", "soon").code == 78


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("state")
    with journalled(state / "journal.sqlite") as journal:
        path = write_day(journal, WRITER, DAY, state)
    assert path is not None
    return path


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_changes_unnoticed(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["other", "dropped", "doubled", "more"]))
    if how == "other":
        content[place] ^= data.draw(st.integers(1, 255))
    elif how == "dropped":
        del content[place]
    elif how == "doubled":
        content.insert(place, content[place])
    else:
        content.extend(data.draw(st.binary(min_size=1, max_size=3)))
    changed = tmp_path / "changed.json"
    changed.write_bytes(bytes(content))
    with pytest.raises(BadDocument):
        read_file(changed)


def test_the_file_of_a_small_day(file: Path) -> None:
    found = read_file(file)
    stated = found.statement
    assert [c["outcome"] for c in stated["cycles"]] == ["COMPLETED"]
    assert stated["cycles"][0]["unexplained"] == {"MSFT": "7"}
    assert [(o["client_order_id"], o["state"], o["filled_qty"]) for o in stated["orders"]] == [
        ("c1-1", "FILLED", "5"),
        ("c1-2", "CANCELED", "2"),
    ]
    assert (stated["previous"], stated["journal"]["first_row"], stated["journal"]["sha256_before"]) == (
        None,
        1,
        "0" * 64,
    )
    assert public_text(private_key(file.parents[1], create=False)) == found.key  # type: ignore[arg-type]


def test_each_file_names_the_one_before_it_and_another_journal_is_noticed(tmp_path: Path) -> None:
    with journalled(tmp_path / "journal.sqlite") as journal:
        first = write_day(journal, WRITER, DAY, tmp_path)
        assert first is not None
        assert write_day(journal, WRITER, DAY + timedelta(days=1), tmp_path) is None
        journal.record_event(WRITER, None, at(90_000), "note", None, {"text": "Saturday"})
        second = write_day(journal, WRITER, DAY + timedelta(days=1), tmp_path)
        assert second is not None
        before = {"file": "2026-11-20.json", "sha256": hashlib.sha256(first.read_bytes()).hexdigest()}
        assert read_file(second).statement["previous"] == before
        assert differences(journal, read_file(first).statement) == ()
        assert is_linked(second, read_file(second).statement) is True
        assert is_linked(first, read_file(first).statement) is None
        with pytest.raises(BadDocument, match=r"is named by 2026-11-21\.json, and stays as it is"):
            write_day(journal, WRITER, DAY, tmp_path)
        assert write_day(journal, WRITER, DAY + timedelta(days=1), tmp_path) == second, (
            "the newest may be written again"
        )
    kept = first.read_bytes()
    first.unlink()
    assert is_linked(second, read_file(second).statement) is None
    with journalled(tmp_path / "again.sqlite") as again:
        write_day(again, WRITER, DAY, tmp_path / "elsewhere")
    first.write_bytes((tmp_path / "elsewhere" / "evidence" / first.name).read_bytes())
    assert is_linked(second, read_file(second).statement) is False
    first.write_bytes(kept)
    with Journal.open(tmp_path / "other.sqlite") as other:
        other.begin_cycle(start("c1"))
        wrong = differences(other, read_file(first).statement)
    assert wrong == ("cycles", "events", "journal", "orders", "rules")


def test_keys(tmp_path: Path) -> None:
    key = private_key(tmp_path, create=True)
    assert key is not None
    path = tmp_path / KEY_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    again = private_key(tmp_path, create=True)
    assert again is not None
    assert public_text(again) == public_text(key)
    assert signed({"schema": "x"}, key) == signed({"schema": "x"}, again), "the same text has one signature"
    path.chmod(0o644)
    with pytest.raises(BadDocument, match="others may read it"):
        private_key(tmp_path, create=True)
    path.chmod(0o600)
    path.write_text("nonsense\n")
    with pytest.raises(BadDocument, match="is not a signing key"):
        private_key(tmp_path, create=True)


def test_a_day_s_end_writes_it_and_goes_on_without_it(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with journalled(path) as journal:
        alerts: list[str] = []
        setup = SimpleNamespace(state=tmp_path)
        work: Any = SimpleNamespace(
            _setup=setup, _journal=journal, _account_id=WRITER, _alert=lambda *words: alerts.append(words[0])
        )
        SessionWork._write_evidence(work, DAY)
        assert (tmp_path / "evidence" / "2026-11-20.json").exists()
        (tmp_path / KEY_NAME).write_text("nonsense")
        SessionWork._write_evidence(work, DAY)
        assert len(alerts) == 1
        assert alerts[0].startswith("the signed file of the day was not written: ")
        assert evidence_of(journal, WRITER, day_in_new_york(at(0)) - timedelta(days=9)) is None
