"""Ask whether this cycle may trade at all, before a single name is looked at.

The checks, in order: kill switch, paused, session, account, loss limits. A loss limit does not stop the cycle: it lets
only reductions through. A limit whose data is missing denies.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.facts import Snapshot
from rebalancer.outcomes import CycleOutcome, Outcome
from rebalancer.rules import Rules
from rebalancer.values import decimal_near, text_of


class Judgement(NamedTuple):
    """`outcome` is None when nothing forbids trading. `stop`: send nothing at all; otherwise only reductions, and
    increases end as `denied`."""

    outcome: CycleOutcome | None
    because: str
    stop: bool
    denied: Outcome | None = None


EQUITY_MAX: Final = Decimal(10) ** 12  # an account this large is a misreading
FREE: Final = Judgement(None, "", stop=False)


def judge(snapshot: Snapshot, rules: Rules) -> Judgement:
    """Judge the cycle as a whole."""
    account, session = snapshot.account, snapshot.session
    if snapshot.kill_switch:
        return Judgement(CycleOutcome.HALTED_KILL_SWITCH, "the kill switch is set", stop=True)
    if not rules.execution.enabled:
        return Judgement(CycleOutcome.SKIPPED_PAUSED, "execution.enabled is false", stop=True)
    if not session.is_open or not session.open <= snapshot.as_of < session.close:
        return Judgement(CycleOutcome.SKIPPED_MARKET_CLOSED, "the market is closed", stop=True)
    if session.close - snapshot.as_of < timedelta(seconds=rules.execution.close_buffer_seconds):
        return Judgement(CycleOutcome.SKIPPED_TOO_LATE, "the market is about to close", stop=True)
    if account.restrictions:
        return Judgement(CycleOutcome.HALTED_ACCOUNT, f"account: {', '.join(account.restrictions)}", stop=True)
    if not 0 < account.equity < EQUITY_MAX:
        return Judgement(CycleOutcome.HALTED_ACCOUNT, f"equity is {text_of(account.equity)}", stop=True)
    return _losses(account.equity, account.last_equity, account.peak_equity, rules)


def day_loss(equity: Decimal, last_equity: Decimal) -> Decimal | None:
    """The fraction of the last close's equity lost since (negative: gained); None when that equity is unknown."""
    return (last_equity - equity) / last_equity if last_equity > 0 else None


def drawdown(equity: Decimal, peak: Decimal) -> Decimal | None:
    """The fraction below the high-water mark; None when the mark is unknown."""
    return max(1 - equity / peak, Decimal(0)) if peak > 0 else None


def _losses(equity: Decimal, last_equity: Decimal, peak: Decimal, rules: Rules) -> Judgement:
    limit = decimal_near(rules.risk_management.max_daily_loss)
    loss = day_loss(equity, last_equity)
    if loss is None or not loss < limit:
        said = "yesterday's equity is unknown" if loss is None else f"{loss:.2%} lost today; the limit is {limit:.2%}"
        return Judgement(CycleOutcome.HALTED_DAILY_LOSS, f"{said}: reductions only", False, Outcome.DENIED_DAILY_LOSS)
    limit = decimal_near(rules.risk_management.max_drawdown)
    down = drawdown(equity, peak)
    if down is None or not down < limit:
        said = (
            "the high-water mark is unknown" if down is None else f"{down:.2%} below the peak; the limit is {limit:.2%}"
        )
        return Judgement(CycleOutcome.HALTED_DRAWDOWN, f"{said}: reductions only", False, Outcome.DENIED_DRAWDOWN)
    return FREE
