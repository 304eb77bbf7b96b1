"""The generated pages are current, and everything that has a name is in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
import typer.main

from rebalancer.alerts.codes import ALERT_CODES
from rebalancer.cli.commands import app
from rebalancer.cli.exit_codes import AFTER_SIGNALS, ExitCode
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.settings.kinds import every_key
from tests.docs.pages import FOLDER, PAGES, ROOT, notes_of, walked

LEVELS = {"info", "warning", "action"}


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run: python -m tests.docs"


def test_every_command_and_option_is_in_the_reference() -> None:
    page = (FOLDER / "commands.md").read_text()
    sections = {part.partition("`")[0]: part for part in page.split("\n## `rebalancer ")[1:]}
    found = {" ".join(path): command for path, command in walked(typer.main.get_command(app), ())}
    for path, command in found.items():
        (section,) = [part for title, part in sections.items() if re.sub(r" \[?[A-Z_]+\]?", "", title) == path]
        assert command.help, path
        for parameter in command.params:
            if parameter.param_type_name == "option" and "--help" not in parameter.opts:
                assert f"`{', '.join(parameter.opts)}" in section, (path, parameter.opts)
                assert parameter.help, (path, parameter.opts)
    assert len(sections) == len(found) > 20


def test_every_key_has_its_words() -> None:
    notes = notes_of((ROOT / "config" / "execution.yaml").read_text())
    assert [key for key, _ in every_key() if not notes.get(key)] == []
    page = (FOLDER / "configuration.md").read_text()
    assert [key for key, _ in every_key() if f"\n| `{key.rpartition('.')[2]}` |" not in page] == []


def test_every_outcome_state_and_exit_code_is_in_the_reference() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (FOLDER / "outcomes.md").read_text(), re.M)
    codes = [*(code.value for code in ExitCode), *AFTER_SIGNALS]
    assert rows == [*Outcome, *CycleOutcome, *OrderState, *map(str, codes)]


def codes_in_source() -> Iterator[str]:
    """The codes of all alerts that the program writes, as far as they are constants: values of a key `code`, the
    code given to `alert_row`, arguments beside a level, and constants called CODE, REASON, ANOTHER or SUMMARY."""
    for path in sorted((ROOT / "rebalancer").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
                if {"level", "code"} <= {*keys}:
                    yield from _constants(node.values[keys.index("code")])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "alert_row":
                yield from _constants(node.args[2])
            elif isinstance(node, ast.Call):
                words = [*node.args, *(keyword.value for keyword in node.keywords)]
                texts = [text for word in words for text in _constants(word)]
                if LEVELS & {*texts} and "alert" in ast.unparse(node.func).lower():
                    yield from (
                        text for text in texts if re.fullmatch(r"[a-z]+(_[a-z]+)*", text) and text not in LEVELS
                    )


def _constants(node: ast.AST) -> Iterator[str]:
    """The texts in an expression; of one with a placeholder its first word, when a placeholder follows that."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        first, _, rest = str(node.values[0].value).partition(" ")
        yield from () if rest else (first,)
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def test_every_alert_code_of_the_program_is_in_the_runbook() -> None:
    found = set(codes_in_source())
    assert {"halted", "constrained", "doubt", "exit_failed", "preflight", "backup"} <= found
    assert found - ALERT_CODES.keys() == set()


def test_every_code_of_the_runbook_is_written_somewhere() -> None:
    files = [path for path in (ROOT / "rebalancer").rglob("*.py") if path.name != "codes.py"]
    source = "\n".join(path.read_text() for path in files)
    assert [code for code in ALERT_CODES if not re.search(rf"[\"']{code}[\"' ]", source)] == []


def test_every_paragraph_of_the_runbook_says_what_to_do() -> None:
    page = (FOLDER / "alert-codes.md").read_text()
    for part in page.split("\n## ")[1:]:
        assert "**Means.** " in part
        assert "**What to do.** " in part
    assert re.findall(r"^## `(\w+)`", page, re.M) == list(ALERT_CODES)
