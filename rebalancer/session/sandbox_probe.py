"""Try, from inside, what the sandbox must forbid and what it must allow: only this shows whether it is in effect.

systemd can drop a whole sandbox because of one unsupported line and still report success, and `systemd-analyze
security` judges the text of a unit, not its effect. `python -m rebalancer.session.sandbox_probe` prints one line per
probe and exits with 1 when one is not as it should be.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.ops.paths import home_directory, state_directory

CLONE_NEWUSER: Final = 0x10000000
PTRACE_TRACEME: Final = 0
ADDR_NO_RANDOMIZE: Final = 0x0040000


class Probe(NamedTuple):
    """One attempt: what was tried, whether it was denied, and whether it should have been."""

    what: str
    denied: bool
    should_be: bool
    said: str

    @property
    def is_right(self) -> bool:
        """Whether the sandbox behaves here as it should."""
        return self.denied is self.should_be


def probe_sandbox() -> tuple[Probe, ...]:
    """Try everything, in the order of the unit's lines. Harmless where nothing is forbidden: whatever is created is
    removed again."""
    home = home_directory()
    forbidden: list[tuple[str, Callable[[], None]]] = [
        ("write to the home folder", lambda: _write(home)),
        ("write to /usr", lambda: _write(Path("/usr"))),
        ("write to /etc", lambda: _write(Path("/etc"))),
        ("write to the program's own folder", lambda: _write(Path(__file__).parents[2])),
        ("read ~/.ssh", lambda: _list(home / ".ssh")),
        ("see the files in the machine's /tmp", _foreign_tmp),
        ("gain privileges", _privileges_can_grow),
        ("open a netlink socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
        ("open a raw packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
        ("make a namespace", lambda: _in_child(lambda: _call("unshare", CLONE_NEWUSER))),
        ("trace processes", lambda: _in_child(lambda: _call("ptrace", PTRACE_TRACEME, 0, 0, 0))),
        ("change the personality", lambda: _in_child(lambda: _call("personality", ADDR_NO_RANDOMIZE))),
        ("map memory that is writable and executable", _writable_code),
        ("make a set-user-id file", _set_user_id),
        ("get real-time priority", lambda: _in_child(_real_time)),
        ("dump core", _core_allowed),
    ]
    allowed: list[tuple[str, Callable[[], None]]] = [
        ("write to the state folder", lambda: _write(state_directory())),
        ("write to its own /tmp", lambda: _write(Path("/tmp"))),  # noqa: S108 - a probe of just this
        ("speak TCP on loopback", _loopback),
    ]
    return (
        *(_tried(what, attempt, should_be=True) for what, attempt in forbidden),
        *(_tried(what, attempt, should_be=False) for what, attempt in allowed),
    )


def main() -> int:
    """Print every probe; returns 1 when one is not as it should be."""
    probes = probe_sandbox()
    for probe in probes:
        word = "denied" if probe.denied else "possible"
        sys.stdout.write(f"{'ok   ' if probe.is_right else 'WRONG'} {word:<8} {probe.what}: {probe.said}\n")
    return 0 if all(probe.is_right for probe in probes) else 1


def _tried(what: str, attempt: Callable[[], None], *, should_be: bool) -> Probe:
    try:
        attempt()
    except OSError as error:
        return Probe(what, True, should_be, error.strerror or str(error))
    return Probe(what, False, should_be, "it worked")


def _write(folder: Path) -> None:
    path = folder / f".probe-{os.getpid()}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    path.unlink()


def _list(folder: Path) -> None:
    os.listdir(folder)


def _foreign_tmp() -> None:
    """A private /tmp holds only what this process's own unit created."""
    others = [name for name in os.listdir("/tmp") if not name.startswith(".probe-")]  # noqa: S108 - a probe of just this
    if not others:
        raise PermissionError(errno.EPERM, "it is empty")


def _privileges_can_grow() -> None:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    if "NoNewPrivs:\t1" in status and "CapBnd:\t0000000000000000" in status:
        raise PermissionError(errno.EPERM, "no new privileges, no capabilities")


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _in_child(attempt: Callable[[], None]) -> None:
    """Try in a child process, so that all effects end with it."""
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        raise OSError(code, os.strerror(code) if code > 0 else "killed")


def _writable_code() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _set_user_id() -> None:
    path = state_directory() / f".probe-suid-{os.getpid()}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        path.chmod(0o4700)
    finally:
        path.unlink()


def _real_time() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _core_allowed() -> None:
    import resource

    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise PermissionError(errno.EPERM, "the limit is 0")


def _loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


if __name__ == "__main__":
    raise SystemExit(main())
