"""One-time codes and browser sessions: once, for so long, and nothing in the file that would log anybody in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.web.logins import (
    CODE_LASTS,
    CODES_MAX,
    SESSION_LASTS,
    LoginFile,
    add_code,
    cookie_name,
    end_sessions,
    read_logins,
    redeem,
)
from tests.web.conftest import command, project_in

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web-logins.json"


def test_a_code_works_once_and_its_session_for_twelve_hours(path: Path) -> None:
    code = add_code(path, NOON)
    text = redeem(path, code, NOON + CODE_LASTS - SECOND)
    assert text is not None
    assert redeem(path, code, NOON) is None
    begun = NOON + CODE_LASTS - SECOND
    found = LoginFile(path).find(text, begun)
    assert found is not None
    assert (found.scopes, re.fullmatch("browser [0-9a-f]{6}", found.name) is not None) == (("read", "kill"), True)
    assert LoginFile(path).find(text, begun + SESSION_LASTS - SECOND) is not None
    assert LoginFile(path).find(text, begun + SESSION_LASTS) is None
    assert LoginFile(path).find(text, begun - SECOND) is None  # a clock that was set back
    assert LoginFile(path).find("", begun) is None


def test_an_old_code_logs_nobody_in(path: Path) -> None:
    code = add_code(path, NOON)
    assert redeem(path, code, NOON + CODE_LASTS) is None
    assert redeem(path, code[:-1], NOON) is None
    assert redeem(path, "", NOON) is None


def test_the_file_keeps_hashes_alone_and_is_private(path: Path) -> None:
    code = add_code(path, NOON)
    text = redeem(path, add_code(path, NOON), NOON)
    assert text is not None
    written = path.read_text()
    assert code not in written
    assert text not in written
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(BadDocument):
        read_logins(path)


def test_sessions_end_alone_or_together(path: Path) -> None:
    texts = [redeem(path, add_code(path, NOON), NOON) for _ in range(3)]
    file = LoginFile(path)
    sessions = [file.find(text or "", NOON) for text in texts]
    assert sessions[0] is not None
    assert end_sessions(path, NOON, sessions[0].sha256) == 1
    assert [file.find(text or "", NOON) is not None for text in texts] == [False, True, True]
    waiting = add_code(path, NOON)
    assert end_sessions(path, NOON) == 2
    assert [file.find(text or "", NOON) for text in texts] == [None, None, None]
    assert redeem(path, waiting, NOON) is None


def test_forgotten_codes_do_not_pile_up(path: Path) -> None:
    codes = [add_code(path, NOON) for _ in range(CODES_MAX + 5)]
    assert len(read_logins(path).codes) == CODES_MAX
    assert redeem(path, codes[0], NOON) is None
    assert redeem(path, codes[-1], NOON) is not None


@given(st.text(max_size=300))
def test_no_text_is_a_session(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "law-logins.json"
    if not path.exists():
        redeem(path, add_code(path, NOON), NOON)
    assert LoginFile(path).find(text, NOON) is None
    assert redeem(path, text, NOON) is None


def test_cookies_are_told_apart_by_port() -> None:
    hosts = ("127.0.0.1:8787", "[::1]:8788", "desk.example", "localhost:80")
    assert [cookie_name(host, is_secure=False) for host in hosts] == [
        "rebalancer-8787", "rebalancer-8788", "rebalancer-80", "rebalancer-80",
    ]  # fmt: skip
    assert cookie_name("desk.example:8443", is_secure=True) == "__Host-rebalancer-8443"


def test_the_commands(tmp_path: Path) -> None:
    state = project_in(tmp_path)
    made = command(tmp_path, "web", "login", "--port", "8787")
    assert made.returncode == 0, made.stderr
    found = re.fullmatch(r"http://127\.0\.0\.1:8787/login#([A-Za-z0-9_-]{32})\n", made.stdout)
    assert found is not None
    now = datetime.now(UTC)
    assert redeem(state / "web-logins.json", found[1], now) is not None
    without = command(tmp_path, "api", "login")
    assert without.stderr.startswith("no server runs here yet")
    assert command(tmp_path, "web", "logout").stdout == "1 browser session ended\n"
