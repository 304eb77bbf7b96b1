"""The section `position_sizing.no_trade_band` of the rules."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rebalancer.core.rule_section import RuleSection, Share


class NoTradeBand(RuleSection):
    """How far a weight may drift before it is worth trading: the largest of all widths counts."""

    absolute: Share = Field(0.0025, description="fraction of capital")
    relative: Share = Field(0.05, description="fraction of the target weight")
    to: Literal["centre", "edge"] = Field("centre", description="trade to the target or only to the band's edge")
    width: Literal["fixed", "cost"] = Field(
        "fixed", description="fixed: these two widths; cost: also the width at which a gap is worth its trading cost"
    )
    risk_aversion: float = Field(5.0, ge=0.5, le=100, description="relative, of the width by cost; higher is narrower")
