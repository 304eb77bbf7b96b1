"""A decision of the numeric core beside what it was decided from, and its codes as outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rebalancer.core.facts import Signal, Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import Reasons
from rebalancer.core.rules import Rules
from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Decision
from rebalancer.planning.entry_restrictions import EntryRestriction
from rebalancer.planning.reconcile import ReconciledBook
from rebalancer.planning.to_columns import Columns
from rebalancer.planning.trading_halt import HaltDecision
from rebalancer.planning.validate_signals import Prices

OWN_CAP_RULES: Final = (
    "position_sizing.max_position_size",
    "risk_management.max_position_risk",
    "risk_management.max_trade_heat",
)  # by the codes OWN_SIZE, OWN_RISK, OWN_HEAT

KEEPS: Final = frozenset({codes.SAYS_HOLD, codes.BETWEEN, codes.NO_QUORUM})
NEUTRAL: Final = frozenset({codes.SAYS_NOTHING, codes.TOO_WEAK})

HELD: Final = {
    codes.STANCE: Outcome.HELD_NEUTRAL,
    codes.NO_ROOM: Outcome.DENIED_CAP,
    codes.KEPT: Outcome.HELD_AT_TARGET,
    codes.WITHIN_BAND: Outcome.HELD_WITHIN_BAND,
    codes.AT_TARGET: Outcome.HELD_AT_TARGET,
    codes.BELOW_ONE_LOT: Outcome.HELD_BELOW_MINIMUM,
    codes.BELOW_MINIMUM: Outcome.HELD_BELOW_MINIMUM,
    codes.OTHER_SIDE: Outcome.FROZEN_OPEN_ORDER,
    codes.NOT_IN_ONLY: Outcome.HELD_LEFT_OUT,
    codes.EXCLUDED: Outcome.HELD_LEFT_OUT,
    codes.SIDE_EXCLUDED: Outcome.HELD_LEFT_OUT,
    codes.NOT_IN_AT_MOST: Outcome.HELD_LEFT_OUT,
}
BARRED: Final = {
    codes.NO_SHORT: Outcome.DENIED_SHORT,
    codes.COOLING: Outcome.DENIED_COOL_OFF,
    codes.STOP_FAR: Outcome.DENIED_STOP_DISTANCE,
    codes.UNSURE: Outcome.HELD_NEUTRAL,
    codes.NO_PLACE: Outcome.HELD_BELOW_MINIMUM,
    codes.GROUP_FULL: Outcome.DENIED_CORRELATED_POSITIONS,
    codes.ACCOUNT_FULL: Outcome.DENIED_POSITIONS,
    codes.VETOED: Outcome.HELD_NEUTRAL,
}
DENIED: Final = {
    codes.NOT_FREE: Outcome.DENIED_NOT_AVAILABLE,
    codes.OPENING_BELOW_MINIMUM: Outcome.HELD_BELOW_MINIMUM,
    codes.NO_WHOLE_LOTS: Outcome.DENIED_ORDER_VALUE,
    codes.AT_ONCE: Outcome.DENIED_ORDERS_PER_EXECUTION,
    codes.NOT_CLOSED: Outcome.DENIED_NOT_AVAILABLE,
    codes.UNDER_CAP: Outcome.DENIED_CAP,
    codes.BUYING_POWER: Outcome.DENIED_BUYING_POWER,
    codes.TURNOVER: Outcome.DENIED_TURNOVER,
    codes.PER_SYMBOL: Outcome.DENIED_ORDERS_PER_SYMBOL,
    codes.PER_DAY: Outcome.DENIED_ORDERS_PER_DAY,
    codes.PER_EXECUTION: Outcome.DENIED_ORDERS_PER_EXECUTION,
}


class Denial(NamedTuple):
    """Why a limit denies a trade; `cap` is the name of the cap if the limit is one."""

    outcome: Outcome
    because: Reasons
    cap: str = ""


class Decided(NamedTuple):
    """A decision of the core with what it was decided from. `signals`: the valid ones by symbol; `cooling`: the
    restriction of every symbol in its cool-off."""

    snapshot: Snapshot
    rules: Rules
    book: ReconciledBook
    prices: Prices
    signals: Mapping[str, tuple[Signal, ...]]
    cooling: Mapping[str, EntryRestriction]
    halt: HaltDecision
    columns: Columns
    decision: Decision

    def factors(self, i: int) -> Mapping[str, float]:
        """The factors below 1 that shrink a target, by group."""
        targets = self.decision.targets
        if targets.raw[i] == 0:
            return {}
        found = targets.factor_silent if targets.state[i] == codes.SILENT else targets.factor_spoken
        groups = self.columns.groups
        return {groups.labels[g]: found[g] for g in groups.of(i, is_long=targets.raw[i] > 0) if found[g] < 1}

    def hold(self, i: int) -> Outcome | None:
        """How a name that is not traded ends; None when it is."""
        code = self.decision.trades.code[i]
        if code == codes.TRADE:
            return None
        if code == codes.RESTRICTED:
            return self.bar(i)
        if code == codes.KEPT and self.decision.opinions.note[i] in KEEPS:
            return Outcome.HELD_NEUTRAL
        return HELD[code]

    def bar(self, i: int) -> Outcome:
        """The outcome of an entry restriction."""
        bar = self.decision.targets.bar[i]
        if bar == codes.LEAVING:
            assert self.halt.denied is not None
            return self.halt.denied
        return BARRED[bar]

    def denied(self, i: int) -> Outcome | None:
        """How a trade that a limit denies ends; None when none does."""
        code = self.decision.orders.denied[i]
        return (self.halt.denied if code == codes.HALTED else DENIED[code]) if code else None
