"""`REBALANCER__SECTION__KEY` variables: the topmost layer of the configuration.

Sections and keys are case-insensitive; each further level adds `__KEY`. User-chosen names (sectors, sources) are used
as written, or as the files in lower layers spell them. Values are parsed as in the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rebalancer.core.rules import Rules
from rebalancer.settings.convert import Layer, Leaf, read_node, unknown_key
from rebalancer.settings.document import Scalar, parse, without_secret
from rebalancer.settings.kinds import Kind, kinds_of
from rebalancer.settings.origin import BadConfiguration, Origin, Problem

PREFIX: Final = "REBALANCER__"
_BLANKS: Final = " \t\r\n\x85\u2028\u2029"  # what YAML takes for blanks and ends of lines, and nothing more


def layer_of_environment(environ: Mapping[str, str], below: Layer, problems: list[Problem]) -> Layer:
    """The values set by variables. `below`: the values set by files, for the spelling of names."""
    layer, seen = Layer(), dict[tuple[str, ...], str]()
    for name in sorted(n for n in environ if n.startswith(PREFIX)):
        origin = Origin("environment", name)
        found = _place(name, below, problems)
        if found is None:
            continue
        path, kind = found
        if path in seen:
            problems.append(Problem(origin, ".".join(path), f"is set by {seen[path]} too", "unset one of them"))
            continue
        seen[path] = name
        item = _value(environ[name].strip(_BLANKS), kind, ".".join(path), origin, problems)
        if item is not None:
            _set(layer, path, item)
    return layer


def _place(name: str, below: Layer, problems: list[Problem]) -> tuple[tuple[str, ...], Kind] | None:
    """The key named by a variable, and its kind."""
    segments = name[len(PREFIX) :].split("__")
    kind, path, under = Kind("section", model=Rules), tuple[str, ...](), below
    while segments:
        assert kind.model is not None
        known, segment = kinds_of(kind.model), segments.pop(0).lower()
        if segment not in known:
            problems.append(unknown_key(Origin("environment", name), ".".join(path), segment, known))
            return None
        kind, path = known[segment], (*path, segment)
        item = under.get(segment)
        under = item if isinstance(item, dict) else Layer()
        if kind.name != "section":
            break
    if kind.name == "mapping" and len(segments) > 1 and kind.item is not None and kind.item.model is not None:
        entry, key, rest = _spelling(segments[0].lower(), under), segments[1].lower(), segments[2:]
        known = kinds_of(kind.item.model)
        found = known.get(key)
        if found is None or (rest and found.item is None):
            problems.append(unknown_key(Origin("environment", name), ".".join((*path, entry)), key, known))
            return None
        return (
            ((*path, entry, key, "__".join(rest)), found.item) if rest and found.item else ((*path, entry, key), found)
        )
    if kind.name == "mapping" and segments and kind.item is not None:
        return (*path, _spelling("__".join(segments), under)), kind.item
    key = ".".join(path)
    if kind.name == "section" or segments:
        text = "names a section, not a key" if kind.name == "section" else f"{key} has no keys below it"
        problems.append(Problem(Origin("environment", name), key, text, f"write {PREFIX}SECTION__KEY"))
        return None
    return path, kind


def _spelling(name: str, known: Layer) -> str:
    """The name as the files spell it, since variables are often written in upper case only."""
    same = [k for k in known if k.casefold() == name.casefold()]
    return same[0] if len(same) == 1 and name not in known else name


def _value(text: str, kind: Kind, key: str, origin: Origin, problems: list[Problem]) -> Leaf | Layer | None:
    if not text:
        problems.append(Problem(origin, key, "is set but empty", 'unset it; an empty text is written ""'))
        return None
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    try:
        if kind.name == "text" and not quoted:
            return read_node(Scalar(without_secret(text, origin, key, problems), True, origin), kind, key, problems)
        node = parse(text, origin, problems)
    except BadConfiguration as error:
        problems += [found._replace(key=key) for found in error.problems]
        return None
    if node is None:
        problems.append(Problem(origin, key, "holds no value", "a '#' begins a comment"))
        return None
    return read_node(node, kind, key, problems)


def _set(layer: Layer, path: tuple[str, ...], item: Leaf | Layer) -> None:
    for name in path[:-1]:
        inner = layer.setdefault(name, Layer())
        assert isinstance(inner, dict)
        layer = inner
    under = layer.get(path[-1])
    layer[path[-1]] = {**under, **item} if isinstance(item, dict) and isinstance(under, dict) else item
