"""Load the rules: built-in defaults, under the files in their order, under the environment.

1. `document.read_file` reads each file as text with lines;
2. `convert.layer_of` gives every word the kind that the rules expect there;
3. `environment.layer_of_environment` adds the variables;
4. the model checks ranges and combinations; every mistake of every layer goes into one error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.settings.convert import Layer, Leaf, layer_of, merged
from rebalancer.settings.document import read_file
from rebalancer.settings.environment import layer_of_environment
from rebalancer.settings.kinds import every_key
from rebalancer.settings.origin import DEFAULT, BadConfiguration, Origin, Problem
from rebalancer.settings.ranges import problems_of


class LoadedRules(NamedTuple):
    """The rules in force, the origin of every dotted key (entries of mappings included), and what to tell the user."""

    rules: Rules
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]


def load_rules(paths: Sequence[Path], environ: Mapping[str, str]) -> LoadedRules:
    """Load the rules from files, the later ones winning, and from `REBALANCER__...` variables.

    Every file named must be there and must not be empty; no file at all means the built-in defaults, with a warning.
    Entries of mappings (sector_limits, source_weights) are added to those of earlier files. Raises BadConfiguration,
    a BadDocument, listing every mistake as `file:line: section.key: problem`.
    """
    problems: list[Problem] = []
    layer = Layer()
    for path in paths:
        try:
            layer = merged(layer, layer_of(read_file(path, problems), problems))
        except BadConfiguration as error:
            problems += error.problems
        except BadDocument as error:
            said = error.where.removeprefix(f"{path}:")
            line = int(said) if said.isdigit() else 1
            problems.append(Problem(Origin("file", str(path), line), "", error.problem, error.hint))
    layer = merged(layer, layer_of_environment(environ, layer, problems))
    origins = _origins(layer)
    try:
        rules = Rules.model_validate(_values(layer))
    except ValidationError as error:
        raise BadConfiguration(_in_order(problems + problems_of(error, origins, alone=not problems), paths)) from None
    problems += _beyond_the_model(rules, origins)
    if problems:
        raise BadConfiguration(_in_order(problems, paths))
    return LoadedRules(rules, MappingProxyType(_complete(origins)), _warnings(rules, paths))


def _values(layer: Layer) -> dict[str, Any]:
    return {name: item.value if isinstance(item, Leaf) else _values(item) for name, item in layer.items()}


def _origins(layer: Layer, parent: str = "") -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for name, item in layer.items():
        dotted = f"{parent}.{name}".lstrip(".")
        found |= {dotted: item.origin} if isinstance(item, Leaf) else _origins(item, dotted)
    return found


def _complete(origins: Mapping[str, Origin]) -> dict[str, Origin]:
    """Every key in the model's order; what no layer set comes from the default."""
    found: dict[str, Origin] = {}
    for key, kind in every_key():
        entries = {k: o for k, o in origins.items() if kind.name == "mapping" and k.startswith(f"{key}.")}
        found |= entries or {key: origins.get(key, DEFAULT)}
    return found


def _beyond_the_model(rules: Rules, origins: Mapping[str, Origin]) -> list[Problem]:
    """What the types cannot say: paths that must not be empty, parts that are not there."""
    found: list[tuple[str, str, str]] = []
    texts = {
        "signals.path": rules.signals.path,
        "reporting.directory": rules.reporting.directory,
        "sectors_file": rules.sectors_file,
    }
    found += [
        (key, "must not be empty", "remove the line to get the default") for key, text in texts.items() if not text
    ]
    if rules.model.enabled and not rules.model.fallback_to_external_signals:
        problem = "the model is an optional extra that is not installed, and nothing may stand in for it"
        found.append(("model.enabled", problem, "set model.enabled: false or fallback_to_external_signals: true"))
    return [Problem(origins.get(key, DEFAULT), key, text, hint) for key, text, hint in found]


def _warnings(rules: Rules, paths: Sequence[Path]) -> tuple[str, ...]:
    found = []
    if not paths:
        found.append("no configuration file: the built-in defaults are in force")
    if rules.model.enabled:
        found.append(
            "model.enabled: the model is an optional extra that is not installed; external signals are used instead"
        )
    return tuple(found)


def _in_order(problems: Sequence[Problem], paths: Sequence[Path]) -> list[Problem]:
    """By file in the order of the layers, then by line; variables last."""
    files = [str(path) for path in paths]

    def position(problem: Problem) -> tuple[int, int]:
        origin = problem.origin
        return (files.index(origin.name) if origin.kind == "file" else len(files)), origin.line

    return sorted(problems, key=position)
