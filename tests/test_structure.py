"""The house: no circles between files, no public class name in two rooms, no module called by a private word,
no file too long."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
APART = {"exchange", "testing"}  # rooms that share no vocabulary with the rest
PRIVATE = {
    "night", "glide", "leave", "judge", "doubt", "bar", "aim", "room", "measure", "draft", "trip", "purse",
    "story", "stories", "tally", "sheet", "sheets", "glance", "glance_more", "witness", "pace", "stretches",
    "telling", "desk", "desk_alerts", "desk_notes", "desk_watch", "postman", "weigh", "admit",
}  # fmt: skip
PRIVATE_PARTS = PRIVATE - {"bar", "measure", "trip", "draft", "admit", "leave", "room", "doubt", "desk_alerts"} | {
    "told",
    "wish",
}
ALLOWED = {"rebalancer.cli.desk"}
CONTRACTS = {"overnight_glide_minutes"}  # names of keys in files
MOST_LINES = 350


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "rebalancer").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree: ast.Module, known: dict[str, Path]) -> Iterator[str]:
    """Every module of ours that a file imports: also for types only, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            for name in node.names:
                full = f"{node.module}.{name.name}"
                if full in known:
                    yield full
                elif node.module in known:
                    yield str(node.module)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Take away what imports nothing that is left; what cannot be taken away stands in a circle or above one."""
    left = {name: set(others) for name, others in graph.items()}
    for _ in range(2):  # from below, then from above
        while done := {name for name, others in left.items() if not others & left.keys()}:
            left = {name: others for name, others in left.items() if name not in done}
        turned: dict[str, set[str]] = {name: set() for name in left}
        for name, others in left.items():
            for other in others & left.keys():
                turned[other].add(name)
        left = turned
    return [[name, *sorted(others)] for name, others in sorted(left.items())]


def named(tree: ast.Module) -> Iterator[str]:
    """Every name that a file gives: functions, classes, arguments, variables, fields."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def test_nothing_is_called_by_a_private_word() -> None:
    found = {
        f"{module}: {name}"
        for module, path in modules().items()
        for name in named(ast.parse(path.read_text()))
        if name not in CONTRACTS and PRIVATE_PARTS & {part.lower() for part in re.split(r"_|(?<=[a-z])(?=[A-Z])", name)}
    }
    assert found == set()


def test_no_circles_between_files() -> None:
    known = modules()
    graph = {name: set(imported(ast.parse(path.read_text()), known)) - {name} for name, path in known.items()}
    assert circles(graph) == []


def test_a_circle_would_be_found() -> None:
    graph: dict[str, set[str]] = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert circles(graph) == [["b", "c"], ["c", "b"]]


def test_no_public_class_name_in_two_rooms() -> None:
    rooms: defaultdict[str, set[str]] = defaultdict(set)
    for path in modules().values():
        room = path.relative_to(ROOT / "rebalancer").parts[0]
        if room not in APART:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    rooms[node.name].add(room)
    assert {name: sorted(where) for name, where in rooms.items() if len(where) > 1} == {}


def test_no_module_is_called_by_a_private_word() -> None:
    names = {name for name in modules() if name.rpartition(".")[2] in PRIVATE}
    assert names - ALLOWED == set()


def test_every_room_says_what_it_holds() -> None:
    silent = []
    for folder in sorted((ROOT / "rebalancer").iterdir()):
        init = folder / "__init__.py"
        if init.exists() and not ast.get_docstring(ast.parse(init.read_text())):
            silent.append(folder.name)
    assert silent == []


def test_no_file_is_too_long() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules().values()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_paths_in_scripts_exist() -> None:
    scripts = [ROOT / ".ci" / "run", *ROOT.glob("*.sh"), *(ROOT / "scripts").glob("*.sh")]
    named = {word for script in scripts for word in re.findall(r"\b(?:tests|scripts)/[\w/.-]*\w", script.read_text())}
    assert sorted(word for word in named if not (ROOT / word).exists()) == []
    assert "tests/alerts" in named
