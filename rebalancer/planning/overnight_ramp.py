"""Say how much gross exposure is allowed now, so that at the close it is no more than may stay overnight.

The limit is `max_total_exposure` of capital for most of the day and glides down on a straight line to
`max_overnight_leverage` times equity in the last `overnight_glide_minutes` before the close. A cycle acts for the time
until the next one begins, so it keeps to the lowest point of the line until then. A half day closes earlier, and so
does its line: only the session's own close counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from rebalancer.core.facts import Session
from rebalancer.core.rules import Rules


def overnight_gross_limit(as_of: datetime, session: Session, rules: Rules) -> float:
    """The largest sum of absolute weights for a cycle at this moment, as a fraction of capital."""
    return gross_limit_at(as_of + timedelta(minutes=rules.execution.interval_minutes), session, rules)


def gross_limit_at(moment: datetime, session: Session, rules: Rules) -> float:
    """The height of the line at one moment, as a fraction of capital. Without glide minutes it is as low as at the
    close all day long."""
    sizing, risk = rules.position_sizing, rules.risk_management
    overnight = risk.max_overnight_leverage / sizing.capital_scaling
    if overnight >= sizing.max_total_exposure:
        return sizing.max_total_exposure
    if risk.overnight_glide_minutes == 0:
        return overnight
    left = max((session.close - moment) / timedelta(minutes=risk.overnight_glide_minutes), 0.0)
    return min(overnight + (sizing.max_total_exposure - overnight) * left, sizing.max_total_exposure)
