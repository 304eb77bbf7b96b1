"""Convert a YAML document to values with their origins: one layer of the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from rebalancer.core.rules import Rules
from rebalancer.settings.document import Entry, Listing, Node, Scalar, YamlTable
from rebalancer.settings.kinds import Kind, every_key, kinds_of
from rebalancer.settings.origin import Origin, Problem
from rebalancer.settings.scalars import UnreadableValue, Value, closest, value_of

_SECRET_KEY: Final = re.compile(r"(?i)(?:^|_)(?:api_?key|key_?id|secret|password|passwd|token)")
_ROOT: Final = Kind("section", model=Rules)


class Leaf(NamedTuple):
    """One value and its origin."""

    value: Value | list[Value]
    origin: Origin


Layer = dict[str, "Leaf | Layer"]


def layer_of(table: YamlTable, problems: list[Problem]) -> Layer:
    """The values of one document. Errors are added to `problems`, and the values concerned are left out."""
    return _section(table, _ROOT, "", problems)


def read_node(node: Node, kind: Kind, key: str, problems: list[Problem]) -> Leaf | Layer | None:
    """The value of one node; None when it is not of this kind, in which case a problem is added."""
    if kind.name in ("section", "mapping"):
        if not isinstance(node, YamlTable):
            bare = isinstance(node, Scalar) and not node.text
            text = "has no keys" if bare else "must be a table of keys and values"
            problems.append(Problem(node.origin, key, text, "write 'key: value' lines below it, or remove the line"))
            return None
        return _section(node, kind, key, problems) if kind.name == "section" else _mapping(node, kind, key, problems)
    if kind.name == "list":
        return _list(node, kind, key, problems)
    if not isinstance(node, Scalar):
        problems.append(Problem(node.origin, key, "must be one value", "write 'key: value'"))
        return None
    try:
        return Leaf(value_of(node, kind), node.origin)
    except UnreadableValue as error:
        problems.append(Problem(node.origin, key, str(error), error.hint))
        return None


def merged(below: Layer, above: Layer) -> Layer:
    """Merge two layers; where both set a value the upper one takes precedence."""
    result = dict(below)
    for name, item in above.items():
        under = result.get(name)
        result[name] = merged(under, item) if isinstance(item, dict) and isinstance(under, dict) else item
    return result


def unknown_key(origin: Origin, section: str, name: str, known: Mapping[str, Kind]) -> Problem:
    """The problem for an unknown key, suggesting the closest known one."""
    dotted = f"{section}.{name}".lstrip(".")
    if _SECRET_KEY.search(name):
        return Problem(
            origin,
            dotted,
            "unknown key, secrets must not be in the configuration",
            "set APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environment",
        )
    if re.fullmatch(r"[0-9]+%?", name):
        return Problem(
            origin, dotted, f"unknown key {name!r}", "a decimal comma before it? Write decimals with a point: 0.5"
        )
    homes = [key for key, _ in every_key() if key.rpartition(".")[2] == name.strip().lower()]
    meant = closest(name, list(known))
    if homes:
        here = f"; or did you mean {meant!r}?" if meant else ""
        return Problem(origin, dotted, "unknown key here", f"it belongs to another section: {homes[0]}{here}")
    if meant is not None:
        return Problem(origin, dotted, "unknown key", f"did you mean {meant!r}?")
    elsewhere = closest(name, [key.rpartition(".")[2] for key, _ in every_key()])
    if elsewhere is not None:
        home = next(key for key, _ in every_key() if key.rpartition(".")[2] == elsewhere)
        return Problem(origin, dotted, "unknown key", f"did you mean {home!r}?")
    return Problem(origin, dotted, "unknown key", "known here: " + ", ".join(known) + "; notes begin with 'x-'")


def _section(table: YamlTable, kind: Kind, key: str, problems: list[Problem]) -> Layer:
    assert kind.model is not None
    known, layer = kinds_of(kind.model), Layer()
    for entry in table.entries:
        if entry.key.startswith("x-"):
            continue  # an x-... key is a note
        if entry.key not in known:
            problems.append(unknown_key(entry.origin, key, entry.key, known))
            continue
        _put(layer, entry, known[entry.key], key, problems)
    return layer


def _mapping(table: YamlTable, kind: Kind, key: str, problems: list[Problem]) -> Layer:
    """A mapping with user-chosen names as keys, so none of them is treated as a note."""
    assert kind.item is not None
    layer = Layer()
    for entry in table.entries:
        _put(layer, entry, kind.item, key, problems)
    return layer


def _put(layer: Layer, entry: Entry, kind: Kind, parent: str, problems: list[Problem]) -> None:
    item = read_node(entry.value, kind, f"{parent}.{entry.key}".lstrip("."), problems)
    if item is not None:
        layer[entry.key] = item


def _list(node: Node, kind: Kind, key: str, problems: list[Problem]) -> Leaf | None:
    assert kind.item is not None
    if not isinstance(node, Listing):
        problems.append(Problem(node.origin, key, "must be a list", "write [one, two]"))
        return None
    found = [read_node(item, kind.item, f"{key}[{i}]", problems) for i, item in enumerate(node.items)]
    return Leaf(
        [leaf.value for leaf in found if isinstance(leaf, Leaf) and not isinstance(leaf.value, list)], node.origin
    )
