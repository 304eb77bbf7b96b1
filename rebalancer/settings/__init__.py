"""Settings: configuration, profile, secrets and the switches of live trading, read strictly.

Rules come from built-in defaults, YAML files and `REBALANCER__SECTION__KEY` variables, each value with its origin;
every mistake is reported with file, line and key. Secrets never show themselves. It imports `core` and `ops`.
"""

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
