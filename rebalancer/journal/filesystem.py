"""Require the journal to be a private file on a local disk. Locks and syncs are not reliable anywhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from rebalancer.core.errors import JournalBroken
from rebalancer.ops.disk import FULL, fix_of, unwritable

_REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "vboxsf", "virtiofs"}
)
BESIDE: Final = ("-wal", "-shm", "-journal", ".head")
_MOUNTS: Final = Path("/proc/self/mountinfo")


def refuse_remote(path: Path, mounts: Path = _MOUNTS) -> None:
    """Raise JournalBroken when the file would lie on a network or FUSE file system."""
    kind = file_system_of(path, mounts)
    if kind is not None and (kind in _REMOTE or kind.startswith("fuse")):
        raise JournalBroken(
            f"{path}: lies on a {kind} file system, where locks and syncs cannot be trusted\n"
            "  hint: set STATE_DIRECTORY or XDG_STATE_HOME to a folder on a local disk"
        )


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The type of the file system that holds `path`, such as ext4; None if it cannot be determined."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    place, best, kind = path.resolve(), -1, None
    for line in lines:
        left, _, right = line.partition(" - ")
        mounted = Path(_unescaped(left.split(" ")[4]))
        depth = len(mounted.parts)
        if depth >= best and place.is_relative_to(mounted):  # for the same mount point, the later mount is on top
            best, kind = depth, right.split(" ")[0]
    return kind


def prepare_file(path: Path, *, create: bool) -> None:
    """Ensure that the file exists with mode 0600, belongs to us, and is in a folder that nobody else can write to.
    Raises JournalBroken, and Unwritable when it cannot be created.

    An existing file is never opened here: closing it would release the locks that this process may hold on it for the
    database, and the next process to open the journal would remove the write-ahead log while we use it.
    """
    try:
        if create:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = path.parent.stat()
        if folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX:
            raise JournalBroken(
                f"{path.parent}: others can write to this folder\n  hint: chmod 700 '{path.parent}'",
            )
        if create:
            _create(path)
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise JournalBroken(
                f"{path}: is not a regular file that you own\n  hint: put the journal or a copy in its place"
            )
        if found.st_mode & 0o077:
            path.chmod(0o600)
        refuse_beside(path)
    except FileNotFoundError:
        raise JournalBroken(f"{path}: there is no journal yet\n  hint: run `rebalancer run-now`") from None
    except OSError as error:
        if create and (error.errno in FULL or not path.exists()):
            raise unwritable(path, error) from None
        hint = fix_of(path, error.errno)
        raise JournalBroken(f"{path}: the journal cannot be opened: {error.strerror}\n  hint: {hint}") from None


def refuse_irregular_journal(path: Path) -> None:
    """Raise JournalBroken if the path, or a file that SQLite keeps beside it, exists and is something that could block
    when opened, such as a FIFO."""
    if os.path.lexists(path) and not path.is_file():
        raise JournalBroken(f"{path}: is not a regular file\n  hint: move it away, and put the journal in its place")
    refuse_beside(path)


def refuse_beside(path: Path) -> None:
    """Raise JournalBroken when a companion path of the database is not a regular file: SQLite would open a FIFO there
    and block forever."""
    for end in BESIDE:
        beside = path.with_name(path.name + end)
        try:
            is_regular = stat.S_ISREG(beside.lstat().st_mode)
        except OSError:
            continue
        if not is_regular:
            raise JournalBroken(f"{beside}: is not a regular file that you own\n  hint: move it away")


def _create(path: Path) -> None:
    """Create an empty file unless the path exists already."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return


def _unescaped(text: str) -> str:
    """Undo the octal escapes of mountinfo, such as \\040 for a space."""
    for code in ("040", "011", "012"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text.replace("\\134", "\\")
