"""A halt whose cause is known ends with the code of that cause, and systemd does not start it again in vain."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from rebalancer.accounting.adoption import UnknownOrders
from rebalancer.cli.errors import guarded
from rebalancer.core.errors import (
    AnotherProgram,
    BrokerUnavailable,
    CredentialsRefused,
    ExternalError,
    JournalBroken,
    JournalLocked,
    LockHeld,
    WrongAccount,
)
from tests.cli.conftest import ROOT, Command

CODES: dict[Callable[[], ExternalError], int] = {
    lambda: BrokerUnavailable("it"): 69, lambda: JournalLocked("it"): 69, lambda: LockHeld("it"): 75,
    lambda: CredentialsRefused("it"): 77, lambda: WrongAccount("it"): 77, lambda: JournalBroken("it"): 78,
    lambda: AnotherProgram("it"): 5, lambda: UnknownOrders(["rb-1"]): 5,
}  # fmt: skip


def test_every_kind_of_halt_has_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    for make, code in CODES.items():
        error = make()

        def app(error: ExternalError = error) -> None:
            raise error

        assert guarded(app) == code
        assert capsys.readouterr() == ("", f"error: {error}\n")


@pytest.mark.parametrize("name", ["paper-trading-session.service", "paper-trading-session@.service"])
def test_systemd_starts_again_what_may_pass_and_nothing_else(name: str) -> None:
    lines = (ROOT / "systemd" / name).read_text().splitlines()
    (codes,) = [line.partition("=")[2] for line in lines if line.startswith("RestartPreventExitStatus=")]
    assert codes.split() == ["2", "5", "75", "77", "78"]


@pytest.fixture
def journal(command: Command, tmp_path: Path) -> Path:
    """The journal of a machine that has traded once."""
    assert command("run-now").code in (0, 4)
    return tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite"


def test_an_unknown_order(journal: Path, command: Command) -> None:
    for file in journal.parent.glob("journal.sqlite*"):
        file.unlink()
    said = command("run-now")
    assert (said.code, said.out) == (5, "")
    assert said.err.startswith("error: the broker has order rb-")


def test_a_missing_tail(journal: Path, command: Command) -> None:
    old = journal.with_name("kept")
    shutil.copy(journal, old)
    assert command("run-now").code in (0, 4)
    with closing(sqlite3.connect(journal)) as base, base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()
    shutil.copy(old, journal)
    for word in ("run-now", "session", "status"):
        said = command(word)
        assert (said.code, said.out, "\nerror: " in f"\n{said.err}") == (78, "", True), (word, said)


def test_a_damaged_journal(journal: Path, command: Command) -> None:
    content = bytearray(journal.read_bytes())
    content[100:4096] = b"\xff" * 3996
    journal.write_bytes(content)
    for word in ("run-now", "session", "status"):
        said = command(word)
        assert (said.code, said.out, "\nerror: " in f"\n{said.err}") == (78, "", True), (word, said)
