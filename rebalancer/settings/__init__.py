"""Configuration: `config/execution.yaml` and what overrides it, read strictly, with the origin of every value."""

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
