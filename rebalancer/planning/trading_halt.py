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
from rebalancer.core.rules import Rules
from rebalancer.core.values import decimal_near, text_of
from rebalancer.planning.trading_hours import crypto_trades, stocks_trade


class HaltDecision(NamedTuple):
    """`outcome`: how the cycle ends, None when no halt is in force. `stop`: send nothing at all. `denied`: allow only
    reductions, and deny increases with this outcome. `leave`: close every position (see `liquidation`)."""

    outcome: CycleOutcome | None
    because: str
    stop: bool
    denied: Outcome | None = None
    leave: bool = False


class Breach(NamedTuple):
    """A breached loss limit. `share` is the loss (None when unknown) and `most` the limit, both as fractions."""

    limit: str
    share: Decimal | None
    most: Decimal
    outcome: CycleOutcome
    denied: Outcome
    because: str


EQUITY_MAX: Final = Decimal(10) ** 12  # a larger equity must be a reading error
MAY_TRADE: Final = HaltDecision(None, "", stop=False)
LOSS_LIMITS: Final = (
    ("daily_loss", CycleOutcome.HALTED_DAILY_LOSS, Outcome.DENIED_DAILY_LOSS),
    ("drawdown", CycleOutcome.HALTED_DRAWDOWN, Outcome.DENIED_DRAWDOWN),
)


def check_trading_halt(snapshot: Snapshot, rules: Rules) -> HaltDecision:
    """Check whether the cycle as a whole may trade."""
    account, session = snapshot.account, snapshot.session
    if snapshot.kill_switch:
        return HaltDecision(CycleOutcome.HALTED_KILL_SWITCH, "the kill switch is set", stop=True)
    if not rules.execution.enabled:
        return HaltDecision(CycleOutcome.SKIPPED_PAUSED, "execution.enabled is false", stop=True)
    if not stocks_trade(snapshot, rules) and not crypto_trades(snapshot, rules):
        if not session.is_open or not session.open <= snapshot.as_of < session.close:
            return HaltDecision(CycleOutcome.SKIPPED_MARKET_CLOSED, "the market is closed", stop=True)
        return HaltDecision(CycleOutcome.SKIPPED_TOO_LATE, "the market is about to close", stop=True)
    if account.restrictions:
        return HaltDecision(CycleOutcome.HALTED_ACCOUNT, f"account: {', '.join(account.restrictions)}", stop=True)
    if not 0 < account.equity < EQUITY_MAX:
        return HaltDecision(CycleOutcome.HALTED_ACCOUNT, f"equity is {text_of(account.equity)}", stop=True)
    if account.equity <= rules.selection.withdraw:
        said = f"selection.withdraw takes all of the equity of {text_of(account.equity)}"
        return HaltDecision(CycleOutcome.HALTED_ACCOUNT, said, stop=True)
    if snapshot.doubt:
        return HaltDecision(CycleOutcome.HALTED_UNRECONCILED, snapshot.doubt, stop=True)
    broken = breaches(account, rules)
    if broken:
        first = broken[0]
        return HaltDecision(first.outcome, f"{first.because}: reductions only", stop=False, denied=first.denied)
    for limit, outcome, denied in LOSS_LIMITS:
        if limit in snapshot.latched:
            said = f"{snapshot.latched[limit]}; latched for the rest of the day: reductions only"
            return HaltDecision(outcome, said, stop=False, denied=denied)
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
        (loss, risk.max_daily_loss, "yesterday's equity is unknown", "lost today"),
        (down, risk.max_drawdown, "the high-water mark is unknown", "below the peak"),
    )
    found: list[Breach] = []
    for (limit, outcome, denied), (share, most, unknown, words) in zip(LOSS_LIMITS, measured, strict=True):
        largest = decimal_near(most)
        if share is None or not share < largest:
            said = unknown if share is None else f"{share:.2%} {words}; the limit is {largest:.2%}"
            found.append(Breach(limit, share, largest, outcome, denied, said))
    return tuple(found)
