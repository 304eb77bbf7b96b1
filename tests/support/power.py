"""A disk that remembers every write and sync, so that the power can be cut between any two of them.

The journal's own statements are recorded, then run again over apsw on a VFS that writes down each operation of each
file. What a power cut leaves is drawn afterwards: everything up to a file's last sync, and of the rest nothing, all, a
beginning, any of the writes in any choice, or torn sectors.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from sqlalchemy import event

from rebalancer.journal import Journal

SECTOR = 512


class Statement(NamedTuple):
    """One statement as the journal gave it to its database."""

    sql: str
    values: tuple[Any, ...]


class Operation(NamedTuple):
    """One operation of one file: write, sync or truncate; or `commit`, after which `rows` events are promised."""

    kind: str
    file: str
    offset: int
    data: bytes
    rows: int = 0


class RecordingFile(apsw.VFSFile):
    """A file of the recording disk."""

    def __init__(self, base: str, name: Any, flags: list[int], log: list[Operation]) -> None:
        super().__init__(base, name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name, self._log = Path(path).name, log

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - the name is apsw's
        self._log.append(Operation("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - the name is apsw's
        self._log.append(Operation("sync", self._name, 0, b""))
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:  # noqa: N802 - the name is apsw's
        self._log.append(Operation("truncate", self._name, size, b""))
        super().xTruncate(size)


class RecordingDisk(apsw.VFS):
    """The disk."""

    def __init__(self, log: list[Operation]) -> None:
        self._log, self.vfs_name = log, "recording"
        super().__init__(self.vfs_name, base="unix")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - the name is apsw's
        return RecordingFile("unix", name, flags, self._log)


def statements_of(path: Path, act: Callable[[Journal], None]) -> tuple[list[Statement], dict[str, object]]:
    """What the journal says to its database while `act` runs, and how it has set the pragmas that decide durability."""
    found: list[Statement] = []
    with Journal.open(path) as journal:
        engine = journal._store.database.engine

        def heard(_c: Any, _cursor: Any, sql: str, values: Any, _context: Any, _many: bool) -> None:
            if not sql.lstrip().upper().startswith(("SELECT", "PRAGMA")):
                found.append(Statement(sql, tuple(values or ())))

        def committed(_: Any) -> None:
            found.append(Statement("COMMIT", ()))

        event.listen(engine, "before_cursor_execute", heard)
        event.listen(engine, "commit", committed)
        act(journal)
        with engine.connect() as connection:
            names = ("journal_mode", "synchronous")
            pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}
    return found, pragmas


def recorded(path: Path, statements: list[Statement], pragmas: dict[str, object], checkpoint: int) -> list[Operation]:
    """Run the statements again on the recording disk; `path` holds the file as it was before them."""
    log: list[Operation] = []
    disk = RecordingDisk(log)
    connection = apsw.Connection(str(path), vfs=disk.vfs_name)
    try:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name} = {value}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint}")
        for statement in statements:
            connection.execute(statement.sql, statement.values)
            if statement.sql == "COMMIT":
                rows = connection.execute("SELECT count(*) FROM events").fetchone()[0]
                log.append(Operation("commit", "", 0, b"", rows))
    finally:
        connection.close()
        disk.unregister()
    return log


def cut(before: dict[str, bytes], log: list[Operation], at: int, draws: random.Random, folder: Path) -> int:
    """Write the files that a power cut after the first `at` operations leaves; the number of promised rows."""
    promised = max((op.rows for op in log[:at] if op.kind == "commit"), default=0)
    names = {op.file for op in log[:at] if op.file and not op.file.endswith("-shm")}
    manner = draws.choice(("none", "all", "beginning", "some", "torn"))
    for name in names | set(before):
        mine = [op for op in log[:at] if op.file == name]
        last = max((n for n, op in enumerate(mine) if op.kind == "sync"), default=-1)
        content = bytearray(before.get(name, b""))
        for op in mine[: last + 1]:
            _apply(content, op)
        for op in _survivors(mine[last + 1 :], manner, draws):
            _apply(content, op)
        (folder / name).write_bytes(content)
    return promised


def _survivors(ops: list[Operation], manner: str, draws: random.Random) -> list[Operation]:
    if manner in ("none", "all"):
        return ops if manner == "all" else []
    if manner == "beginning":
        return ops[: draws.randint(0, len(ops))]
    some = [op for op in ops if draws.random() < 0.5]
    return some if manner == "some" else [_torn(op, draws) for op in some]


def _torn(op: Operation, draws: random.Random) -> Operation:
    """Only some whole sectors of a write, from its beginning or from its end."""
    sectors = max(len(op.data) // SECTOR, 1)
    kept = draws.randint(0, sectors) * SECTOR
    if op.kind != "write" or draws.random() < 0.5:
        return op._replace(data=op.data[:kept])
    return op._replace(offset=op.offset + len(op.data[:kept]), data=op.data[kept:])


def _apply(content: bytearray, op: Operation) -> None:
    if op.kind == "write":
        content.extend(b"\0" * max(op.offset + len(op.data) - len(content), 0))
        content[op.offset : op.offset + len(op.data)] = op.data
    elif op.kind == "truncate":
        del content[op.offset :]
