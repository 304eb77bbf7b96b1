"""Canaries in every secret variable: no output and no file of any command holds one, in any spelling."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.ops.canary import CANARIES, KEYED, USER, Place, Refuses, found_in, serving


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """The address of a server that refuses everybody."""
    with serving(Refuses) as address:
        yield address


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
        [sys.executable, "-c", crash, *CANARIES], env=environ, capture_output=True, timeout=600, check=False
    )
    assert b"Traceback" in done.stderr
    assert b"RuntimeError" in done.stderr
    assert found_in(done.stdout + done.stderr) == []


def test_a_played_day_shows_no_secret(place: Place) -> None:
    few = {"REBALANCER__EXECUTION__INTERVAL_MINUTES": "200", "REBALANCER__PROTECTION__POLL_SECONDS": "3600"}
    said = place.run("session", "--speed", "100000", "-v", REBALANCER_LOG="json", **few)
    assert b" is closed" in said
    assert found_in(said) == []


def test_no_file_holds_a_secret(place: Place) -> None:
    kept = list(place.files())
    assert any(path.suffix == ".html" for path in kept)
    assert {str(path): found for path in kept if (found := found_in(path.read_bytes()))} == {}


@pytest.mark.parametrize("canary", CANARIES)
def test_the_search_finds_a_leak(canary: str) -> None:
    basic = base64.b64encode(f"{USER}:{canary}@".encode())
    for leak in (canary.encode(), quote(canary, safe="").encode(), basic):
        assert found_in(b"before " + leak + b" after") == [canary]
