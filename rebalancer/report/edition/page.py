"""The page of an edition: one self-contained HTML file, built from the sections of the cycle page and its own."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.report import numbers
from rebalancer.report.edition.charts import chart
from rebalancer.report.edition.document import embedded_edition
from rebalancer.report.edition.names import edition_name
from rebalancer.report.edition.records import Edition, Performance, Quality
from rebalancer.report.edition.words import (
    attention_of,
    change_of,
    sentence_of,
    slot_counts,
    slot_word,
    title_of,
    totals_of,
)
from rebalancer.report.limits import LIMIT_WARNING
from rebalancer.report.page import DATA_PLACE, PAGE_BYTES_AIM, ROWS_MAX, context_of, environment, fold, tidy
from rebalancer.report.redact import redact
from rebalancer.report.summary import needs_text
from rebalancer.report.words import MODE_MEANING, MODE_NAME, order_word, outcome_word
from rebalancer.values import ZERO

TRADES_MAX: Final = 60
BEST_MAX: Final = 5


class Extreme(NamedTuple):
    """The symbols that gave most and took most."""

    best: Sequence[Any]
    worst: Sequence[Any]


def edition_html(edition: Edition, folder: str = "") -> str:
    """Render the page. The same edition gives the same bytes.

    folder: put before the links to the pages of single cycles, for a copy that lies outside their folder.
    """
    edition = redacted(edition)
    context = _context(edition) | {"folder": folder}
    page = tidy(environment().get_template("edition/edition.html.j2").render(context))
    return page.replace(
        DATA_PLACE, f'id="report-data">{embedded_edition(edition, PAGE_BYTES_AIM - len(page.encode()))}</script>'
    )


def redacted(edition: Edition) -> Edition:
    """The edition without whole account numbers. Doing it twice changes nothing more."""
    name = edition.account_id
    return edition._replace(
        account_id=name if name.startswith("••••") else numbers.masked(name),
        latest=None if edition.latest is None else redact(edition.latest),
    )


def _context(edition: Edition) -> dict[str, Any]:
    items = attention_of(edition)
    latest = {} if edition.latest is None else context_of(edition.latest)
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
        "totals": totals_of(edition),
        "change": change_of(edition),
        "deals": fold([(trade, order_word(trade.line)) for trade in edition.trades], TRADES_MAX),
        "idle": fold([(one, outcome_word(one.outcome)) for one in edition.idle]),
        "slots": slots,
        "unplanned": fold([(slot, word) for slot, word in slots if word.tone in ("bad", "warn")]),
        "slot_counts": slot_counts(edition.slots),
        "growth_chart": _growth(edition.performance),
        "drawdown_chart": _drawdown(edition.performance),
        "rolling_charts": _rolling(edition.performance),
        "extreme": _extreme(edition),
        "quality": fold(edition.quality),
        "quality_by_hour": fold(edition.quality_by_hour),
        "quality_all": _together(edition.quality),
        "gaps": fold(edition.gaps),
        "gap_parts": sorted({name for gap in edition.gaps for name in gap.parts}),
        "guarded": fold(edition.guarded),
        "trips": fold(sorted(edition.trips, key=lambda t: (t.closed_at, t.symbol), reverse=True)),
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
    found = [
        ("Volatility, 20 days, annualised", performance.rolling_volatility),
    ]
    drawn = [
        (name, chart(performance.days, [line], plus="")) for name, line in found if len(line) == len(performance.days)
    ]
    return [(name, picture) for name, picture in drawn if picture is not None]


def _extreme(edition: Edition) -> Extreme | None:
    ranked = sorted(edition.contributions, key=lambda c: (-c.amount, c.symbol))
    best = [c for c in ranked if c.amount > ZERO][:BEST_MAX]
    worst = [c for c in reversed(ranked) if c.amount < ZERO][:BEST_MAX]
    return Extreme(best, worst) if best or worst else None


def _together(rows: Sequence[Quality]) -> Quality | None:
    """All symbols in one line, weighted by the value traded."""
    if not rows:
        return None

    def mean(values: Sequence[tuple[Decimal, float | None]]) -> float | None:
        known = [(float(weight), value) for weight, value in values if value is not None]
        total = sum(weight for weight, _ in known)
        return sum(weight * value for weight, value in known) / total if total else None

    return Quality(
        "All",
        sum(row.orders for row in rows),
        sum((row.value for row in rows), ZERO),
        mean([(row.value, row.arrival_bp) for row in rows]),
        mean([(row.value, row.decision_bp) for row in rows]),
        mean([(row.value, row.spread_bp) for row in rows]),
        mean([(Decimal(row.orders), row.seconds) for row in rows]),
    )
