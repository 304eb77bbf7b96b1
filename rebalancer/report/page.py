"""The page: one self-contained HTML file of one cycle, readable offline, on a phone, on paper and without script.

Every section is a template under `templates/`; what it shows is gathered here. A table longer than `ROWS_MAX` shows
its first rows, and the rest folded below them: nothing is cut up to `ROWS_ALL` rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.core.codec import plain
from rebalancer.core.decisions import Target
from rebalancer.core.values import ZERO
from rebalancer.report import numbers
from rebalancer.report.allocation import by_symbol, known_prices, largest_drift
from rebalancer.report.attention import attention
from rebalancer.report.charting.lines import sparkline
from rebalancer.report.charting.markup import Plots
from rebalancer.report.charting.records import Charted
from rebalancer.report.document import EMBEDDED_MAX, embedded_json
from rebalancer.report.figures.markup import shown_in
from rebalancer.report.index_days import DaySummary, calendars
from rebalancer.report.limits import LIMIT_WARNING, shown_limits
from rebalancer.report.paths import report_name
from rebalancer.report.pictures import charts_of_run
from rebalancer.report.records import RunRecord, RunSummary
from rebalancer.report.redact import redact
from rebalancer.report.run_figures import figures_of_run
from rebalancer.report.summary import needs_text, sentence, totals, turnover_text
from rebalancer.report.trades import not_traded, trades
from rebalancer.report.visible import TEXT_MAX, visible, visible_symbol
from rebalancer.report.votes import vote_rows
from rebalancer.report.words import MODE_MEANING, MODE_NAME, cycle_word, limit_name, step_text

if TYPE_CHECKING:
    from jinja2 import Environment

ROWS_MAX: Final = 30  # rows in sight
ROWS_ALL: Final = 300  # rows in the page
PAGE_BYTES_TARGET: Final = 150_000  # bytes; the embedded document gets what the tables leave of this
DATA_PLACE: Final = 'id="report-data"></script>'  # quotes in texts are escaped, so it occurs only once
_UNIT: Final = re.compile(r"(?<=\d) (?=(?:%|pp|bp)(?:\W|$))")


class Folded(NamedTuple):
    """A table: its first rows, the `rest` that can be unfolded below them, and how many more the JSON file has."""

    rows: Sequence[Any]
    more: int
    rest: Sequence[Any] = ()

    @property
    def parts(self) -> tuple[Sequence[Any], ...]:
        """The first rows, then the rest if there is any."""
        return (self.rows, self.rest) if self.rest else (self.rows,)


class HoldingRow(NamedTuple):
    """One position with its value. USD; None where no price is known."""

    symbol: str
    qty: Decimal
    cost: Decimal
    price: Decimal | None

    @property
    def value(self) -> Decimal | None:
        """Signed market value."""
        return None if self.price is None else self.qty * self.price

    @property
    def gain(self) -> Decimal | None:
        """Unrealised profit (+) or loss (-)."""
        return None if self.price is None else self.qty * (self.price - self.cost)

    @property
    def gain_ratio(self) -> Decimal | None:
        """The gain as a fraction of what the position cost."""
        spent = abs(self.qty * self.cost)
        return None if self.gain is None or not spent else self.gain / spent


def html_of(record: RunRecord) -> str:
    """Render the page. The same record gives the same bytes."""
    record = redact(record)
    page = tidy(environment().get_template("report.html.j2").render(context_of(record)))
    data = embedded_json(record, min(EMBEDDED_MAX, PAGE_BYTES_TARGET - len(page.encode())))
    return page.replace(DATA_PLACE, f'id="report-data">{data}</script>')


def context_of(record: RunRecord, charts: Mapping[str, Charted] | None = None, link: str = "") -> dict[str, Any]:
    """The context for the templates of one cycle's sections. The record must be redacted.

    charts: those of the page, else those of the cycle; link: the page that has the tables for which this one has no
    room."""
    items = attention(record)
    traded = {line.symbol for line in record.orders}
    rows = tuple(sorted(by_symbol(record), key=lambda row: row.name not in traded))  # stable: then by size
    held = holdings(record)
    limits = shown_limits(record.plan.limits)
    return {
        "record": record,
        "summary": needs_text(items),
        "needed": any(item.level == "act" for item in items),
        "account": record.account_after or record.snapshot.account,
        "mode_name": MODE_NAME[record.mode],
        "mode_meaning": MODE_MEANING[record.mode],
        "outcome": cycle_word(record.outcome),
        "sentence": sentence(record, items),
        "attention": fold(items),
        "totals": totals(record),
        "fig": shown_in(figures_of_run(record)),
        "turnover": turnover_text(record),
        "drift": largest_drift(rows),
        "gross": _gross(record),
        "trades": unfold(trades(record)),
        "not_traded": unfold(not_traded(record)),
        "plot": Plots(charts_of_run(record) if charts is None else charts, link),
        "targets": unfold(_targets(record, traded)),
        "limits": fold(limits.first, ROWS_ALL),
        "limits_quiet": fold(limits.quiet, ROWS_ALL),
        "limits_idle": limits.idle,
        "limit_warning": LIMIT_WARNING,
        "holdings": fold(held, ROWS_ALL),
        "holdings_value": _sum(h.value for h in held),
        "holdings_gain": _sum(h.gain for h in held),
        "findings": fold(record.reconciled),
        "sources": fold(record.sources),
        "votes": fold(vote_rows(record)),
        "calls": sum(record.broker_calls.values()),
        "rules": fold(sorted(record.rules_changed.items())),
        "json_name": report_name(record) + ".json",
    }


def index_html(
    runs: Sequence[RunSummary],
    unreadable: Sequence[str],
    older: int,
    editions: Sequence[str] = (),
    days: Sequence[DaySummary] = (),
) -> str:
    """Render the list of runs and of editions, newest first, and a calendar of the days. `unreadable` names files that
    should have been reports."""
    shown = calendars(days)
    words = {run.page: cycle_word(run.outcome) for run in runs}
    context = {
        "runs": runs,
        "words": words,
        "modes": MODE_NAME,
        "unreadable": unreadable,
        "older": older,
        "editions": [_edition_words(page) for page in editions],
        "calendars": shown,
        "plot": Plots({one.name: one.chart for one in shown}),
        "days": {one.page: one for one in days},
        "standing": [one for one in days if one.standing],
        "sparks": _sparks(days),
    }
    return tidy(environment().get_template("index.html.j2").render(context))


def _sparks(days: Sequence[DaySummary]) -> dict[tuple[str, str], str]:
    """A small line of the equity of every month, by mode and by month as it stands in the names of pages."""
    found: dict[tuple[str, str], list[float | None]] = {}
    for one in reversed(days):
        equity = None if one.equity is None else float(one.equity)
        found.setdefault((MODE_NAME[one.mode], f"{one.day:%Y-%m}"), []).append(equity)
    return {key: sparkline(values) for key, values in found.items()}


def _edition_words(page: str) -> tuple[str, str, str, str]:
    """Page, period, name and mode of an edition, taken from its file name. No two periods have one name."""
    when, rest = page.rpartition("/")[2].removesuffix(".html").split("_", 1)
    mode, _, period = rest.rpartition("_")
    name = {"day": when, "year": f"Year {when}", "all": f"All days to {when}"}.get(
        period, f"{period.capitalize()} {when}"
    )
    return page, period, name, mode


def fold(rows: Sequence[Any], most: int = ROWS_MAX) -> Folded:
    """Keep the first rows of a table."""
    return Folded(rows[:most], max(len(rows) - most, 0))


def unfold(rows: Sequence[Any], first: int = ROWS_MAX) -> Folded:
    """Keep all rows of a table, the first of them in sight; of a very long one those that a page can hold."""
    return Folded(rows[:first], max(len(rows) - ROWS_ALL, 0), rows[first:ROWS_ALL])


def _targets(record: RunRecord, traded: Collection[str]) -> list[Target]:
    """Traded names first, then those with a position, then the neutral ones; a name that nobody speaks of is left
    out."""
    known = [target for target in record.plan.targets if not target.implied or target.weight]
    return sorted(known, key=lambda t: (t.symbol not in traded, not (t.weight or t.held_weight)))


def holdings(record: RunRecord) -> tuple[HoldingRow, ...]:
    """The latest known positions at the prices of the decision, the largest first."""
    prices = known_prices(record)
    known = record.positions_after if record.account_after else record.snapshot.positions
    found = [HoldingRow(p.symbol, p.qty, p.avg_entry_price, prices.get(p.symbol)) for p in known if p.qty != ZERO]
    return tuple(sorted(found, key=lambda h: (-abs(h.value or ZERO), h.symbol)))


def joined(text: str) -> str:
    """Keep a number and its unit on one line."""
    return _UNIT.sub("\u00a0", text)


def rule_text(value: object) -> str:
    """The value of a rule as it is written in the file, in JSON."""
    return visible(json.dumps(plain(value), ensure_ascii=False), TEXT_MAX)


def _gross(record: RunRecord) -> tuple[Decimal | None, Decimal | None]:
    """Sum of absolute position values before and after, as fractions of capital."""
    prices = known_prices(record)
    capital = record.plan.capital
    after = record.positions_after if record.account_after else None

    def share(positions: Sequence[Any] | None) -> Decimal | None:
        if positions is None or capital <= ZERO or any(p.symbol not in prices for p in positions):
            return None
        return sum((abs(p.qty * prices[p.symbol]) for p in positions), ZERO) / capital

    return share(record.snapshot.positions), share(after)


def _sum(values: Any) -> Decimal | None:
    known = list(values)
    return None if any(value is None for value in known) else sum(known, ZERO)


def tidy(html: str) -> str:
    """Drop indentation and empty lines; the embedded JSON has no line breaks of its own."""
    return "\n".join(line for line in (line.strip() for line in html.split("\n")) if line) + "\n"


@cache
def environment() -> Environment:
    """The template environment, with the words and numbers that the templates use."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rebalancer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named: tuple[Callable[..., str], ...] = (
        numbers.fixed, numbers.money, numbers.percent, numbers.points, numbers.shares, numbers.price, numbers.amount_of,
        numbers.basis_points, numbers.both_clocks, numbers.clock_text, numbers.day_text, numbers.span_text,
        numbers.utc_text, numbers.hour_text, limit_name, joined, rule_text, step_text,
    )  # fmt: skip
    environment.filters |= {function.__name__: function for function in named}
    environment.filters |= {"safe_text": lambda text: visible(str(text), TEXT_MAX), "symbol": visible_symbol}
    return environment
