"""The page of an edition: one self-contained HTML file, built from the sections of the cycle page and its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from rebalancer.accounting.trade_causes import CAUSE_WORDS
from rebalancer.performance.drift import PARTS
from rebalancer.report import numbers
from rebalancer.report.charting.markup import Plots, tables_html
from rebalancer.report.figures.figure import Figures
from rebalancer.report.figures.markup import shown_in
from rebalancer.report.figures.of_book import BASKETS, bet_name, bet_words
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
from rebalancer.report.period.document import embedded_edition
from rebalancer.report.period.figures import BRIDGE_NAMES, figures_of
from rebalancer.report.period.names import data_name, edition_name
from rebalancer.report.period.pictures import charts_of
from rebalancer.report.period.records import Idle, PeriodReport, SlotRow
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

TRADES_MAX: Final = 5000  # beyond that, the JSON file has the rest
ORDERS_HERE: Final = 60  # more than these have a page of their own, beside the first
TRIPS_HERE: Final = 30
DEALS_FIRST: Final = 15  # orders shown at once; the rest can be unfolded
CAUSE_NAMES: Final[dict[str, str]] = {str(cause): words for cause, words in CAUSE_WORDS.items()} | {
    "other": "not by an order"
}
EXIT_ORDER: Final = ("target", "neutral", "cap", "stop", "take-profit", "flat-by", "kill", "hand", "other")
PART_SHOWN: Final = 0.000_05  # a part of the gap that is never larger would give a column of 0.00


class EditionPages(NamedTuple):
    """The page of a period, and the one of the tables for which it has no room; "" when it has room for all."""

    page: str
    data: str


def edition_html(edition: PeriodReport, folder: str = "") -> str:
    """Render the page with all tables, however heavy, for a copy that stands alone. As `edition_pages`."""
    return _page(redacted(edition), folder, linked=False).page


def edition_pages(edition: PeriodReport, folder: str = "") -> EditionPages:
    """Render the page, and a second one where its tables are too heavy. The same edition gives the same
    bytes.

    folder: put before the links to other pages, for a copy that lies outside their folder.
    """
    return _page(redacted(edition), folder, linked=True)


def _page(edition: PeriodReport, folder: str, *, linked: bool) -> EditionPages:
    context = _context(edition, folder, linked=linked)
    plot: Plots = context["plot"]
    page = tidy(environment().get_template("edition/edition.html.j2").render(context))
    data = ""
    if plot.elsewhere or context["orders_elsewhere"] or context["trips_elsewhere"]:
        tables = [tables_html(chart, name) for name, chart in plot.elsewhere.items()]
        context |= {"tables": tables, "back": f"{edition_name(edition)}.html", "mode": edition.mode}
        data = tidy(environment().get_template("tables.html.j2").render(context))
    embedded = embedded_edition(edition, PAGE_BYTES_TARGET - len(page.encode()))
    return EditionPages(page.replace(DATA_PLACE, f'id="report-data">{embedded}</script>'), data)


def redacted(edition: PeriodReport) -> PeriodReport:
    """The edition without whole account numbers. Doing it twice changes nothing more."""
    name = edition.account_id
    return edition._replace(
        account_id=name if name.startswith("••••") else numbers.masked(name),
        latest=None if edition.latest is None else redact(edition.latest),
    )


def _context(edition: PeriodReport, folder: str, *, linked: bool) -> dict[str, Any]:
    items, figures = attention_of(edition), figures_of(edition)
    charts, link = charts_of(edition, figures), f"{folder}{data_name(edition)}.html" if linked else ""
    plot = Plots(charts, link) if linked else Plots(charts, bytes_max=sys.maxsize)
    latest: dict[str, Any] = {} if edition.latest is None else context_of(edition.latest, {})
    slots = [(slot, slot_word(slot)) for slot in edition.slots]
    own = {
        "e": edition,
        "folder": folder,
        "title": title_of(edition),
        "mode_name": MODE_NAME[edition.mode],
        "mode_meaning": MODE_MEANING[edition.mode],
        "needed": any(item.level == "act" for item in items),
        "summary": needs_text(items),
        "sentence": sentence_of(edition, items),
        "attention": fold(items),
        "fig": shown_in(figures),
        "known": figures.known,
        "bet_name": bet_name,
        "bet_words": bet_words,
        "bet_baskets": BASKETS,
        "tone": _tone(figures["return"].value),
        "own_window": figures["return"].id.partition("@")[2],
        "deals": fold([(t, order_word(t.line.state, t.line.filled_qty)) for t in edition.trades], TRADES_MAX),
        "idle": fold([(one, outcome_word(one.outcome)) for one in edition.idle if not _is_quiet(one)], ROWS_ALL),
        "quiet": fold([(one, outcome_word(one.outcome)) for one in edition.idle if _is_quiet(one)], ROWS_ALL),
        "deals_first": DEALS_FIRST,
        "data_page": link,
        "orders_elsewhere": linked and len(edition.trades) > ORDERS_HERE,
        "trips_elsewhere": linked and len(edition.trips) > TRIPS_HERE,
        "slots": slots,
        "unplanned": fold(slot_runs(edition.slots)),
        "cycle_seconds": _cycle_seconds(edition.slots),
        "slot_counts": slot_counts(edition.slots),
        "plot": plot,
        "quality": fold(edition.quality, ROWS_ALL),
        "quality_by_hour": fold(edition.quality_by_hour),
        "gaps": unfold(edition.gaps),
        "gap_parts": [
            name for name in PARTS if any(abs(gap.parts.get(name, 0.0)) >= PART_SHOWN for gap in edition.gaps)
        ],
        "regimes": any(trip.regime for trip in edition.trips),
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
