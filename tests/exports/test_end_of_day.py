"""The copy for Tradervue at the end of a day: only when it is wanted, and never an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rebalancer.documents import plain
from rebalancer.rules import Rules
from rebalancer.session.setup import Setup, load_setup
from rebalancer.session.tradervue import copy_at_end_of_day
from rebalancer.world.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


def setup(project: Path, mode: str, environ: dict[str, str], *, wanted: bool) -> Setup:
    found = load_setup(None, environ)
    told = plain(found.rules.model_dump(mode="python"))
    told["export"] |= {"tradervue": wanted, "tradervue_url": "http://127.0.0.1:9"}
    rules = Rules.model_validate(told)
    return found._replace(loaded=found.loaded._replace(rules=rules), mode=mode, state=project, environ=environ)


def test_what_fails_is_said_and_nothing_is_raised(project: Path, journal: Journal) -> None:
    said = copy_at_end_of_day(setup(project, "paper", {}, wanted=True), journal, "a1")
    assert said.startswith("the day was not copied to Tradervue: TRADERVUE_USERNAME and TRADERVUE_PASSWORD not set")
    login = {"TRADERVUE_USERNAME": "anna", "TRADERVUE_PASSWORD": "s3cret-word"}
    assert copy_at_end_of_day(setup(project, "paper", login, wanted=True), journal, "a1") == ""  # nothing to send


def test_it_is_left_alone_unless_it_is_wanted(project: Path, journal: Journal) -> None:
    assert copy_at_end_of_day(setup(project, "paper", {}, wanted=False), journal, "a1") == ""
    assert copy_at_end_of_day(setup(project, "simulated", {}, wanted=True), journal, "a1") == ""
