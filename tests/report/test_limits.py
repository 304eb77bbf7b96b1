"""The limits as they are shown: what stops trading is on top, and what nobody uses is left out."""

from __future__ import annotations

from rebalancer.core.decisions import LimitUse
from rebalancer.report.limits import shown_limits


def test_what_stops_trading_comes_first_and_unused_groups_are_counted() -> None:
    def use(name: str, after: float) -> LimitUse:
        return LimitUse(name, 0.4, 0.0, after, binds=False)

    given = [use("gross", 0.1), use("sector:Energy", 0.0), use("correlation:g1", 0.3), use("sector:Retail", 0.2),
             use("daily_loss", 0.0), use("drawdown", 0.1), use("correlation:g2", 0.0),
             use("sector:Staples", 0.19)]  # fmt: skip
    found = shown_limits(given)
    assert [r.name for r in found.first] == ["drawdown", "daily_loss", "correlation:g1", "sector:Retail", "gross"]
    assert [r.name for r in found.quiet] == ["sector:Staples"]
    assert found.idle == 2
