"""Compute the gross exposure limit now, so that exposure at the close is within the overnight limit.

The limit is `max_total_exposure` of capital for most of the day and falls linearly to `max_overnight_leverage` times
equity over the last `overnight_glide_minutes` before the close. A cycle's positions stand until the next cycle begins,
so it uses the lowest limit of that interval. The ramp is relative to the session's actual close, so it ends earlier on
half days.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from rebalancer.core.facts import Session
from rebalancer.core.rules import Rules


def overnight_gross_limit(as_of: datetime, session: Session, rules: Rules) -> float:
    """The largest sum of absolute weights for a cycle at this time, as a fraction of capital."""
    return gross_limit_at(as_of + timedelta(minutes=rules.execution.timing.minutes_until_next), session, rules)


def gross_limit_at(moment: datetime, session: Session, rules: Rules) -> float:
    """The gross limit at one moment, as a fraction of capital. With zero glide minutes the overnight limit applies all
    day."""
    sizing, risk = rules.position_sizing, rules.risk_management
    overnight = risk.max_overnight_leverage / sizing.capital_scaling
    if overnight >= sizing.max_total_exposure:
        return sizing.max_total_exposure
    if risk.overnight_glide_minutes == 0:
        return overnight
    left = max((session.close - moment) / timedelta(minutes=risk.overnight_glide_minutes), 0.0)
    return min(overnight + (sizing.max_total_exposure - overnight) * left, sizing.max_total_exposure)
