"""The copy for Tradervue at the end of a day: only when it is wanted, and never an error."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rebalancer.accounting.daily_close import check_day
from rebalancer.cli.connection import connected
from rebalancer.core.documents import plain
from rebalancer.core.new_york import NEW_YORK
from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.session.execute import opened_world
from rebalancer.session.setup import Setup, load_setup
from rebalancer.session.tradervue import END_OF_DAY_SECONDS, copy_at_end_of_day, waiting_fills
from tests.cli.conftest import Command
from tests.report.exports.test_commands import traded
from tests.report.test_tradervue import VirtualClock
from tests.report.tradervue_server import TradervueServer

LOGIN = {"TRADERVUE_USERNAME": "anna", "TRADERVUE_PASSWORD": "s3cret-word"}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


def setup(project: Path, mode: str, environ: dict[str, str], *, wanted: bool, url: str = "http://127.0.0.1:9") -> Setup:
    found = load_setup(None, environ)
    told = plain(found.rules.model_dump(mode="python"))
    told["export"] |= {"tradervue": wanted, "tradervue_url": url}
    rules = Rules.model_validate(told)
    return found._replace(loaded=found.loaded._replace(rules=rules), mode=mode, state=project, environ=environ)


def listed() -> None:
    """Close the day's books: the broker lists its fills."""
    found = load_setup(None)
    with (
        connected(found) as connection,
        opened_world(found, connection, dry_run=False) as (_, broker),
        Journal.open(found.journal) as journal,
    ):
        day = broker.now().astimezone(NEW_YORK).date()
        check_day(broker, journal, journal.cycles(None, 1)[0].account_id, day)


def test_what_fails_is_said_and_nothing_is_raised(project: Path, journal: Journal) -> None:
    said = copy_at_end_of_day(setup(project, "paper", {}, wanted=True), journal, "a1")
    assert said.startswith("the day was not copied to Tradervue: TRADERVUE_USERNAME and TRADERVUE_PASSWORD not set")
    login = {"TRADERVUE_USERNAME": "anna", "TRADERVUE_PASSWORD": "s3cret-word"}
    assert copy_at_end_of_day(setup(project, "paper", login, wanted=True), journal, "a1") == ""  # nothing to send


def test_it_is_left_alone_unless_it_is_wanted(project: Path, journal: Journal) -> None:
    assert copy_at_end_of_day(setup(project, "paper", {}, wanted=False), journal, "a1") == ""
    assert copy_at_end_of_day(setup(project, "simulated", {}, wanted=True), journal, "a1") == ""


def test_the_day_is_never_held_up_and_what_is_left_is_sent_once(command: Command, project: Path) -> None:
    traded(command, project)
    listed()
    with (
        TradervueServer() as server,
        socket.create_server(("127.0.0.1", 0)) as silent,
        Journal.open(load_setup(None).journal) as journal,
    ):
        account_id = journal.cycles(None, 1)[0].account_id
        left = len(waiting_fills(journal, account_id))
        assert left >= 2
        paper = setup(project, "paper", LOGIN, wanted=True, url=server.url)
        for faults, retry_after in ((["503"] * 50, "40"), (["429"] * 50, "290"), (["429"], "86400")):
            server.faults.extend(faults)
            server.retry_after = retry_after
            clock = VirtualClock()
            said = copy_at_end_of_day(paper, journal, account_id, clock=clock)
            assert said.startswith(f"{left} executions are not in Tradervue yet: ")
            assert clock.seconds < END_OF_DAY_SECONDS
            server.faults.clear()
        mute = setup(project, "paper", LOGIN, wanted=True, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert copy_at_end_of_day(mute, journal, account_id, seconds=0.5, clock=VirtualClock()).startswith(str(left))

        # the time ends while the import is at work: the next day finds it there and sends nothing twice
        said = copy_at_end_of_day(paper, journal, account_id, seconds=8, clock=VirtualClock())
        assert said.startswith(f"{left} executions are not in Tradervue yet: no more than 8 seconds")
        assert server.stored.total() == left
        assert copy_at_end_of_day(paper, journal, account_id, clock=VirtualClock()) == ""
        assert (waiting_fills(journal, account_id), server.stored.total()) == ((), left)


def test_by_hand_everything_is_sent_once(command: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traded(command, project)
    listed()
    monkeypatch.setattr("rebalancer.session.tradervue.SystemClock", VirtualClock)
    with TradervueServer() as server:
        rules = project / "config" / "execution.yaml"
        rules.write_text(rules.read_text().replace("https://app.tradervue.com", server.url))
        refused = command("export", "tradervue")
        assert refused.code != 0
        assert "TRADERVUE_USERNAME and TRADERVUE_PASSWORD not set" in refused.err
        for name, value in LOGIN.items():
            monkeypatch.setenv(name, value)
        count = len(command("export", "tradervue", "--dry-run").out.splitlines())
        assert count >= 2
        server.faults.append("429")
        server.retry_after = "86400"
        busy = command("export", "tradervue")
        assert (busy.code, busy.out) == (69, f"0 executions sent, 0 refused, {count} left\n")
        for sent in (count, 0):
            assert command("export", "tradervue") == (0, f"{sent} executions sent, 0 refused, 0 left\n", "")
        assert server.stored.total() == count
