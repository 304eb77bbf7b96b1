"""The pre-trade check: every order is checked once more just before it is sent, by code that is independent of
planning.

It imports value types, rules, ports and the journal, never `rebalancer.planning` (enforced by import-linter), so a
mistake in the plan is not repeated here. docs/reference/limits.md lists what is checked.
"""

from rebalancer.execution.pretrade.gate import PreTradeCheck
from rebalancer.execution.pretrade.readings import Readings, readings_of
from rebalancer.execution.pretrade.throttle import latched_because, rearm_throttle

__all__ = ["PreTradeCheck", "Readings", "latched_because", "readings_of", "rearm_throttle"]
