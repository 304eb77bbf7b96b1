"""What the market's regime leaves of confidence and of exposure."""

from __future__ import annotations

from typing import Final, NamedTuple

from rebalancer.core.facts import BY_CAUTION, Regime
from rebalancer.core.regime_rules import RegimeRules
from rebalancer.planning.numbers import rate


class RegimeFactors(NamedTuple):
    """Factors from 0 to 1: on the confidence of scores; on raw weights and on the limit of all of them together."""

    confidence: float
    gross: float

    @property
    def rates(self) -> tuple[int, int]:
        """Both as whole trillionths, rounded down."""
        return rate(self.confidence), rate(self.gross)

    @property
    def changes_nothing(self) -> bool:
        """Whether both are 1."""
        return self.confidence == 1 and self.gross == 1


NEUTRAL: Final = RegimeFactors(1.0, 1.0)


def regime_factors(regime: Regime | None, rules: RegimeRules) -> RegimeFactors:
    """The factors of a regime; those of the most careful one where none is known, and none while it is not enabled."""
    if not rules.enabled:
        return NEUTRAL
    name = BY_CAUTION[-1] if regime is None else regime.name
    return RegimeFactors(rules.confidence.of(name), rules.gross.of(name))


def regime_words(regime: Regime | None) -> str:
    """The name of a regime in reasons."""
    return f"no regime is known, as in {BY_CAUTION[-1]}" if regime is None else regime.name
