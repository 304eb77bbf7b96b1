"""Settings: configuration, profile, secrets and the switches of live trading, read strictly.

Rules come from built-in defaults, YAML files and `REBALANCER__SECTION__KEY` variables, each value with its origin;
every mistake is reported with file, line and key. Secrets never show themselves. It imports `core` and `ops`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rebalancer.settings.load import LoadedRules, load_rules
    from rebalancer.settings.origin import BadConfiguration, Origin, Problem
    from rebalancer.settings.schema import schema_text
    from rebalancer.settings.show import show_json, show_text

__all__ = [
    "BadConfiguration",
    "LoadedRules",
    "Origin",
    "Problem",
    "load_rules",
    "schema_text",
    "show_json",
    "show_text",
]

_HOME: Final = {
    "BadConfiguration": "origin",
    "LoadedRules": "load",
    "Origin": "origin",
    "Problem": "origin",
    "load_rules": "load",
    "schema_text": "schema",
    "show_json": "show",
    "show_text": "show",
}


def __getattr__(name: str) -> object:
    """Import pydantic and YAML only for callers that read a configuration: `status` needs the profile's name alone."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
