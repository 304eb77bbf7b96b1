"""Testing: what a test of a trading program needs (docs/reference/testing.md).

`running_exchange` and `ExchangeClock` are the embedded exchange in this process and its time; `MemoryBroker` is a
broker without HTTP, with rules of its own; `check_laws` holds a run to its laws from the journal and the lists of the
broker alone. This room may import every other one; nothing but tests imports it.
"""

from rebalancer.testing.evidence import Evidence, evidence_of
from rebalancer.testing.exchange import ExchangeClock, running_exchange
from rebalancer.testing.laws import broken_laws, check_laws, unsettled
from rebalancer.testing.memory_broker import MemoryBroker

__all__ = [
    "Evidence",
    "ExchangeClock",
    "MemoryBroker",
    "broken_laws",
    "check_laws",
    "evidence_of",
    "running_exchange",
    "unsettled",
]
