"""Decide whether this cycle may trade at all, before looking at individual names.

The checks, in order: kill switch, paused, session, account, implausible reading, loss limits. A loss limit does not
stop the cycle: it allows only reductions, for the rest of the trading day, even if the equity recovers. A limit whose
data is missing counts as breached.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.facts import Account, Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because, stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import decimal_near
from rebalancer.planning.trading_hours import crypto_trades, stocks_trade


class HaltDecision(NamedTuple):
    """`outcome`: how the cycle ends, None when no halt is in force. `stop`: send nothing at all. `denied`: allow only
    reductions, and deny increases with this outcome. `leave`: close every position (see `liquidation`). `why`: the
    reasons for the halt; `because` adds what follows from it."""

    outcome: CycleOutcome | None
    why: Reasons
    stop: bool
    denied: Outcome | None = None
    leave: bool = False

    @property
    def because(self) -> Reasons:
        """The reasons for the halt, and that all positions are closed, or may only be reduced."""
        if self.leave:
            return because(ReasonCode.ALL_CLOSED, why=self.why)
        if self.outcome is not None and not self.stop:
            return because(ReasonCode.REDUCTIONS_ONLY, why=self.why)
        return self.why


class Breach(NamedTuple):
    """A breached loss limit. `share` is the loss (None when unknown) and `most` the limit, both as fractions."""

    limit: str
    share: Decimal | None
    most: Decimal
    outcome: CycleOutcome
    denied: Outcome
    because: Reasons


EQUITY_MAX: Final = Decimal(10) ** 12  # a larger equity must be a reading error
MAY_TRADE: Final = HaltDecision(None, NOTHING, stop=False)
LOSS_LIMITS: Final = (
    ("daily_loss", CycleOutcome.HALTED_DAILY_LOSS, Outcome.DENIED_DAILY_LOSS),
    ("drawdown", CycleOutcome.HALTED_DRAWDOWN, Outcome.DENIED_DRAWDOWN),
)


def check_trading_halt(snapshot: Snapshot, rules: Rules) -> HaltDecision:
    """Check whether the cycle as a whole may trade."""
    account, session = snapshot.account, snapshot.session
    if snapshot.kill_switch:
        return HaltDecision(CycleOutcome.HALTED_KILL_SWITCH, because(ReasonCode.KILL_SWITCH), stop=True)
    if not rules.execution.enabled:
        return HaltDecision(CycleOutcome.SKIPPED_PAUSED, because(ReasonCode.PAUSED), stop=True)
    if not stocks_trade(snapshot, rules) and not crypto_trades(snapshot, rules):
        if not session.is_open or not session.open <= snapshot.as_of < session.close:
            return HaltDecision(CycleOutcome.SKIPPED_MARKET_CLOSED, because(ReasonCode.MARKET_CLOSED), stop=True)
        return HaltDecision(CycleOutcome.SKIPPED_TOO_LATE, because(ReasonCode.MARKET_CLOSING), stop=True)
    if account.restrictions:
        why = because(ReasonCode.ACCOUNT_RESTRICTED, restrictions=account.restrictions)
        return HaltDecision(CycleOutcome.HALTED_ACCOUNT, why, stop=True)
    if not 0 < account.equity < EQUITY_MAX:
        why = because(ReasonCode.EQUITY_IMPLAUSIBLE, equity=account.equity)
        return HaltDecision(CycleOutcome.HALTED_ACCOUNT, why, stop=True)
    if account.equity <= rules.selection.withdraw:
        why = because(ReasonCode.EQUITY_WITHDRAWN, equity=account.equity)
        return HaltDecision(CycleOutcome.HALTED_ACCOUNT, why, stop=True)
    if snapshot.doubt:
        return HaltDecision(CycleOutcome.HALTED_UNRECONCILED, stated(snapshot.doubt), stop=True)
    broken = breaches(account, rules)
    if broken:
        first = broken[0]
        return HaltDecision(first.outcome, first.because, stop=False, denied=first.denied)
    for limit, outcome, denied in LOSS_LIMITS:
        if limit in snapshot.latched:
            why = because(ReasonCode.LATCHED, text=snapshot.latched[limit])
            return HaltDecision(outcome, why, stop=False, denied=denied)
    return MAY_TRADE


def day_loss(equity: Decimal, last_equity: Decimal) -> Decimal | None:
    """The loss since the last close as a fraction of its equity (negative: a gain); None when that is unknown."""
    return (last_equity - equity) / last_equity if last_equity > 0 else None


def drawdown(equity: Decimal, peak: Decimal) -> Decimal | None:
    """The decline from the high-water mark as a fraction of it; None when the mark is unknown."""
    return max(1 - equity / peak, Decimal(0)) if peak > 0 else None


def breaches(account: Account, rules: Rules) -> tuple[Breach, ...]:
    """Every loss limit that this account breaches, the daily loss first."""
    loss = day_loss(account.equity, account.last_equity)
    down = drawdown(account.equity, account.peak_equity)
    risk = rules.risk_management
    measured = (
        (loss, risk.max_daily_loss, ReasonCode.DAY_LOSS_UNKNOWN, ReasonCode.DAY_LOSS),
        (down, risk.max_drawdown, ReasonCode.DRAWDOWN_UNKNOWN, ReasonCode.DRAWDOWN),
    )
    found: list[Breach] = []
    for (limit, outcome, denied), (share, most, unknown, known) in zip(LOSS_LIMITS, measured, strict=True):
        largest = decimal_near(most)
        if share is None or not share < largest:
            why = because(unknown) if share is None else because(known, loss=share, limit=largest)
            found.append(Breach(limit, share, largest, outcome, denied, why))
    return tuple(found)
