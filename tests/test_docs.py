"""The documents: links lead somewhere, named pages exist, tutorials run as they are written."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from rebalancer.core.rules import Rules
from tests.cli.conftest import Command, command, project  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[1]
KINDS = ["explanation", "how-to", "reference", "tutorials"]
TEXTS = {".md", ".py", ".yaml", ".json", ".sh", ".service", ".timer", ".toml"}


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "signals" / "README.md"]


def test_every_link_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_page_that_code_or_configuration_names_exists() -> None:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    found = {
        f"{name}: {page}"
        for name in listed.stdout.split()
        if Path(name).suffix in TEXTS and (ROOT / name).is_file()
        for page in re.findall(r"\bdocs/[\w/-]+\.md", (ROOT / name).read_text(errors="replace"))
        if not (ROOT / page).exists()
    }
    assert found == set()


def test_every_page_has_a_kind_and_stands_in_the_index() -> None:
    docs = ROOT / "docs"
    assert sorted(path.name for path in docs.glob("*.md")) == ["README.md"]
    index = set(re.findall(r"\]\(([\w/.-]+\.md)\)", (docs / "README.md").read_text()))
    assert {str(page.relative_to(docs)) for kind in KINDS for page in (docs / kind).glob("*.md")} <= index
    assert sorted(path.name for path in docs.iterdir() if path.is_dir()) == sorted(
        [*KINDS, "decisions", "pictures", "site"]
    )


def test_the_readme_says_first_what_a_newcomer_gets_and_risks() -> None:
    opening = " ".join((ROOT / "README.md").read_text().partition("## Trade your own")[0].split())
    sizing = Rules().position_sizing
    capital, most = sizing.capital_scaling, sizing.capital_scaling * sizing.max_total_exposure
    assert "./run_execution_trading_now.sh" in opening[:700]
    assert f"Capital is {capital:g} x equity and up to {sizing.max_total_exposure:.0%}".replace("%", " %") in opening
    assert f"may reach {most:g} x equity" in opening
    assert "`capital_scaling: 1.0` under `position_sizing` in `config/execution.yaml`" in opening
    assert "**It trades on sample signals**" in opening
    assert not re.search(r"python -m rebalancer\b", (ROOT / "README.md").read_text())


@pytest.mark.parametrize("name", ["first-day", "own-signals"])
def test_a_tutorial_runs_as_it_is_written(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    Path("signals").mkdir()
    blocks = re.findall(r"^ {7}(\S.*)$", (ROOT / "docs" / "tutorials" / f"{name}.md").read_text(), re.M)
    assert any(line.startswith("rebalancer ") for line in blocks)
    for line in blocks:
        program, *words = shlex.split(line)
        if program == "rebalancer":
            said = command(*words)
            assert (line, said.code, said.err if said.code else "") == (line, 0, "")
        elif program == "printf":
            subprocess.run(["sh", "-c", line], check=True)
        else:
            assert line == "./run_execution_trading_now.sh"
            assert command("run-now").code in (0, 4)
