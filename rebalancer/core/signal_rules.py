"""The section `signals` of the rules: where signals come from, which ones count, and how they become one opinion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rebalancer.core.rule_section import RuleSection, Share


class Consensus(RuleSection):
    """How the scores of several sources about one symbol become one. Sources that say nothing never count."""

    quorum: int = Field(
        1, ge=1, le=100, description="fewer sources than this with a score: nothing is opened and nothing closed"
    )
    veto: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = Field(
        None,
        description="a source against the consensus with |score x confidence| of this: nothing is opened or enlarged",
    )
    disagreement: Literal["ignore", "lower"] = Field(
        "ignore", description="lower: confidence x (1 - the part of the scores that cancels out)"
    )


class Signals(RuleSection):
    """Where signals come from and which ones count."""

    path: str = Field("signals", description="file or folder of signals and target weights; relative to the project")
    sample: Literal["auto", "always", "never"] = Field(
        "auto", description="bundled sample signals: auto = on the embedded exchange while there are no others"
    )
    max_age_minutes: float = Field(60, gt=0, le=60 * 24 * 31, allow_inf_nan=False)
    targets_max_age: Annotated[float, Field(gt=0, le=60 * 24 * 366, allow_inf_nan=False)] | None = Field(
        None, description="minutes; an older target weight is stale; null: it holds until it is replaced"
    )
    weights_of: Literal["equity", "capital"] = Field(
        "equity", description="what a target weight is a fraction of; capital = equity x capital_scaling"
    )
    min_confidence: Share = Field(0.0, description="a signal less confident than this is rejected")
    mappings: dict[str, dict[str, str]] = Field(
        {}, description="how to read other JSON files, by file name: field -> JSONPath; see docs/how-to/spreadsheet.md"
    )
    source_weights: dict[str, Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]] = Field(
        {}, description="weight of each source in the consensus; a source not named weighs 1"
    )
    consensus: Consensus = Consensus()
    keep_days: int = Field(90, ge=1, le=36500, description="receipts of older signals are deleted")

    def weight_of(self, source: str) -> float:
        """The weight of a source in the consensus."""
        return self.source_weights.get(source, 1.0)
