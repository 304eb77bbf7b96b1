"""`doctor`: check everything that a trading day needs; state each problem and how to fix it."""

from rebalancer.session.doctor.findings import CheckResult, Level
from rebalancer.session.doctor.here import check_here
from rebalancer.session.doctor.there import check_there

__all__ = ["CheckResult", "Level", "check_here", "check_there"]
