"""No test takes a lock in the folder that this user's own programs share, writes into this user's ledger of trials,
leaves a signal handler or something open behind, slows down those after it, or is judged by its speed."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.closed_at_end import close_all

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def own_runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A runtime folder for every test process: all embedded exchanges have the same account."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        patched.setenv("REBALANCER_TRIALS", str(tmp_path_factory.mktemp("research") / "trials.jsonl"))
        yield


@pytest.fixture(autouse=True)
def own_signal_handlers() -> Iterator[None]:
    """A command that runs in this process takes its signals; afterwards they are pytest's again."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_priority() -> Iterator[None]:
    """A test that lowers the priority of its process lowers that of all tests after it: nobody can raise it again."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.fixture(autouse=True)
def own_things_closed() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture(scope="module", autouse=True)
def own_memory() -> Iterator[None]:
    """What the tests of a module have freed goes back to the machine once it is more than a gigabyte: glibc would keep
    it in pieces, and so would the collector, which a command that ends in this process lets search nothing more."""
    yield
    if sys.platform == "linux" and _resident_bytes() > 1_000_000_000:
        gc.unfreeze()
        gc.collect()
        getattr(ctypes.CDLL(None), "malloc_trim", int)(0)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
