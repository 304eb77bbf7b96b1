"""The section `regime` of the rules: how the market is judged, and what each regime changes.

Confidence and gross never rise from BULL over CHOP and BEAR to CRISIS: a missing benchmark moves the regime in that
direction, and so can never raise what may be held.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from rebalancer.core.facts import RegimeName
from rebalancer.core.rule_section import RuleSection, Share
from rebalancer.core.values import symbol_of

Trend = Annotated[float, Field(ge=-0.5, le=0.5, allow_inf_nan=False)]
Sessions = Annotated[int, Field(ge=1, le=250)]


class RegimeTable(RuleSection):
    """One factor a regime."""

    bull: Share
    chop: Share
    bear: Share
    crisis: Share

    @model_validator(mode="after")
    def _never_rises(self) -> RegimeTable:
        if not self.bull >= self.chop >= self.bear >= self.crisis:
            raise ValueError("the factors must not rise from bull over chop and bear to crisis")
        return self

    def of(self, name: RegimeName) -> float:
        """The factor of a regime."""
        return {"BULL": self.bull, "CHOP": self.chop, "BEAR": self.bear, "CRISIS": self.crisis}[name]


class ConfidenceTable(RegimeTable):
    """What the confidence of every score is multiplied by."""

    bull: Share = Field(1.0, description="in BULL")
    chop: Share = Field(0.9, description="in CHOP")
    bear: Share = Field(0.8, description="in BEAR")
    crisis: Share = Field(0.6, description="in CRISIS, and while no regime is known")


class GrossTable(RegimeTable):
    """What raw weights, and the limit on all of them together, are multiplied by."""

    bull: Share = Field(1.0, description="in BULL")
    chop: Share = Field(0.8, description="in CHOP")
    bear: Share = Field(0.5, description="in BEAR")
    crisis: Share = Field(0.25, description="in CRISIS, and while no regime is known")


class RegimeLevels(RuleSection):
    """At which levels a regime is entered and left. Trend: close / its mean of 200 sessions - 1. Volatility: the part
    of the last three years below that of 20 sessions. Drawdown: below the highest close of a year. Breadth: part of
    the names above their mean of 50 sessions."""

    bull_trend_in: Trend = Field(0.02, description="at least, with a mean that does not fall")
    bull_trend_out: Trend = Field(-0.01, description="at most")
    bull_volatility_in: Share = Field(0.80, description="at most")
    bull_volatility_out: Share = Field(0.95, description="at least")
    bull_breadth_in: Share = Field(0.55, description="at least, where breadth is known")
    bull_breadth_out: Share = Field(0.25, description="at most, where breadth is known")
    bear_trend_in: Trend = Field(-0.03, description="at most, with a mean that does not rise")
    bear_trend_out: Trend = Field(0.01, description="at least")
    crisis_volatility_in: Share = Field(0.95, description="at least, together with the drawdown")
    crisis_volatility_out: Share = Field(0.80, description="below")
    crisis_drawdown_in: Share = Field(0.10, description="at least, together with the volatility")
    crisis_drawdown_out: Share = Field(0.05, description="below")

    @model_validator(mode="after")
    def _in_is_apart_from_out(self) -> RegimeLevels:
        pairs = (
            (self.bull_trend_out < self.bull_trend_in, "bull_trend_out must be below bull_trend_in"),
            (
                self.bull_volatility_in < self.bull_volatility_out,
                "bull_volatility_in must be below bull_volatility_out",
            ),
            (self.bull_breadth_out < self.bull_breadth_in, "bull_breadth_out must be below bull_breadth_in"),
            (self.bear_trend_in < self.bear_trend_out, "bear_trend_in must be below bear_trend_out"),
            (self.crisis_volatility_out < self.crisis_volatility_in, "crisis_volatility_out must be below _in"),
            (self.crisis_drawdown_out < self.crisis_drawdown_in, "crisis_drawdown_out must be below _in"),
            (self.bear_trend_in <= self.bull_trend_out, "bear_trend_in must not be above bull_trend_out"),
            (self.bear_trend_out <= self.bull_trend_in, "bear_trend_out must not be above bull_trend_in"),
        )
        for holds, problem in pairs:
            if not holds:
                raise ValueError(problem)
        return self


class RegimeRules(RuleSection):
    """The market's regime, from daily closes of a benchmark."""

    enabled: bool = Field(False, description="true: the regime scales confidence and exposure by the two tables")
    benchmark: str = Field("", description="symbol whose closes decide; empty: reporting.benchmark")
    targets: bool = Field(False, description="true: target weights are scaled by gross too")
    confidence: ConfidenceTable = ConfidenceTable()
    gross: GrossTable = GrossTable()
    min_sessions: Sessions = Field(5, description="a regime lasts at least this long; CRISIS is entered at once")
    crisis_sessions: Sessions = Field(10, description="CRISIS lasts at least this long, and then becomes BEAR")
    missing_sessions: Sessions = Field(
        2, description="after so many sessions without a close of the benchmark: the next more careful regime"
    )
    breadth_names: int = Field(10, ge=1, le=10_000, description="with fewer names breadth takes no part")
    levels: RegimeLevels = RegimeLevels()

    @field_validator("benchmark")
    @classmethod
    def _is_a_symbol(cls, name: str) -> str:
        return symbol_of(name) if name else name

    def judged_by(self, otherwise: str) -> str:
        """The symbol by which the regime is judged; "" while nobody judges it. otherwise: where none is named."""
        return (self.benchmark or otherwise) if self.enabled else ""
