"""What a signal source is: `fetch(symbols, now, budget)` gives votes, and says why it has none.

A source of your own is a callable under the entry point group `rebalancer.sources`: it takes a `SourceContext` and
returns a `VoteSource`. It runs in a process beside trading: however long it takes, no cycle waits for it. An exception
that it raises is a failure of this source alone. See docs/how-to/sources.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from rebalancer.core.errors import ExternalError
from rebalancer.core.signal_rules import SourceRules
from rebalancer.core.venue_rules import ALPACA
from rebalancer.ops.clock import Clock

ENTRY_POINTS = "rebalancer.sources"


class Vote(NamedTuple):
    """An opinion about one symbol: score in [-1, 1], confidence in [0, 1], and in words what it rests on. `citations`
    are the addresses of what was read. `revision`: of what computed it, such as a model's version; letters, digits and
    dots, and part of the signal's id."""

    symbol: str
    score: float
    confidence: float
    because: str = ""
    citations: tuple[str, ...] = ()
    revision: str = ""


class Votes(NamedTuple):
    """The answer to one `fetch`. Every symbol that was asked for is either answered or silent, with the reason; one in
    neither counts as silent. `cost`: USD of all calls, if the budget was not told. `age`: how old the information is,
    beyond the moment of asking, such as 15 minutes for delayed prices."""

    answered: tuple[Vote, ...]
    silent: Mapping[str, str] = {}
    cost: Decimal = Decimal(0)
    age: timedelta = timedelta(0)


class SourceBudget(Protocol):
    """What a fetch may still spend today. None: no limit."""

    @property
    def calls_left(self) -> int | None: ...

    @property
    def usd_left(self) -> Decimal | None: ...

    def spend(self, usd: Decimal | None = None) -> None:
        """Count one call before it is made, and wait for its turn. usd: its expected cost; None: `usd_per_call`. Raises
        BudgetSpent when it is not allowed."""
        ...

    def correct(self, usd: Decimal) -> None:
        """Add to what the last call cost, or take from it, once the vendor has said."""
        ...


class VoteSource(Protocol):
    """One source. A class attribute `batch_size` says how many symbols one fetch takes, 50 without it. A local
    one of the program may have a method `revision(now) -> str`, which is called every round: votes of another revision
    are withdrawn, and all symbols are asked about again."""

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols, the most urgent first. Raises SourceProblem."""
        ...


class SourceContext(NamedTuple):
    """What a source is made from. `keys`: the variables and secrets of this profile, which are read anew for every
    round, so a key may change; `keep` stores a raw answer by its hash, without secrets; `alive` is False when the
    process is about to end."""

    name: str
    rules: SourceRules
    keys: Mapping[str, str]
    clock: Clock
    keep: Callable[[str], None]
    alive: Callable[[], bool]


SourceFactory = Callable[[SourceContext], VoteSource]


class SourceProblem(ExternalError):
    """A source could not be asked; the message says why, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BudgetSpent(SourceProblem):
    """No more calls or money today."""


class KeyRefused(SourceProblem):
    """The key is missing or refused: nothing is asked until it changes."""


class QuotaUsed(SourceProblem):
    """The vendor's quota is used up: nothing is asked before `seconds` have passed; None: before the next day."""

    def __init__(self, message: str, hint: str = "", seconds: float | None = None) -> None:
        super().__init__(message, hint)
        self.seconds = seconds


class SourceGone(SourceProblem):
    """The vendor has taken this interface away (410): nothing is asked until the configuration changes."""


class SourceNotReady(SourceProblem):
    """What the source needs on this machine is missing or cannot be used: its votes are withdrawn, and it is looked at
    again in a minute."""


class SourceUnavailable(SourceProblem):
    """No usable answer now; `seconds`: how long the vendor asks to be left alone."""

    def __init__(self, message: str, hint: str = "", seconds: float = 0.0) -> None:
        super().__init__(message, hint)
        self.seconds = seconds


class VendorRefused(SourceProblem):
    """The vendor does not take this request, and will not take it again: a plan without this data, an unknown model."""


def is_crypto(symbol: str) -> bool:
    """Whether a symbol, as the rules spell it, is a crypto pair. The sources are asked about symbols alone."""
    return ALPACA.asset_class(symbol) == "crypto"
