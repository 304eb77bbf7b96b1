"""Every file is opened by one reader: regular, of bounded size, in bounded time. The source is held to it."""

from __future__ import annotations

import ast
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content, read_text, refuse_irregular

SOURCE: Final = Path(__file__).parents[2] / "rebalancer"
# Files that may open something themselves, by which calls, and why.
ALLOWED: Final[dict[str, tuple[set[str], str]]] = {
    "input_file.py": ({"os.open"}, "the one reader"),
    "run_lock.py": (
        {"os.open", "read_text"},
        "a lock is held open, refused when it is no regular file; the kernel's /proc/locks",
    ),
    "child_process.py": ({"os.open"}, "the log of a child: no link is followed, and nobody is waited for"),
    "archive.py": ({"open", "os.open"}, "after refuse_irregular; its own files O_EXCL, and syncs folders"),
    "kill_switch.py": ({"os.open"}, "writes the switch, not blocking; syncs its folder"),
    "files.py": ({"os.open"}, "written under a new name, O_EXCL; folders are opened as folders"),
    "head_checkpoint.py": ({"os.open"}, "the checkpoint: not blocking, refused when it is no regular file"),
    "sqlite.py": (
        {"os.open", "sqlite3.connect"},
        "makes copies O_EXCL and reads their schema",
    ),
    "filesystem.py": ({"os.open", "read_text"}, "makes the journal O_EXCL; reads the kernel's mounts"),
    "backups.py": ({"sqlite3.connect"}, "the journal was looked at before"),
    "read_only.py": ({"sqlite3.connect"}, "after refuse_irregular_journal"),
    "database.py": ({"os.open", "sqlite3.connect"}, "receipts and inbox: made O_EXCL, no link is followed"),
    "backtest.py": ({"open", "write_text"}, "hashes what was read; results in the folder that a person named"),
    "trial_key.py": ({"open"}, "hashes what is read elsewhere, after refuse_irregular, and the program's own texts"),
    "trial_ledger.py": ({"os.open"}, "appends under a lock: not blocking, refused when it is no regular file"),
    "logs.py": ({"open"}, "the session's log, after refuse_irregular"),
    "compiled.py": ({"read_text", "write_text"}, "the program's own texts, and their copy in the user's cache"),
    "complete.py": ({"sqlite3.connect"}, "after refuse_irregular_journal"),
    "store.py": ({"sqlite3.connect"}, "after refuse_irregular"),
    "state_file.py": (
        {"open", "os.open", "read_bytes"},
        "makes the exchange's state with mode 0600, its digest, both after refuse_irregular",
    ),
    "starter.py": ({"open", "os.open"}, "the exchange's lock: not blocking, after refuse_irregular"),
    "session_status.py": ({"read_text"}, "the kernel's /proc"),
    "sandbox_probe.py": ({"os.open", "read_text"}, "makes probes O_EXCL; reads the kernel's /proc"),
    "live.py": ({"os.open"}, "the token, O_EXCL"),
    "errors.py": ({"open", "os.open"}, "/dev/null"),
    "evidence.py": ({"open", "sqlite3.connect"}, "for tests alone: a loopback address, and the journal of a run"),
    "drill.py": ({"read_text"}, "the logs of its own hosts"),
    "drill_hosts.py": ({"open", "write_text"}, "in a folder just made: configuration and logs of its own hosts"),
    "drill_process.py": ({"read_text"}, "in that folder: how far the clock of a drilled host is ahead"),
    "init.py": ({"open", "os.open"}, "writes with mode x, and permissions of its own"),
    "project_files.py": ({"read_text", "write_text"}, "what is part of the program; one line in a folder just made"),
    "signature.py": ({"os.open"}, "makes the key O_EXCL, no link is followed"),
    "host_identity.py": ({"read_text"}, "the kernel's /proc, and the machine's id"),
}
FORBIDDEN: Final = {"read_text", "read_bytes", "write_text", "write_bytes"}


def opens(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The calls that open a file, with their lines."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name("open"):
                yield "open", node.lineno
            case ast.Attribute(ast.Name("os"), "open"):
                yield "os.open", node.lineno
            case ast.Attribute(ast.Name("sqlite3"), "connect"):
                yield "sqlite3.connect", node.lineno
            case ast.Attribute(ast.Name("io" | "codecs"), "open") | ast.Attribute(ast.Name("json" | "pickle"), "load"):
                yield "open", node.lineno
            case ast.Attribute(ast.Name("formatter"), "write_text"):  # click's, which writes help
                continue
            case ast.Attribute(_, name) if name in FORBIDDEN:
                yield name, node.lineno
            case ast.Attribute(
                ast.Name("Journal" | "ReceiptStore" | "SignalInbox" | "VoteStore" | "webbrowser"), "open"
            ):
                continue
            case ast.Attribute(_, "open"):
                yield "open", node.lineno


def test_nothing_opens_a_file_but_the_reader_and_those_that_say_why() -> None:
    strange = [
        f"{path.relative_to(SOURCE)}:{line}: {call}"
        for path in sorted(SOURCE.rglob("*.py"))
        for call, line in opens(ast.parse(path.read_text(encoding="utf-8")))
        if call not in ALLOWED.get(path.name, (set(), ""))[0]
    ]
    assert strange == []


def test_what_is_allowed_is_there() -> None:
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        found.setdefault(path.name, set()).update(call for call, _ in opens(ast.parse(path.read_text("utf-8"))))
    assert {name: calls for name, (calls, _) in ALLOWED.items()} == {
        name: found.get(name, set()) & calls for name, (calls, _) in ALLOWED.items()
    }


def irregular(folder: Path) -> dict[str, Path]:
    """One of each thing that is no regular file."""
    fifo, directory, link = folder / "fifo", folder / "directory", folder / "link"
    os.mkfifo(fifo)
    directory.mkdir()
    link.symlink_to(fifo)
    here = socket.socket(socket.AF_UNIX)
    cwd = Path.cwd()
    os.chdir(folder)  # a socket's path is short
    try:
        here.bind("socket")
    finally:
        os.chdir(cwd)
        here.close()
    return {"fifo": fifo, "directory": directory, "link": link, "socket": folder / "socket", "zero": Path("/dev/zero")}


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    for path in irregular(tmp_path).values():
        with pytest.raises(BadDocument) as refused:
            read_content(path, 1000)
        assert (refused.value.where, refused.value.problem) == (str(path), "is not a regular file")
        with pytest.raises(BadDocument, match="is not a regular file"):
            refuse_irregular(tmp_path / "nothing", path)
    refuse_irregular(tmp_path / "nothing")


def test_size_and_content_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_content(path, 5).body == b"12345"
    for size in (4, 0):
        with pytest.raises(BadDocument, match=f"file: is larger than {size} bytes\n  hint: "):
            read_content(path, size)
    os.truncate(path, 10**12)  # sparse
    with pytest.raises(BadDocument, match="is larger than"):
        read_text(path)
    with pytest.raises(BadDocument, match="is larger than 10 bytes"):
        read_content(Path("/proc/self/status"), 10)  # says that it is empty, and is not


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a\nb\xff", ":2: is not UTF-8 (byte 3)"),
        (b"a\n\nb\0c", ":3: holds a NUL byte"),
        ("a\ud800".encode("utf-8", "surrogatepass"), ":1: is not UTF-8 (byte 1)"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(body: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)
    with pytest.raises(BadDocument) as refused:
        read_text(path)
    assert str(refused.value).startswith(f"{path}{said}\n  hint: ")


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfa")
    assert read_text(path) == "a"


def test_what_is_not_there_is_said_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name, hint in {"gone": "name a file that is there", "link": "it is a link to nothing: mend it"}.items():
        with pytest.raises(BadDocument) as refused:
            read_text(tmp_path / name)
        assert str(refused.value) == (f"{tmp_path / name}: cannot be read: No such file or directory\n  hint: {hint}")
    with pytest.raises(BadDocument, match="is not the name of a file"):
        read_text(Path("a\0b"))
