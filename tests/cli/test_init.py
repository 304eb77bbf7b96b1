"""`init`: what it leaves, what it asks a person at a terminal, and that each answer stands in the rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rebalancer.cli.init import QUESTIONS, with_answers
from rebalancer.cli.project_files import KEYS, PROJECT_FILES, WRITTEN, shipped
from rebalancer.cli.sample_files import SAMPLES
from rebalancer.core.rules import Rules
from rebalancer.settings.load import load_rules
from rebalancer.settings.secrets.env_file import read_env_file
from rebalancer.settings.secrets.secret import SECRET_NAMES
from tests.cli.conftest import Command
from tests.cli.terminal import at_a_terminal

RULES = Path("config", "execution.yaml")


def test_it_writes_the_shipped_rules_and_one_sample_of_every_form_and_asks_nobody(
    command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    done = command("init", str(folder))
    assert done.code == 0
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    written = sorted([*PROJECT_FILES, *WRITTEN, *(f"samples/{name}" for name in SAMPLES)])
    assert names == sorted([".interpreter", *written])
    assert (folder / RULES).read_text() == shipped("config/execution.yaml")
    assert "[" not in done.err
    assert {f"written: {folder / name}" for name in written} == set(done.out.splitlines())
    again = command("init", str(folder))
    assert (again.code, again.out) == (0, "")
    assert again.err.count("kept:    ") == len(written)


def test_nothing_of_it_is_traded_and_the_scores_can_be_read(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new"
    command("init", str(folder))
    monkeypatch.chdir(folder)
    assert "configuration: ok (no signals yet: the bundled sample is traded; " in command("config", "check").err
    for name, count in {"scores.csv": 3, "signals.json": 2}.items():
        copy = folder / "signals" / name
        copy.write_text((folder / "samples" / name).read_text())
        assert f"configuration: ok ({count} signals" in command("config", "check").err
        copy.unlink()


def test_every_sample_is_whole_and_named_in_the_readme() -> None:
    assert [name for name in SAMPLES if f"`{name}`" not in SAMPLES["README.md"]] == ["README.md"]
    for name, text in SAMPLES.items():
        assert text.endswith("\n"), name
        if name.endswith(".json"):
            json.loads(text)
        if name.endswith(".csv"):
            assert len({line.count(",") for line in text.splitlines()}) == 1


ANSWERS = {
    "broker.kind": ("embedded", "embedded"),
    "signals.sample": ("own", "never"),
    "signals.universe": ("AAPL, brk.b,ON", ["AAPL", "BRK.B", "ON"]),
    "position_sizing.capital_scaling": ("1", 1.0),
    "execution.schedule": ("weekly last 15:45", "weekly last 15:45"),
    "position_sizing.fractional": ("yes", True),
    "protection.mode": ("off", "off"),
    "alerts.email_to": ("me@example.com", "me@example.com"),
}


def test_a_person_is_asked_eight_questions_and_the_answers_stand_in_the_rules(tmp_path: Path) -> None:
    assert [question.key for question in QUESTIONS] == list(ANSWERS)
    assert len(QUESTIONS) == 8
    seen = at_a_terminal(tmp_path, "".join(f"{typed}\n" for typed, _ in ANSWERS.values()), "init", "new")
    assert seen.code == 0
    assert all(question.text in seen.text.replace("\r\n", "\n") for question in QUESTIONS)
    rules = load_rules([tmp_path / "new" / RULES], {}).rules
    for key, (_, wanted) in ANSWERS.items():
        section, _, name = key.partition(".")
        assert getattr(getattr(rules, section), name) == wanted
    changed = [
        (before, after)
        for before, after in zip(
            shipped("config/execution.yaml").splitlines(),
            (tmp_path / "new" / RULES).read_text().splitlines(),
            strict=True,
        )
        if before != after
    ]
    assert len(changed) == 8
    assert all(before.partition("#")[2] == after.partition("#")[2] for before, after in changed)


def test_a_person_at_80_columns_sees_every_line_whole(tmp_path: Path) -> None:
    seen = at_a_terminal(tmp_path, "".join(f"{typed}\n" for typed, _ in ANSWERS.values()), "init", "new")
    lines = [line for line in seen.text.replace("\r\n", "\n").splitlines() if not line.startswith("written: ")]
    assert max(map(len, lines)) <= 80
    assert f"  mv {KEYS} ~/.config/" in lines
    assert "  cd new" in lines


def test_the_template_of_keys_is_private_and_reads_as_an_empty_file_of_keys(command: Command, tmp_path: Path) -> None:
    command("init", str(tmp_path / "new"))
    path = tmp_path / "new" / KEYS
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_env_file(path) == {}
    named = set(re.findall(r"^#([A-Z_]+)=", path.read_text(), re.M))
    assert {"APCA_API_KEY_ID", "APCA_API_SECRET_KEY"} <= named <= set(SECRET_NAMES)
    path.write_text("APCA_API_KEY_ID=mine\n")
    command("init", str(tmp_path / "new"))
    assert path.read_text() == "APCA_API_KEY_ID=mine\n"
    assert KEYS in (tmp_path / "new" / ".gitignore").read_text().splitlines()


def test_a_link_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / KEYS).symlink_to(tmp_path / "elsewhere")
    assert command("init", str(tmp_path / "new")).code == 0
    assert not (tmp_path / "elsewhere").exists()


def test_enter_and_the_end_of_input_take_the_defaults(tmp_path: Path) -> None:
    for folder, typed in (("enter", "\n" * 8), ("end", "\n\x04"), ("wrong", "nowhere\n" * 3 + "\x04")):
        seen = at_a_terminal(tmp_path, typed, "init", folder)
        assert seen.code == 0
        assert (tmp_path / folder / RULES).read_text() == shipped("config/execution.yaml")
        assert ("write auto or embedded or alpaca" in seen.text) is (folder == "wrong")
    assert load_rules([tmp_path / "enter" / RULES], {}).rules == Rules()


def test_a_wrong_answer_is_asked_again_with_what_to_write(tmp_path: Path) -> None:
    typed = "\n\n?\n\n9\n1.5\ndaily 9:30\ndaily 09:30\n\n\nme\nnobody\n"
    seen = at_a_terminal(tmp_path, typed, "init", "new")
    assert "a number above 0, at most 4, such as 1 or 2.0" in seen.text
    assert "daily 9:30: hours have two digits: write it as: daily 09:30" in seen.text
    assert "an address such as you@example.com, or nobody" in seen.text
    rules = load_rules([tmp_path / "new" / RULES], {}).rules
    assert (rules.position_sizing.capital_scaling, rules.execution.schedule) == (1.5, "daily 09:30")


def test_yes_and_rules_that_are_there_ask_nothing(tmp_path: Path) -> None:
    assert "Leverage:" not in at_a_terminal(tmp_path, "", "init", "new", "--yes").text
    assert "Leverage:" not in at_a_terminal(tmp_path, "", "init", "new").text


def test_every_question_has_a_default_that_it_accepts() -> None:
    for question in QUESTIONS:
        value = question.value_of(question.default)
        text = with_answers(shipped("config/execution.yaml"), {question.key: value})
        assert f"{question.key.partition('.')[2]}: {value}" in text
