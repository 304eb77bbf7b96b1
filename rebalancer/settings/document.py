"""Read YAML as text with line numbers only: no types, no tags, no anchors, no repeated keys.

YAML infers types, and does so wrongly for tickers (ON and NO become booleans) and times (15:55 becomes 955). So scalars
are not interpreted here; `convert.py` does it, knowing what type the rules expect at each key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from rebalancer.core.documents import BadDocument, is_whole_text
from rebalancer.ops.files import read_settled
from rebalancer.settings.origin import BadConfiguration, Origin, Problem

SIZE_MAX: Final = 1024 * 1024
_HALF: Final = "holds half a character (a lone surrogate)"
DEPTH_MAX: Final = 12
NODES_MAX: Final = 20_000
_KEY_ID: Final = re.compile(r"(?:PK|AK|CK)[A-Z0-9]{16,30}")
_SECRET: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9+]{40,64}")


class Scalar(NamedTuple):
    """One scalar as written; `plain` if it was not quoted."""

    text: str
    plain: bool
    origin: Origin


class Entry(NamedTuple):
    """One key of a mapping; `origin` is the line of the key."""

    key: str
    origin: Origin
    value: Node


class YamlTable(NamedTuple):
    """A YAML mapping in the order written. Keys are unique."""

    entries: tuple[Entry, ...]
    origin: Origin


class Listing(NamedTuple):
    """A YAML sequence."""

    items: tuple[Node, ...]
    origin: Origin


Node = Scalar | YamlTable | Listing


def read_file(path: Path, problems: list[Problem]) -> YamlTable:
    """Read one configuration file; an empty one is an error. Errors that leave the rest readable are added to
    `problems`. Raises BadDocument for a file that cannot be read at all."""
    name = str(path)
    node = parse(read_settled(path, SIZE_MAX).text, Origin("file", name, 1), problems)
    if node is None:
        raise BadDocument(name, "is empty", "was it written completely? Write at least one section, or leave it out")
    if not isinstance(node, YamlTable):
        raise BadConfiguration([Problem(node.origin, "", "is not a table of sections", "begin with 'execution:'")])
    return node


def parse(text: str, origin: Origin, problems: list[Problem]) -> Node | None:
    """Parse one YAML document; None when it is empty. Raises BadConfiguration when it is not YAML.

    origin: of the first line; for a file, lines are counted from it. Repeated keys, merge keys and secrets are added to
    `problems`; secrets are masked in the result.
    """
    if not is_whole_text(text):
        raise BadConfiguration([Problem(origin, "", _HALF, "write the value again, in UTF-8")])
    try:
        loader = _Composer(text, origin)
        root = loader.get_single_node()
        return None if root is None else _node(root, "", loader, problems)
    except _Refused as error:
        raise BadConfiguration([error.problem]) from None
    except yaml.YAMLError as error:
        raise BadConfiguration([_syntax_problem(error, origin)]) from None


class _Refused(yaml.YAMLError):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class _Composer(yaml.SafeLoader):
    """PyYAML's safe loader up to the node graph, without type inference and without shared nodes."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - the name is PyYAML's

    def __init__(self, text: str, origin: Origin) -> None:
        super().__init__(text)
        self._origin, self._depth, self._nodes = origin, 0, 0

    def place(self, mark: yaml.Mark | None) -> Origin:
        """The origin of a PyYAML mark in this text."""
        return _place(self._origin, mark)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, after refusing constructs that could hide a value or have unbounded cost."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        here = self.place(event.start_mark)
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(Problem(here, "", "aliases (*name) are not allowed", "write the value out"))
        if anchor is not None:
            raise _Refused(Problem(here, "", "anchors (&name) are not allowed", "write the value where it is needed"))
        if tag is not None:
            raise _Refused(Problem(here, "", f"the tag {tag[:60]!r} is not allowed", "write the value without a tag"))
        self._nodes += 1
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _Refused(Problem(here, "", f"is nested deeper than {DEPTH_MAX} levels"))
        if self._nodes > NODES_MAX:
            raise _Refused(Problem(here, "", f"has more than {NODES_MAX} values"))
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _node(node: yaml.Node, key: str, loader: _Composer, problems: list[Problem]) -> Node:
    here = loader.place(node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        if not is_whole_text(node.value):
            raise BadConfiguration([Problem(here, key, _HALF, "write the character itself, in UTF-8")])
        return Scalar(without_secret(node.value, here, key, problems), node.style is None, here)
    if isinstance(node, yaml.SequenceNode):
        return Listing(tuple(_node(n, f"{key}[{i}]", loader, problems) for i, n in enumerate(node.value)), here)
    assert isinstance(node, yaml.MappingNode)
    entries: dict[str, Entry] = {}
    for key_node, value_node in node.value:
        at = loader.place(key_node.start_mark)
        name = _key_name(key_node, at, key, problems)
        if name is None:
            continue
        dotted = f"{key}.{name}".lstrip(".")
        if name in entries:
            first = entries[name].origin
            problems.append(Problem(at, dotted, f"appears twice, first in line {first.line}", "keep one of them"))
        entries[name] = Entry(name, at, _node(value_node, dotted, loader, problems))
    return YamlTable(tuple(entries.values()), here)


def _key_name(node: yaml.Node, at: Origin, parent: str, problems: list[Problem]) -> str | None:
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        problems.append(Problem(at, parent, "a key must be one word", "write 'key: value'"))
        return None
    if node.value == "<<" and node.style is None:
        problems.append(Problem(at, parent, "merge keys (<<) are not allowed", "write the keys out"))
        return None
    return without_secret(node.value, at, parent, problems)


def without_secret(text: str, at: Origin, key: str, problems: list[Problem]) -> str:
    """The text; if it looks like an API key or secret, adds a problem and returns asterisks instead."""
    if not (_KEY_ID.fullmatch(text) or _SECRET.fullmatch(text)):
        return text
    hint = "keys go to APCA_API_KEY_ID and APCA_API_SECRET_KEY only; renew this one if anybody saw it"
    problems.append(Problem(at, key, "holds what looks like a secret", hint))
    return "***"


def _place(origin: Origin, mark: yaml.Mark | None) -> Origin:
    if mark is None or origin.kind != "file":
        return origin
    return origin._replace(line=origin.line + mark.line)


def _syntax_problem(error: yaml.YAMLError, origin: Origin) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    text = f"is not YAML: {context}: {said}" if context else f"is not YAML: {said}"
    hint = ""
    if "\\t" in text or "'\t'" in text:
        hint = "YAML does not allow tabs: indent with spaces"
    elif isinstance(error, yaml.composer.ComposerError):
        text, hint = "holds more than one document", "remove the lines '---' between them"
    return Problem(_place(origin, mark), "", text, hint)
