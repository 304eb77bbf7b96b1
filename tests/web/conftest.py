"""A real server in a process of its own, on loopback, beside a real journal; and requests as programs make them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
import requests

from rebalancer.ops.clock import SystemClock
from rebalancer.web.tokens import add_token

ROOT = Path(__file__).parents[2]
SCOPES = ("read", "signals", "execute", "kill")


class Server(NamedTuple):
    """A running server: the URLs of both listeners, its state folder, and tokens by name."""

    url: str
    hooks: str
    state: Path
    tokens: Mapping[str, str]
    process: subprocess.Popen[str]

    def ask(self, method: str, path: str, token: str | None = "all", **more: Any) -> requests.Response:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {self.tokens[token]}"
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + path, headers=headers, timeout=60, **more)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APCA_", "REBALANCER", "XDG_"))}
    return kept | {
        "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "cfg"),
        "XDG_RUNTIME_DIR": "", "OPENBLAS_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rebalancer", *words],
        cwd=folder / "project", env=environment(folder), capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def project_in(folder: Path, web: str = "") -> Path:
    """A project with the shipped configuration and this `web` section; its state folder."""
    shutil.copytree(ROOT / "config", folder / "project" / "config")
    path = folder / "project" / "config" / "execution.yaml"
    text = re.sub(r"^web:.*?\n(?=\S)", "", path.read_text(), flags=re.M | re.S)
    own = f"enabled: true, listen: '127.0.0.1:0', hooks_listen: '127.0.0.1:0', requests_per_minute: 1000000{web}"
    path.write_text(f"{text}\nweb: {{{own}}}\n")
    state = folder / "state" / "rebalancer" / "simulated"
    state.mkdir(parents=True, mode=0o700)
    return state


def start(folder: Path, state: Path) -> Server:
    """Start a server, with a token for every scope and one for all."""
    path = state / "web-tokens.json"
    now = SystemClock().wall()
    tokens = {scope: add_token(path, scope, [scope], now, replace=True) for scope in (*SCOPES, "hook")}
    tokens["all"] = add_token(path, "all", SCOPES, now, replace=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", "web", "serve"],
        cwd=folder / "project", env=environment(folder), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = process.stderr.readline()
    found = re.match(r"web: (\S+), hooks: (\S+)/hooks \(simulated\)", said)
    assert found is not None, said + process.stderr.read()
    threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
    return Server(found[1], found[2], state, tokens, process)


def _drain(stream: IO[str]) -> None:
    with stream:
        stream.read()


@pytest.fixture(scope="session")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which one cycle has traded on the bundled sample."""
    folder = tmp_path_factory.mktemp("traded")
    project_in(folder)
    done = command(folder, "run-now")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def server(traded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a copy of that project."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(traded, folder, dirs_exist_ok=True)
    running = start(folder, folder / "state" / "rebalancer" / "simulated")
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0
