"""The section `signals` of the rules: where signals come from, which ones count, and how they become one opinion."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from rebalancer.core.known_sources import KNOWN_SOURCES, known_name
from rebalancer.core.rule_section import Money, RuleSection, Share
from rebalancer.core.values import symbol_of


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


class SourceRules(RuleSection):
    """One source that is asked in the background. Keys of vendors stand in the environment, never here. What is left
    out has the value of `core/known_sources.py`, or the one below for a source of your own."""

    enabled: bool = Field(False, description="true: it is asked, and its votes are signals")
    weight: float = Field(1.0, ge=0, le=100, allow_inf_nan=False, description="in the consensus")
    base_url: str = Field(
        "", max_length=300, description="another address; https, or http on this machine; empty: its own"
    )
    ttl_seconds: float = Field(300, ge=5, le=604_800, allow_inf_nan=False, description="how long an answer is fresh")
    timeout_seconds: float = Field(20, gt=0, le=600, allow_inf_nan=False, description="deadline of one call")
    max_age_minutes: Annotated[float, Field(gt=0, le=60 * 24 * 31, allow_inf_nan=False)] | None = Field(
        None,
        description="an older vote is stale; null: signals.max_age_minutes, or twice ttl_seconds if that is longer",
    )
    calls_per_day: int | None = Field(None, ge=0, le=1_000_000, description="null: no limit")
    calls_per_minute: int | None = Field(None, ge=1, le=100_000, description="evenly spaced; null: no limit")
    usd_per_day: Money | None = Field(None, description="money for calls; null: no limit")
    usd_per_call: Decimal = Field(
        Decimal(0), ge=0, le=1000, allow_inf_nan=False, description="counted for a call unless the vendor says its cost"
    )
    api: Literal["", "agent", "sonar"] = Field("", description="perplexity: agent or sonar")
    model: str = Field("", max_length=100, description="model or preset of the vendor")
    options: dict[str, str] = Field({}, description="anything else the source knows")

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        if not text:
            return text
        try:
            parts = urlsplit(text)
            host, is_secure = parts.hostname or "", parts.scheme == "https" and parts.port != 0
        except ValueError:
            raise ValueError("base_url is not an address") from None
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment or not host:
            raise ValueError("base_url must be scheme, host and path alone")
        if not is_secure and not (parts.scheme == "http" and _is_loopback(host)):
            raise ValueError("base_url must begin with https://; http:// only for this machine (127.0.0.1)")
        return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


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
    sources: dict[str, SourceRules] = Field(
        {}, description="sources that are asked in the background, by name; see docs/how-to/sources.md"
    )
    universe: list[str] = Field(
        [], description="symbols that sources are asked about, besides what is held or signalled"
    )
    keep_days: int = Field(90, ge=1, le=36500, description="receipts of older signals are deleted")

    @field_validator("universe")
    @classmethod
    def _symbols(cls, names: list[str]) -> list[str]:
        return [symbol_of(name) for name in names]

    @model_validator(mode="before")
    @classmethod
    def _with_known_values(cls, given: Any) -> Any:
        sources = given.get("sources") if isinstance(given, Mapping) else None
        if not isinstance(sources, Mapping):
            return given
        filled: dict[str, Any] = {}
        for written, body in sources.items():
            name = known_name(written) or written
            if name in filled:
                raise ValueError(f"sources: {name} stands there twice")
            known = KNOWN_SOURCES.get(name)
            filled[name] = {**known, **body} if known is not None and isinstance(body, Mapping) else body
        return {**given, "sources": filled}

    @property
    def enabled_sources(self) -> dict[str, SourceRules]:
        """The sources that are asked in the background."""
        return {name: one for name, one in self.sources.items() if one.enabled}

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every source that has one; `source_weights` wins."""
        return {name: one.weight for name, one in self.enabled_sources.items()} | self.source_weights

    def weight_of(self, source: str) -> float:
        """The weight of a source in the consensus; 1 for one that is not named."""
        if source in self.source_weights:
            return self.source_weights[source]
        known = self.sources.get(source)
        return known.weight if known is not None and known.enabled else 1.0

    def max_age_of(self, source: str) -> float:
        """Minutes after which a score of this source is stale."""
        known = self.sources.get(source)
        if known is None or not known.enabled:
            return self.max_age_minutes
        if known.max_age_minutes is not None:
            return known.max_age_minutes
        return max(self.max_age_minutes, known.ttl_seconds / 30)
