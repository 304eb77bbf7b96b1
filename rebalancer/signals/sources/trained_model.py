"""The trained model as one more source: yesterday's closes to features, features to a vote.

The closes are asked from Alpaca's data host, as `alpaca_bars` does. A model that is missing, damaged, stale, trained on
other features, or without its library gives no vote at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from rebalancer.core.new_york import in_new_york
from rebalancer.signals.model import booster
from rebalancer.signals.model.features import NAMES, WINDOW, Floats, features_of, known_closes
from rebalancer.signals.model.files import ModelCard, usable_card, usable_model
from rebalancer.signals.model.opinion import confidence_of, scores_of
from rebalancer.signals.model.paths import ModelFiles
from rebalancer.signals.sources.alpaca_bars import daily_closes
from rebalancer.signals.sources.contract import (
    SourceBudget,
    SourceContext,
    SourceNotReady,
    Vote,
    Votes,
    is_crypto,
)
from rebalancer.signals.sources.price_votes import QUIET

_DIGITS: Final = 4


class TrainedModel:
    """Options `model_path`, `features_path`, `max_age_days`: those of the section `model`, with absolute paths."""

    batch_size = 50

    def __init__(self, context: SourceContext) -> None:
        options = context.rules.options
        self._context = context
        self._files = ModelFiles(Path(options.get("model_path", "")), Path(options.get("features_path", "")))
        self._days_most = int(options["max_age_days"]) if options.get("max_age_days") else None

    def revision(self, now: datetime) -> str:
        """Version and feature hash of the model. Raises SourceNotReady when it cannot be used."""
        if not booster.is_installed():
            raise SourceNotReady("model: the extra `model` is not installed", booster.HINT)
        return usable_card(self._files, in_new_york(now).date(), self._days_most).revision

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols. Raises SourceProblem."""
        today = in_new_york(now).date()
        card, raw = usable_model(self._files, today, self._days_most)
        silent = {symbol: "this source has no crypto pairs" for symbol in symbols if is_crypto(symbol)}
        rows: dict[str, Floats] = {}
        for symbol, closes in daily_closes(self._context, symbols, today, budget).items():
            days, prices = known_closes(closes, today)
            if len(days) < WINDOW:
                silent[symbol] = f"only {len(days)} daily closes, {WINDOW} are needed"
            elif today - days[-1] > QUIET:
                silent[symbol] = f"its newest close is of {days[-1]}"
            else:
                rows[symbol] = features_of(prices[-WINDOW:][None])[0]
        found = opinions(card, raw, rows)
        return Votes(
            tuple(vote for vote in found.values() if isinstance(vote, Vote)),
            silent | {symbol: why for symbol, why in found.items() if isinstance(why, str)},
        )


def opinions(card: ModelCard, raw: bytes, rows: dict[str, Floats]) -> dict[str, Vote | str]:
    """The vote of each symbol by its features, or why there is none."""
    if not rows:
        return {}
    chances = booster.Booster(raw).chances(np.stack(list(rows.values())))
    scores = scores_of(chances, card.calibration)
    found: dict[str, Vote | str] = {}
    for symbol, chance, score in zip(rows, chances, scores, strict=True):
        size = round(float(score), _DIGITS)
        sure = round(confidence_of(size, card.calibration.bins), _DIGITS)
        if not np.isfinite(rows[symbol]).any():
            found[symbol] = "its price does not move"
        elif sure <= 0:
            found[symbol] = f"a score of {size:+.2f} was right no more often than by chance on days it had not seen"
        else:
            because = (
                f"model {card.version[:8]}, features {card.features_hash[:8]} ({len(NAMES)}): "
                f"{chance:.1%} to do better than the median of its names in {card.horizon_days} days"
            )
            found[symbol] = Vote(symbol, size + 0.0, sure, because, revision=card.revision)
    return found
