"""A database that is configured in any way is never mistaken for a file: in doubt the configuration itself is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.settings.journal_address import names_database

URL = "postgresql://anna@db/trading"


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        (f"journal:\n  url: {URL}\n", True),
        (f"journal: {{url: {URL}}}\n", True),
        (f'journal: {{"url": "{URL}"}}\n', True),
        (f"journal:\n  'url': '{URL}'\n", True),
        (f"journal:\n  url: >-\n    {URL}\n", True),
        ("journal:\n  url: POSTGRES://anna#1@db/trading\n", True),
        (f"journal:\n  url: null  # {URL}\n", False),
        (f"#  url: {URL}\n", False),
        ("journal:\n  lease_seconds: 60\n", False),
        (f"journal:\n  mirror_url: {URL}\n", False),
        (f'journal: {{"mirror_url": "{URL}", "url": "{URL}"}}\n', True),
        ("#" * 1_000_001, True),
    ],
    ids=[
        "block",
        "flow",
        "quoted",
        "key quoted",
        "folded",
        "capitals",
        "comment",
        "commented out",
        "none",
        "a mirror alone",
        "both",
        "too large",
    ],
)
def test_however_a_file_names_it(text: str, is_named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    profile = tmp_path / "config" / "profiles" / "growth.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text(text)
    assert names_database({"REBALANCER_PROFILE": "growth", "XDG_CONFIG_HOME": str(tmp_path / "config")}) is is_named


@pytest.mark.parametrize(
    ("line", "is_named"),
    [
        (f"REBALANCER__JOURNAL__URL={URL}", True),
        (f"#X={URL}", False),
        (f"REBALANCER__JOURNAL__MIRROR_URL='{URL}'", False),
    ],
)
def test_the_env_file(line: str, is_named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "paper-trading.env").write_text(f"{line}\n")
    assert names_database({"XDG_CONFIG_HOME": str(tmp_path)}) is is_named
