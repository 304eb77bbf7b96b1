"""News fragments and the changelog: `towncrier` assembles one from the other, for the version that the package has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rebalancer.version import __version__

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.(?P<kind>[a-z]+)\.md")
TEMPLATE = "template.md.jinja"


def settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return found


def wrong_names(changes: Path) -> list[str]:
    """The files in a folder of fragments that `towncrier` would leave out in silence."""
    known = settings()["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in known["type"]}
    subjects = {section["path"] for section in known["section"]}
    wrong = []
    for file in sorted(path for path in changes.rglob("*") if path.is_file()):
        place = file.relative_to(changes)
        subject = "" if place.parent == Path() else place.parent.as_posix()
        name = NAME.fullmatch(file.name)
        is_known = name is not None and name["kind"] in kinds and subject in subjects
        if not is_known and place.as_posix() not in (TEMPLATE, "README.md"):
            wrong.append(place.as_posix())
    return wrong


def draft(project: Path) -> str:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--date", "2027-01-15", "--dir", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=project)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_version_stands_in_one_place_and_the_changelog_begins_with_it() -> None:
    headings = re.findall(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0][0] == __version__
    assert headings == sorted(headings, key=lambda row: tuple(map(int, row[0].split("."))), reverse=True)
    project = settings()
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "rebalancer/version.py"}


def test_every_fragment_has_a_name_that_is_read() -> None:
    assert wrong_names(ROOT / "changes") == []
    folders = {place.name for place in (ROOT / "changes").iterdir() if place.is_dir()}
    assert folders <= {section["path"] for section in settings()["tool"]["towncrier"]["section"]}
    assert draft(ROOT).startswith(f"## {__version__} (2027-01-15)\n")


@pytest.mark.parametrize(
    "name", ["a.news.md", "a.md", "trading/A.new.md", "orders/a.new.md", "a.new.md.bak", "trading/a"]
)
def test_a_fragment_that_would_be_left_out_is_found(tmp_path: Path, name: str) -> None:
    for file in (name, TEMPLATE, "a.upgrade.md", "trading/a-2.fixed.md"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("Text.\n")
    assert wrong_names(tmp_path) == [name]


def test_fragments_become_a_section_by_kind_and_subject(tmp_path: Path) -> None:
    for file in ("pyproject.toml", "CHANGELOG.md", f"changes/{TEMPLATE}", "rebalancer/version.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "rebalancer" / "__init__.py").write_text("from rebalancer.version import __version__\n")
    for file, text in {
        "signals/b.new.md": "A new format:\n`x`, and\n`y`.\n",
        "signals/a.new.md": "A source.\n",
        "trading/a.new.md": "An order type.",
        "trading/a.fixed.md": "A price.\n",
        "old-key.upgrade.md": "Rename the key.\n",
    }.items():
        (tmp_path / "changes" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "changes" / file).write_text(text)
    section = f"""\
## {__version__} (2027-01-15)

### To do when upgrading

- Rename the key.

### New

#### Planning and orders

- An order type.

#### Signals

- A source.
- A new format:
  `x`, and
  `y`.

### Fixed

#### Planning and orders

- A price.
"""
    assert draft(tmp_path).rstrip("\n") + "\n" == section
