"""The live view as HTML: the whole page, its parts alone for a page that is open, and the pages a click away.

An age is written when a whole page is made. In parts it is left out and filled in by the page itself, so that parts are
equal while nothing has changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from rebalancer.core.documents import sha256
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.values import time_text
from rebalancer.journal.records import CycleRecord
from rebalancer.report.charting.axis import hours_axis, market_hours
from rebalancer.report.charting.lines import Line, Lines, Marks, line_chart
from rebalancer.report.charting.markup import figure_html
from rebalancer.report.explain import explained
from rebalancer.report.figures.figure import Figure
from rebalancer.report.figures.markup import figure_span
from rebalancer.report.live.records import LiveAccount, LiveView
from rebalancer.report.live.rows import without_account
from rebalancer.report.live.screen import STATE_WORD, age_text, until_text
from rebalancer.report.numbers import clock_text, day_text
from rebalancer.report.page import environment, tidy
from rebalancer.report.paths import report_name_of
from rebalancer.report.pictures import one_dot
from rebalancer.report.records import RunRecord
from rebalancer.report.sources import source_line
from rebalancer.report.summary import needs_text
from rebalancer.report.symbol_history import SymbolHistory
from rebalancer.report.words import MODE_MEANING, MODE_NAME, Word, cycle_word
from rebalancer.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

ROWS_FIRST: Final = 12  # orders and signals in sight
ROWS_MAX: Final = 30
CARDS: Final = (
    ("equity", "mark"),
    ("return", ""),
    ("below_mark", ""),
    ("cash", "cash_share"),
    ("orders_filled", "orders"),
    ("positions", ""),
)
STATIC: Final = {"live.js": "text/javascript", "login.js": "text/javascript", "live.css": "text/css"}
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


class HistoryRow(NamedTuple):
    """One past cycle; `page` is its report below the report folder, "" when there is none."""

    started_at: datetime
    word: Word | None
    mode: str
    orders: int
    equity: Any
    because: str
    page: str


class _Shown(NamedTuple):
    view: LiveAccount
    html: Markup


def live_page(view: LiveView, *, follows: bool = True) -> str:
    """The whole page. follows: the first account is the one whose rows the server sends."""
    accounts = [_Shown(account, _account(account, number, ages=True)) for number, account in enumerate(view.accounts)]
    words = [STATE_WORD[account.state] for account in view.accounts]
    context = {
        "accounts": accounts,
        "made_at": view.made_at,
        "mode": view.accounts[0].mode,
        "follows": follows,
        "head": view.accounts[0].head.seq if follows else 0,
        "edition": edition(),
        "title": " · ".join(
            f"{mark} {word} {MODE_NAME[account.mode]}"
            for account, (mark, word, _) in zip(view.accounts, words, strict=True)
        ),
    }
    return _page("page", context)


def live_parts(view: LiveView) -> str:
    """The parts of all accounts as they stand in the page; the same while nothing but time has passed."""
    return tidy("\n".join(_account(account, number, ages=False) for number, account in enumerate(view.accounts)))


def login_page(problem: str = "") -> str:
    """The page for who is not logged in."""
    return _page("login", {"problem": problem})


def history_page(cycles: Sequence[CycleRecord], pages: Callable[[str], bool]) -> str:
    """The newest cycles. pages: whether there is a report with a name below the report folder."""
    return _page("history", {"cycles": [_past(cycle, pages) for cycle in cycles]})


def explain_page(symbol: str, record: RunRecord, known: SymbolHistory) -> str:
    """The reasons for one symbol in one cycle."""
    headline, links = explained(symbol, record, known)
    context = {
        "name": symbol,
        "cycle": record.plan.cycle_id,
        "at": record.snapshot.as_of,
        "links": [("in short", headline), *links],
    }
    return _page("explain", context)


def static_text(name: str) -> str:
    """The style or a script of the page; a name of `STATIC`."""
    return environment().get_template(f"live/{name}.j2").render()


@cache
def edition() -> str:
    """What changes when the script or the style does: an open page loads itself again then."""
    return sha256("\n".join((__version__, *(static_text(name) for name in sorted(STATIC)))))[:16]


def _page(name: str, context: dict[str, Any]) -> str:
    return tidy(_environment().get_template(f"live/{name}.html.j2").render(context))


@cache
def _environment() -> Environment:
    """The templates of the reports, with the words of the live page."""
    found = environment().overlay()
    found.filters = {**found.filters, "source_line": source_line, "plain_text": _plain_text}
    return found


def _account(account: LiveAccount, number: int, *, ages: bool) -> Markup:
    from markupsafe import Markup

    named = {figure.figure.id.partition("@")[0]: figure for figure in account.figures}
    context = {
        "a": account,
        "index": number,
        "named": named,
        "cards": CARDS,
        "mode_name": MODE_NAME[account.mode],
        "mode_meaning": MODE_MEANING[account.mode],
        "state_word": STATE_WORD[account.state],
        "needs_text": needs_text(account.needs),
        "act": any(item.level == "act" for item in account.needs),
        "chart": _chart(account, number),
        "limits_first": [limit for limit in account.limits if not limit.is_quiet],
        "limits_quiet": [limit for limit in account.limits if limit.is_quiet],
        "rows_first": ROWS_FIRST,
        "rows_max": ROWS_MAX,
        "report_href": f"/reports/{quote(account.report)}" if account.report and not number else "",
        "fig": figure_span,
        "tone": _tone,
        "age": _ages(account.now, written=ages),
        "until": _until(account.now, written=ages),
        "clock": (lambda at: f"{day_text(at)} {clock_text(at)} ET") if ages else (lambda _: ""),
    }
    return Markup(_environment().get_template("live/account.html.j2").render(context))  # noqa: S704 - the template escapes


def _chart(account: LiveAccount, number: int) -> Markup | None:
    """The day's return at every value of the account, with the orders that were sent before it."""
    began, points = account.day_began, account.equity_today
    if began is None or began <= 0:
        return None
    moments = [point.at for point in points]
    axis = hours_axis(moments, market_hours(moments, [account.session] if account.session else []))
    line = Line("Return today", [float(point.equity / began - 1) for point in points])
    marks = Marks([point.buys for point in points], [point.sells for point in points])
    title = "Return today, and when orders were sent"
    chart = one_dot(title, moments) or line_chart(title, axis, [Lines([line])], marks=marks, unit="value")
    return figure_html(chart, f"today-{number}")


def _ages(now: datetime, *, written: bool) -> Callable[[datetime | None], Markup | str]:
    """How old something is, as an element that the page keeps up to date."""
    from markupsafe import Markup

    def age(at: datetime | None) -> Markup | str:
        if at is None:
            return age_text(at, now)
        text = age_text(at, now) if written else ""
        return Markup('<time data-age datetime="{}">{}</time>').format(time_text(at), text)

    return age


def _until(now: datetime, *, written: bool) -> Callable[[datetime], Markup]:
    from markupsafe import Markup

    def until(at: datetime) -> Markup:
        text = until_text(at, now) if written else ""
        return Markup('<time data-until datetime="{}">{}</time>').format(time_text(at), text)

    return until


def _tone(figure: Figure) -> str:
    if figure.form != "percent_signed" or not figure.value:
        return ""
    return " ok" if figure.value > 0 else " bad"


def _plain_text(text: str) -> str:
    """A paragraph of the runbook without its marks and links."""
    return _LINK.sub(r"\1", text).replace("`", "").replace("**", "")


def _past(cycle: CycleRecord, pages: Callable[[str], bool]) -> HistoryRow:
    name = report_name_of(cycle.started_at, cycle.mode, cycle.cycle_id)
    page = f"{name[:4]}/{name}.html"
    word = None if cycle.outcome is None else cycle_word(CycleOutcome(cycle.outcome))
    because = without_account(cycle.because, cycle.account_id)
    return HistoryRow(
        cycle.started_at, word, cycle.mode, cycle.orders, cycle.equity, because, page if pages(page) else ""
    )
