"""Canaries in every secret variable: no output and no file of any command holds one, in any spelling."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[2]
KEY, SECRET = "PKCANARY00KEY11ID22", "canary/secret+key=33/44"
USER, PASSWORD, PATH, QUERY = "canaryuser55", "canarypass66word", "canarypath77token", "canaryquery88"
CANARIES = (KEY, SECRET, PASSWORD, PATH, QUERY)
KEYED = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}


def found_in(data: bytes) -> list[str]:
    """The canaries that stand in the bytes: plain, quoted, or in base64 wherever in the whole they begin."""
    found = []
    for canary in CANARIES:
        spelled = {canary.encode(), quote(canary, safe="").encode()}
        for shift in range(3):
            whole = base64.b64encode(b"x" * shift + canary.encode())
            spelled.add(whole[4 if shift else 0 : -4])
        if any(one in data for one in spelled):
            found.append(canary)
    return found


class _Refuses(BaseHTTPRequestHandler):
    """Answers 401 to everything and repeats what it was sent, as a careless proxy does."""

    def do_GET(self) -> None:
        said = f'{{"message": "refused {self.path} {dict(self.headers)!r}"}}'.encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """The address of a server that refuses everybody."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refuses)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class Place:
    """A project folder, a state folder, and canaries in the environment."""

    def __init__(self, folder: Path, refusing: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "config", folder / "project" / "config")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("APCA_", "REBALANCER_"))}
        self.environ = kept | {
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
            "REBALANCER_ALERT_WEBHOOK": f"http://{USER}:{PASSWORD}@{refusing}/{PATH}?key={QUERY}",
            "REBALANCER_HEARTBEAT_URL": f"http://{refusing}/{PATH}",
        }

    def run(self, *words: str, **more: str) -> bytes:
        """Both outputs of one command, of a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "rebalancer", *words],
            cwd=self.folder / "project",
            env=self.environ | more,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.stdout + b"\n" + done.stderr

    def files(self) -> Iterator[Path]:
        """Every file that the commands left behind."""
        return (path for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, refusing: str) -> Place:
    """One place after a whole simulated run."""
    place = Place(tmp_path_factory.mktemp("canary"), refusing)
    said = place.run("run-now")
    assert "✔ completed" in said.decode()
    assert found_in(said) == []
    return place


@pytest.mark.parametrize(
    "words",
    ["status --json", "explain XOM", "history", "alerts test", "config show --origin", "doctor"],
)
def test_no_command_shows_a_secret(place: Place, words: str) -> None:
    said = place.run(*words.split())
    assert len(said) > 20
    assert found_in(said) == []


@pytest.mark.parametrize("words", ["plan", "doctor"])
def test_a_refused_key_is_not_shown(place: Place, refusing: str, words: str) -> None:
    said = place.run(words, APCA_API_BASE_URL=f"http://{refusing}", REBALANCER_TRACEBACK="1", **KEYED)
    assert len(said) > 20
    assert found_in(said) == []


def test_a_broker_that_is_down_is_told_without_the_key(place: Place) -> None:
    said = place.run("plan", APCA_API_BASE_URL="http://127.0.0.1:1", **KEYED)
    assert b"error: " in said
    assert found_in(said) == []


def test_a_crash_with_its_traceback_shows_no_secret(place: Place) -> None:
    crash = (
        "import sys; from rebalancer.cli.errors import guarded\n"
        "def app(): raise RuntimeError(sys.argv[1:])\n"
        "sys.exit(guarded(app))"
    )
    environ = place.environ | KEYED | {"REBALANCER_TRACEBACK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", crash, *CANARIES], env=environ, capture_output=True, timeout=60, check=False
    )
    assert b"Traceback" in done.stderr
    assert b"RuntimeError" in done.stderr
    assert found_in(done.stdout + done.stderr) == []


def test_no_file_holds_a_secret(place: Place) -> None:
    kept = list(place.files())
    assert any(path.suffix == ".html" for path in kept)
    assert {str(path): found for path in kept if (found := found_in(path.read_bytes()))} == {}


@pytest.mark.parametrize("canary", CANARIES)
def test_the_search_finds_a_leak(canary: str) -> None:
    basic = base64.b64encode(f"{USER}:{canary}@".encode())
    for leak in (canary.encode(), quote(canary, safe="").encode(), basic):
        assert found_in(b"before " + leak + b" after") == [canary]
