"""Every command with every file that it opens, and every file that lies about, replaced by what cannot be read: one
message with path and fix, the right exit code, and never a wait."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import pytest

from tests.cli.conftest import Command, command, project
from tests.cli.contract import SNAPSHOT

__all__ = ["command", "project"]  # fixtures

SECONDS_MAX: Final = 100  # of one command; whoever waits for a FIFO waits for ever
SIZE: Final = 10**11


def fifo(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here, cwd = socket.socket(socket.AF_UNIX), Path.cwd()
    os.chdir(path.parent)  # its path is short
    try:
        here.bind(path.name)
    finally:
        os.chdir(cwd)
        here.close()


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


def sparse(path: Path) -> None:
    path.touch(0o600)
    os.truncate(path, SIZE)


def unreadable(path: Path) -> None:
    path.touch()
    path.chmod(0)


def holding(body: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(body)
        path.chmod(0o600)

    return write


IRREGULAR: Final[dict[str, Callable[[Path], None]]] = {
    "fifo": fifo, "directory": Path.mkdir, "zero": zero, "socket": a_socket, "dangling": dangling
}  # fmt: skip
REGULAR: Final[dict[str, Callable[[Path], None]]] = {
    "sparse": sparse,
    "nul": holding(b"a\0b\n"),
    "latin-1": holding(b"caf\xe9\n"),
    "surrogate": holding(b'{"\\ud800": "\\udfff"}\n'),
    "surrogate bytes": holding(b"\xed\xa0\x80\n"),
    "control": holding(b"\x01\n"),
    "deep": holding(b"[" * 100_000),
    "laughs": holding(b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 110)
    )),
} | ({} if os.geteuid() == 0 else {"unreadable": unreadable})  # fmt: skip
EVERYTHING: Final = IRREGULAR | REGULAR

ARGUMENTS: Final = {
    "plan --snapshot FILE": None,
    "plan --snapshot good.json --config FILE": None,
    "run-now --plan FILE": None,
    "run-now --config FILE": None,
    "session --config FILE": None,
    "config check --config FILE": None,
    "config show --config FILE": None,
    "doctor --offline --config FILE": None,
    "history --config FILE": None,
    "exchange serve --port 0 --faults FILE": None,
    "exchange serve --port 0 --schedule FILE": None,
    "db check FILE": None,
    "db restore FILE --reason x": None,
}


def sampled(names: str, *lists: Iterable[str]) -> pytest.MarkDecorator:
    """Every pair of two lists; in the suite each word of both at least once, the other pairs in the campaign."""
    left, right = (list(words) for words in lists)
    most = max(len(left), len(right))
    kept = {(left[i % len(left)], right[i % len(right)]) for i in range(most)}
    pairs = [(a, b) for a in left for b in right]
    return pytest.mark.parametrize(
        names, [pytest.param(*p, marks=() if p in kept else (pytest.mark.campaign,)) for p in pairs]
    )


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Raise in a command that waits for ever."""

    def waited(_: int, __: FrameType | None) -> None:
        raise TimeoutError("the command waits for ever")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(SECONDS_MAX)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def is_reported(err: str, path: Path | str) -> bool:
    """Whether the message begins with the path, and says how to mend it."""
    return err.startswith(f"error: {path}:") and "\n  hint: " in err


@sampled("words, kind", ARGUMENTS, EVERYTHING)
def test_a_file_that_is_named_and_cannot_be_read(words: str, kind: str, command: Command, project: Path) -> None:
    Path("good.json").write_text(SNAPSHOT)
    bad = project / "bad"
    EVERYTHING[kind](bad)
    said = command(*words.replace("FILE", str(bad)).split())
    assert (said.code, is_reported(said.err, bad), "Traceback" in said.err) == (78, True, False), said.err


@sampled(
    "name, kind", ["config/execution.yaml", "config/sectors.csv", "signals/desk.csv", "signals/desk.json"], EVERYTHING
)
def test_a_file_of_the_project_that_cannot_be_read(name: str, kind: str, command: Command, project: Path) -> None:
    bad = project / name
    bad.parent.mkdir(exist_ok=True)
    bad.unlink(missing_ok=True)
    if name == "config/execution.yaml" and kind in IRREGULAR:
        pytest.skip("what is no file is not found, and the defaults are in force")
    EVERYTHING[kind](bad)
    said = command("config", "check")
    assert (said.code, is_reported(said.err, bad)) == (78, True), said.err


@sampled("name, kind", ["env", "credential"], EVERYTHING)
def test_a_file_of_secrets_that_cannot_be_read(
    name: str, kind: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    bad = folder / ("paper-trading.env" if name == "env" else "apca_api_key_id")
    if name == "credential":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
        if kind in ("surrogate", "control", "laughs", "deep"):
            pytest.skip("a text like any other")
    EVERYTHING[kind](bad)
    said = command("config", "check")
    assert (said.code, is_reported(said.err, bad)) == (78, True), said.err


@pytest.mark.parametrize("kind", IRREGULAR | {"sparse": sparse, "nul": REGULAR["nul"]})
def test_a_halt_of_any_kind_stops_and_can_be_lifted(
    kind: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state" / "rebalancer" / "simulated"
    assert command("kill").code == 0
    halt = state / "HALT"
    halt.unlink()
    EVERYTHING[kind](halt)
    assert command("run-now").code == 5
    assert command("kill", "--reason", "again").code == 0
    assert os.path.lexists(halt)
    said = command("resume", "--reason", "looked at it")
    if kind == "directory":
        assert (said.code, said.err) == (
            78,
            f"error: {halt}: is a folder, so that it is not removed from here\n  hint: rm -r {halt}\n",
        )
    else:
        assert (said.code, os.path.lexists(halt)) == (0, False)


@sampled("name, kind", ["run.lock", "session.lock", "exchange.sqlite.lock"], IRREGULAR)
def test_a_lock_that_is_no_file_is_held(name: str, kind: str, command: Command, tmp_path: Path) -> None:
    state = tmp_path / "state" / "rebalancer" / "simulated"
    state.mkdir(parents=True)
    bad = state / name
    IRREGULAR[kind](bad)
    said = command("session", "--speed", "100000") if name == "session.lock" else command("run-now")
    assert (said.code, is_reported(said.err, bad)) == (75, True), said.err


@sampled(
    "name, kind",
    ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "journal.sqlite.head", "exchange.sqlite"],
    IRREGULAR,
)
def test_a_journal_that_is_no_file_is_refused(name: str, kind: str, command: Command, tmp_path: Path) -> None:
    assert command("run-now").code in (0, 4)
    bad = tmp_path / "state" / "rebalancer" / "simulated" / name
    bad.unlink(missing_ok=True)
    IRREGULAR[kind](bad)
    words = [("run-now",)] if name == "exchange.sqlite" else [("run-now",), ("status",), ("history",), ("db", "check")]
    for word in words:
        said = command(*word)
        if word not in (("run-now",), ("status",)) and (kind, name) == ("dangling", "journal.sqlite"):
            assert said.code == (0 if word == ("history",) else 2)  # a link to nothing: nothing was run there yet
            continue
        assert (word, said.code, is_reported(said.err, bad)) == (word, 78, True), said.err


@sampled("name, kind", ["session.json", "day-sheet.json", "exchange.url"], [*IRREGULAR, "sparse", "nul", "deep"])
def test_a_note_that_cannot_be_read_is_as_none(name: str, kind: str, command: Command, tmp_path: Path) -> None:
    state = tmp_path / "state" / "rebalancer" / "simulated"
    state.mkdir(parents=True)
    EVERYTHING[kind](state / name)
    assert command("run-now").code in (0, 4)
    assert command("status").code == 0
    assert command("performance").code == 0


@pytest.mark.parametrize("kind", EVERYTHING)
def test_recorded_bars_that_cannot_be_read(kind: str, command: Command, project: Path) -> None:
    folder = project / "bars"
    folder.mkdir()
    EVERYTHING[kind](folder / "KO.csv")
    said = command("exchange", "serve", "--port", "0", "--replay", str(folder))
    assert (said.code, is_reported(said.err, folder / "KO.csv")) == (78, True), said.err


@pytest.mark.parametrize("kind", ["fifo", "directory", "zero", "socket", "dangling"])
def test_a_state_of_the_exchange_that_is_no_file(kind: str, command: Command, project: Path) -> None:
    IRREGULAR[kind](project / "state")
    said = command("exchange", "serve", "--port", "0", "--state", str(project / "state"))
    assert (said.code, is_reported(said.err, project / "state")) == (78, True), said.err
