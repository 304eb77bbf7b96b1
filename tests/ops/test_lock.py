from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from rebalancer.core.errors import ExternalError, LockHeld
from rebalancer.core.values import utc_of
from rebalancer.ops.run_lock import RunLock

FORK = multiprocessing.get_context("fork")


def test_the_lock_names_its_holder_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with RunLock(path, "run-now"):
        pid, since, command = path.read_text().splitlines()
        assert (pid, command, path.stat().st_mode & 0o777) == (str(os.getpid()), "run-now", 0o600)
        assert abs(utc_of(since).timestamp() - path.stat().st_mtime) < 2
        with pytest.raises(LockHeld, match=rf"held by process {pid} \(run-now\) since {since}"), RunLock(path):
            pass
    with RunLock(path, "short"):
        assert path.read_text().splitlines()[2] == "short"


def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    receiver, sender = FORK.Pipe(duplex=False)

    def hold() -> None:
        with RunLock(path, "session"):
            sender.send(os.getpid())
            signal.pause()

    child = FORK.Process(target=hold)
    child.start()
    pid = receiver.recv()
    with pytest.raises(LockHeld, match=rf"held by process {pid} \(session\)"), RunLock(path):
        pass
    os.kill(pid, signal.SIGKILL)
    child.join(300)
    with RunLock(path):
        assert path.read_text().startswith(f"{os.getpid()}\n")


def test_one_of_many_wins(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    racers = 6
    barrier, receiver, sender = FORK.Barrier(racers), *FORK.Pipe(duplex=False)

    def race() -> None:
        barrier.wait(300)
        try:
            with RunLock(path):
                sender.send("won")
                barrier.wait(300)  # nobody lets go before everybody has tried
        except LockHeld:
            sender.send("held")
            barrier.wait(300)

    children = [FORK.Process(target=race) for _ in range(racers)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    assert sorted(receiver.recv() for _ in range(racers)) == ["held"] * (racers - 1) + ["won"]


def test_a_holder_that_has_not_signed_yet(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with RunLock(path):
        os.truncate(path, 0)
        with pytest.raises(LockHeld, match="another process that has just started"), RunLock(path):
            pass


def test_no_symlink_is_followed_and_a_missing_folder_is_said(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("keep me")
    (tmp_path / "run.lock").symlink_to(target)
    with pytest.raises(LockHeld, match="is not a regular file"), RunLock(tmp_path / "run.lock"):
        pass
    assert target.read_text() == "keep me"
    with pytest.raises(ExternalError, match="No such file"), RunLock(tmp_path / "none" / "run.lock"):
        pass
