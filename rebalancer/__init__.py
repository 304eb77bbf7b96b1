"""A scheduled batch portfolio rebalancer for Alpaca accounts.

The names below are the public Python functions (docs/reference/python.md). Each is loaded at its first use, so that
`import rebalancer` itself loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from rebalancer.version import __version__

if TYPE_CHECKING:
    from rebalancer.api import (
        account,
        backtest,
        load_rules,
        orders,
        performance_summary,
        plan,
        positions,
        recent_trades,
        run_once,
        write_signals,
    )
    from rebalancer.core.decisions import Plan
    from rebalancer.core.documents import BadDocument
    from rebalancer.core.rules import Rules
    from rebalancer.core.snapshot import Snapshot

__all__ = [
    "BadDocument",
    "Plan",
    "Rules",
    "Snapshot",
    "__version__",
    "account",
    "backtest",
    "load_rules",
    "orders",
    "performance_summary",
    "plan",
    "positions",
    "recent_trades",
    "run_once",
    "write_signals",
]

_ELSEWHERE: Final = {
    "BadDocument": "rebalancer.core.documents",
    "Plan": "rebalancer.core.decisions",
    "Rules": "rebalancer.core.rules",
    "Snapshot": "rebalancer.core.snapshot",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE.get(name, "rebalancer.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
