"""The page of an edition: one self-contained HTML file, built from the sections of the cycle page and its own."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from rebalancer.accounting.trade_causes import CAUSE_WORDS
from rebalancer.core.values import ZERO
from rebalancer.performance.drift import PARTS
from rebalancer.report import numbers
from rebalancer.report.figures.figure import Figures
from rebalancer.report.figures.markup import shown_in
from rebalancer.report.limits import LIMIT_WARNING
from rebalancer.report.numbers import Number
from rebalancer.report.page import (
    DATA_PLACE,
    PAGE_BYTES_TARGET,
    ROWS_ALL,
    ROWS_MAX,
    context_of,
    environment,
    fold,
    tidy,
    unfold,
)
from rebalancer.report.period.charts import chart, chart_of_moments
from rebalancer.report.period.document import embedded_edition
from rebalancer.report.period.figures import BRIDGE_NAMES, figures_of
from rebalancer.report.period.names import edition_name
from rebalancer.report.period.records import Idle, PeriodReport, SlotRow
from rebalancer.report.period.results import Performance
from rebalancer.report.period.words import (
    attention_of,
    sentence_of,
    slot_counts,
    slot_runs,
    slot_word,
    title_of,
)
from rebalancer.report.redact import redact
from rebalancer.report.summary import needs_text
from rebalancer.report.words import MODE_MEANING, MODE_NAME, order_word, outcome_word

TRADES_MAX: Final = 1000  # beyond that, the JSON file has the rest
DEALS_FIRST: Final = 15  # orders shown at once; the rest can be unfolded
BEST_MAX: Final = 5
CAUSE_NAMES: Final[dict[str, str]] = {str(cause): words for cause, words in CAUSE_WORDS.items()} | {
    "other": "not by an order"
}
EXIT_ORDER: Final = ("target", "neutral", "cap", "stop", "take-profit", "flat-by", "kill", "hand", "other")
PART_SHOWN: Final = 0.000_05  # a part of the gap that is never larger would give a column of 0.00


class Extreme(NamedTuple):
    """The symbols that gained most and lost most."""

    best: Sequence[Any]
    worst: Sequence[Any]


def edition_html(edition: PeriodReport, folder: str = "") -> str:
    """Render the page. The same edition gives the same bytes.

    folder: put before the links to the pages of single cycles, for a copy that lies outside their folder.
    """
    edition = redacted(edition)
    context = _context(edition) | {"folder": folder}
    page = tidy(environment().get_template("edition/edition.html.j2").render(context))
    return page.replace(
        DATA_PLACE, f'id="report-data">{embedded_edition(edition, PAGE_BYTES_TARGET - len(page.encode()))}</script>'
    )


def redacted(edition: PeriodReport) -> PeriodReport:
    """The edition without whole account numbers. Doing it twice changes nothing more."""
    name = edition.account_id
    return edition._replace(
        account_id=name if name.startswith("••••") else numbers.masked(name),
        latest=None if edition.latest is None else redact(edition.latest),
    )


def _context(edition: PeriodReport) -> dict[str, Any]:
    items, figures = attention_of(edition), figures_of(edition)
    latest: dict[str, Any] = {} if edition.latest is None else context_of(edition.latest)
    slots = [(slot, slot_word(slot)) for slot in edition.slots]
    own = {
        "e": edition,
        "title": title_of(edition),
        "mode_name": MODE_NAME[edition.mode],
        "mode_meaning": MODE_MEANING[edition.mode],
        "needed": any(item.level == "act" for item in items),
        "summary": needs_text(items),
        "sentence": sentence_of(edition, items),
        "attention": fold(items),
        "fig": shown_in(figures),
        "known": figures.known,
        "tone": _tone(figures["return"].value),
        "own_window": figures["return"].id.partition("@")[2],
        "deals": fold([(trade, order_word(trade.line)) for trade in edition.trades], TRADES_MAX),
        "idle": fold([(one, outcome_word(one.outcome)) for one in edition.idle if not _is_quiet(one)], ROWS_ALL),
        "quiet": fold([(one, outcome_word(one.outcome)) for one in edition.idle if _is_quiet(one)], ROWS_ALL),
        "deals_first": DEALS_FIRST,
        "slots": slots,
        "unplanned": fold(slot_runs(edition.slots)),
        "cycle_seconds": _cycle_seconds(edition.slots),
        "slot_counts": slot_counts(edition.slots),
        "day_chart": _through_the_day(edition),
        "growth_chart": _growth(edition.performance),
        "drawdown_chart": _drawdown(edition.performance),
        "rolling_charts": _rolling(edition.performance),
        "extreme": _extreme(edition),
        "quality": fold(edition.quality, ROWS_ALL),
        "quality_by_hour": fold(edition.quality_by_hour),
        "gaps": unfold(edition.gaps),
        "gap_parts": [
            name for name in PARTS if any(abs(gap.parts.get(name, 0.0)) >= PART_SHOWN for gap in edition.gaps)
        ],
        "regimes": any(trip.regime for trip in edition.trips),
        "tallest": max((bar.days for bar in edition.performance.distribution), default=1) if edition.performance else 1,
        "guarded": unfold(edition.guarded),
        "trips": unfold(sorted(edition.trips, key=lambda t: (t.closed_at, t.symbol), reverse=True)),
        "bridge_ids": _bridge_ids(edition, figures),
        "exits": [name for name in EXIT_ORDER if f"trips.reason[{name}].trips" in figures],
        "cause_words": CAUSE_NAMES,
        "rules_diff": fold(sorted(edition.rules_changed.items())),
        "limit_warning": LIMIT_WARNING,
        "rows_max": ROWS_MAX,
        "edition_json": edition_name(edition) + ".json",
    }
    return latest | own


def _growth(performance: Performance | None) -> Any:
    if performance is None:
        return None
    lines: list[Sequence[float | None]] = [performance.growth]
    if any(value is not None for value in performance.benchmark):
        lines.append(performance.benchmark)
    return chart(performance.days, lines, base=1.0)


def _drawdown(performance: Performance | None) -> Any:
    return None if performance is None else chart(performance.days, [performance.drawdown])


def _rolling(performance: Performance | None) -> list[tuple[str, Any]]:
    if performance is None:
        return []
    drawn = [
        ("Volatility of the last 20 days, a year", chart(performance.days, [performance.rolling_volatility], plus="")),
        ("Sharpe ratio of the last 60 days", chart(performance.days, [performance.rolling_sharpe], unit="")),
    ]
    return [(name, picture) for name, picture in drawn if picture is not None]


def _through_the_day(edition: PeriodReport) -> Any:
    """The equity after each cycle relative to the equity before the day."""
    points, before = edition.through_the_day, edition.equity_before
    if not before or before <= ZERO:
        return None
    return chart_of_moments([p.at for p in points], [float(p.equity / before) for p in points])


def _bridge_ids(edition: PeriodReport, figures: Figures) -> dict[str, str]:
    lines = () if edition.bridge is None else edition.bridge.lines
    return {line.label: figures[f"bridge.{BRIDGE_NAMES.get(line.label, line.label)}"].id for line in lines}


def _tone(value: Number | None) -> str:
    return "" if not value else "ok" if value > 0 else "bad"


def _is_quiet(one: Idle) -> bool:
    """Nothing needed to be done: folded away unless somebody wants the details."""
    return one.outcome.startswith("HELD")


def _cycle_seconds(slots: Sequence[SlotRow]) -> tuple[float, float] | None:
    """The median and the longest duration of a cycle."""
    took = sorted(slot.seconds for slot in slots if slot.seconds is not None)
    return (median(took), took[-1]) if took else None


def _extreme(edition: PeriodReport) -> Extreme | None:
    ranked = sorted(edition.contributions, key=lambda c: (-c.amount, c.symbol))
    best = [c for c in ranked if c.amount > ZERO][:BEST_MAX]
    worst = [c for c in reversed(ranked) if c.amount < ZERO][:BEST_MAX]
    return Extreme(best, worst) if best or worst else None
