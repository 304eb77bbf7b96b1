"""The card of a model as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rebalancer.core.units import amount_of
from rebalancer.report.columns import TableRow, table, wrap
from rebalancer.report.visible import visible

if TYPE_CHECKING:
    from rebalancer.signals.model.files import ModelCard


def card_lines(card: ModelCard, width: int | None) -> list[str]:
    """What it was trained on, how it did on days that it had not seen, and what its scores are worth."""
    data, seen = card.data, card.validation
    facts = [
        f"prices of {visible(data.place)}: {data.first} to {data.last}, {data.days:,} days, "
        f"{amount_of(len(data.symbols), 'symbol')}, {data.rows:,} rows",
        f"{len(card.features)} features {card.features_hash}; label: the move over {card.horizon_days} days from the "
        "next close, above or below the median of the day's names",
        f"{card.library}, {card.settings.rounds} trees of depth {card.settings.depth}, seed {card.settings.seed}",
    ]
    lines = [f"model {card.version}", *(line for fact in facts for line in wrap(fact, width, "  ")), ""]
    ic = "-" if seen.rank_ic is None else f"{seen.rank_ic:+.4f} ± {seen.rank_ic_error:.4f}"
    lines.append(f"on {seen.rows:,} rows of {seen.days:,} days that it had not seen:")
    lines.append(f"  rank IC a day {ic}   right {seen.hit_rate:.2%}   Brier {seen.brier:.4f} (chance 0.2500)")
    folds = [
        TableRow((str(one.labels_end), f"{one.trained_rows:,}", f"{one.tested_from} to {one.tested_to}",
                  f"{one.tested_rows:,}", "-" if one.rank_ic is None else f"{one.rank_ic:+.3f}", f"{one.brier:.4f}"))
        for one in seen.folds
    ]  # fmt: skip
    lines += table(("labels to", "rows", "tested", "rows", "IC", "Brier"), "<><>>>", folds, width=width, colour=False)
    lines += ["", "what a score is worth:"]
    bins = [
        TableRow((f"to {one.size_most:.1f}", f"{one.rows:,}", f"{one.hit_rate:.2%}", f"{one.lower_bound:.2%}",
                  f"{one.confidence:.2f}"))
        for one in card.calibration.bins
    ]  # fmt: skip
    lines += table(("size", "rows", "right", "at least", "confidence"), "<>>>>", bins, width=width, colour=False)
    if all(one.confidence == 0 for one in card.calibration.bins):
        lines += ["", *wrap("It was right no more often than by chance: it will give no vote.", width, "")]
    return lines
