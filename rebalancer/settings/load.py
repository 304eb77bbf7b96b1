"""Load the rules: built-in defaults, overridden by the files in order, overridden by the environment.

1. `document.read_file` reads each file as text with line numbers;
2. `convert.layer_of` converts every scalar to the kind that the rules expect at its key;
3. `environment.layer_of_environment` adds the variables;
4. the model checks ranges and combinations; the errors of all layers are raised together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from rebalancer.core.documents import BadDocument
from rebalancer.core.extras import install_hint
from rebalancer.core.rules import Rules
from rebalancer.settings.convert import Layer, Leaf, layer_of, merged
from rebalancer.settings.document import read_file
from rebalancer.settings.environment import layer_of_environment
from rebalancer.settings.kinds import every_key
from rebalancer.settings.origin import DEFAULT, BadConfiguration, Origin, Problem
from rebalancer.settings.ranges import problems_of


class LoadedRules(NamedTuple):
    """The effective rules, the origin of every dotted key (including mapping entries), and warnings for the user."""

    rules: Rules
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]


def load_rules(paths: Sequence[Path], environ: Mapping[str, str]) -> LoadedRules:
    """Load the rules from files, later ones taking precedence, and from `REBALANCER__...` variables.

    Every file given must exist and must not be empty; without files the built-in defaults apply, with a warning.
    Entries of mappings (sector_limits, source_weights) are merged with those of earlier files. Raises BadConfiguration,
    a BadDocument, listing every error as `file:line: section.key: problem`.
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
    """The origin of every key, in the model's order; keys not set in any layer come from the default."""
    found: dict[str, Origin] = {}
    for key, kind in every_key():
        entries = {k: o for k, o in origins.items() if kind.name == "mapping" and k.startswith(f"{key}.")}
        found |= entries or {key: origins.get(key, DEFAULT)}
    return found


def _beyond_the_model(rules: Rules, origins: Mapping[str, Origin]) -> list[Problem]:
    """Checks beyond the types: paths that must not be empty, and features that are not installed."""
    found: list[tuple[str, str, str]] = []
    texts = {
        "signals.path": rules.signals.path,
        "reporting.directory": rules.reporting.directory,
        "sectors_file": rules.sectors_file,
    }
    found += [
        (key, "must not be empty", "remove the line to get the default") for key, text in texts.items() if not text
    ]
    if "model" in rules.signals.enabled_sources and not rules.model.enabled:
        key = "signals.sources.model.enabled"
        found.append((key, "the model is enabled by model.enabled", "write model: {enabled: true}"))
    flat_by, timing = "risk_management.flat_by_minutes_before_close", rules.execution.timing
    if rules.risk_management.flat_by_minutes_before_close is not None and timing.minutes is None:
        problem = (
            f"with execution.schedule {rules.execution.schedule} no cycle comes before the close to close positions"
        )
        found.append((flat_by, problem, "leave it out, or set execution.schedule: every 5m"))
    return [Problem(origins.get(key, DEFAULT), key, text, hint) for key, text, hint in found]


def _warnings(rules: Rules, paths: Sequence[Path]) -> tuple[str, ...]:
    found = []
    if not paths:
        found.append("no configuration file: the built-in defaults are used")
    if rules.model.enabled and find_spec("xgboost") is None:
        instead = "other signals are used instead" if rules.model.fallback_to_external_signals else "nothing is traded"
        found.append(f"model.enabled: XGBoost is not installed ({install_hint('model')}); {instead}")
    if rules.position_sizing.no_trade_band.width == "cost" and not rules.reporting.parity:
        found.append(
            "position_sizing.no_trade_band.width: cost has no effect on trading while reporting.parity is false: "
            "no cost is learned and the fixed width counts; write reporting: {parity: true}, or width: fixed"
        )
    return tuple(found)


def _in_order(problems: Sequence[Problem], paths: Sequence[Path]) -> list[Problem]:
    """Sort problems by file in the order of the layers, then by line; variables come last."""
    files = [str(path) for path in paths]

    def position(problem: Problem) -> tuple[int, int]:
        origin = problem.origin
        return (files.index(origin.name) if origin.kind == "file" else len(files)), origin.line

    return sorted(problems, key=position)
