"""What the canary tests share: known secrets, the search for them, a careless server, and a place to run commands."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

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


class Refuses(BaseHTTPRequestHandler):
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


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on loopback during the block; yields host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Place:
    """A project folder, a state folder, and canaries in the environment."""

    def __init__(self, folder: Path, alerts: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "config", folder / "project" / "config")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("APCA_", "REBALANCER_"))}
        self.environ = kept | {
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
            "REBALANCER_ALERT_WEBHOOK": f"http://{USER}:{PASSWORD}@{alerts}/{PATH}?key={QUERY}",
            "REBALANCER_HEARTBEAT_URL": f"http://{alerts}/{PATH}",
        }

    def run(self, *words: str, **more: str) -> bytes:
        """Both outputs of one command, of a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "rebalancer", *words],
            cwd=self.folder / "project",
            env=self.environ | more,
            capture_output=True,
            timeout=600,
            check=False,
        )
        return done.stdout + b"\n" + done.stderr

    def files(self) -> Iterator[Path]:
        """Every file that the commands left behind."""
        return (path for path in self.folder.rglob("*") if path.is_file())
