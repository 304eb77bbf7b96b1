"""A real PostgreSQL for tests: Debian's programs, a temporary folder, loopback, ended with the run."""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

MISSING = "PostgreSQL is not installed (Debian: apt-get install postgresql)"


def programs() -> Path | None:
    """The folder of initdb and postgres, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    return None if elsewhere is None else Path(elsewhere).resolve().parent


class Cluster:
    """One server. It refuses to run as root, so root runs it as another user."""

    def __init__(self, *settings: str) -> None:
        found = programs()
        if found is None:
            pytest.skip(MISSING)
        self.bin, self.folder = found, Path(tempfile.mkdtemp(prefix="pg-"))
        self.data, self.settings = self.folder / "data", settings
        self.process: subprocess.Popen[bytes] | None = None
        self.user: str | None = None
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in names else "nobody"
            shutil.chown(self.folder, self.user)
        atexit.register(self.remove)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the server's user."""
        done = subprocess.run(
            [self.bin / program, *arguments], user=self.user, cwd=self.folder, capture_output=True, text=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def create(self) -> Cluster:
        """Make the server's files and start it."""
        self.run(
            "initdb", "-D", str(self.data), "-U", "desk", "-A", "trust", "--no-sync", "--no-instructions", "-E", "UTF8"
        )
        return self.start()

    def start(self, port: int | None = None) -> Cluster:
        """Start it on a port of loopback, and on a socket in its folder."""
        self.port = port or getattr(self, "port", None) or _free_port()
        settings = ["fsync=off", "full_page_writes=off", f"unix_socket_directories={self.folder}", *self.settings]
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.process = subprocess.Popen(
            [
                self.bin / "postgres", "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1",
                *(part for setting in settings for part in ("-c", setting)),
            ],
            user=self.user, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_parent,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
        )  # fmt: skip
        os.close(log)
        for _ in range(600):
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return self
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT drops all connections, SIGQUIT is a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(120)
            self.process = None

    def remove(self) -> None:
        """End it and remove its files."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, port: int | None = None) -> str:
        """The address of one of its databases, by TCP."""
        return f"postgresql://desk@127.0.0.1:{port or self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """A connection that commits every statement."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=10)

    @functools.cache  # noqa: B019  one server for all tests
    def _dump(self, database: str, schema: str) -> str:
        done = subprocess.run(
            [self.bin / "pg_dump", "--inserts", "-n", schema, "--no-owner", self.url(database)],
            user=self.user, cwd=self.folder, capture_output=True, text=True, check=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )  # fmt: skip
        lines = done.stdout.splitlines()
        return "\n".join(line for line in lines if not line.startswith(("SET ", "SELECT ", "--", "\\")))

    def clone_of(self, database: str, schema: str, name: str) -> str:
        """The statements that make the same schema under another name; much faster than migrating."""
        return self._dump(database, schema).replace(schema, name)

    def database(self, name: str, template: str = "template1") -> str:
        """Make a database, and return its address."""
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)


@functools.cache
def shared_cluster() -> Cluster:
    """One server for all tests of this process. Skips the test where PostgreSQL is not installed."""
    return Cluster().create()


def _end_with_parent() -> None:
    """A test run that is killed must leave no server behind: SIGQUIT when the process that started it dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
