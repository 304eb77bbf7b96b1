"""Several accounts side by side: as a table, as JSON and as a page. Money is summed within one mode and one environment
only, and only when every account of them states it; paper and live money are never added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import plain
from rebalancer.core.values import ZERO
from rebalancer.report.columns import TableRow, table, wrap
from rebalancer.report.figures.figure import document_of
from rebalancer.report.numbers import NONE, day_text, hour_text, money
from rebalancer.report.page import environment, tidy
from rebalancer.report.records import AccountRow, Mode, ModeTotal, StatusView
from rebalancer.report.visible import visible
from rebalancer.report.words import MODE_NAME, cycle_word

SCHEMA: Final = "rebalancer.desk/1"
STATE_WORDS: Final[Mapping[str, str]] = {
    "starting": "starting",
    "running": "running",
    "waiting": "waits for the next day",
    "retrying": "ended, starts again",
    "locked": "another host trades it",
    "failed": "needs you",
    "ended": "ended",
    "off": "not run here",
}


class AccountsOverview(NamedTuple):
    """All accounts of one host at one moment of its clock, in the order of their names."""

    host: str
    at: datetime
    accounts: tuple[AccountRow, ...]


def totals(accounts: Sequence[AccountRow]) -> tuple[ModeTotal, ...]:
    """One line per mode and environment, in the order of their first account. `equity` is None when one of the accounts
    does not state it."""
    groups: dict[tuple[Mode, str], list[AccountRow]] = {}
    for one in accounts:
        if one.view is not None and one.view.account_id:
            groups.setdefault((one.view.mode, one.environment), []).append(one)
    return tuple(ModeTotal(mode, environment, len(rows), _sum(rows)) for (mode, environment), rows in groups.items())


def needs(one: AccountRow) -> str:
    """What of an account needs a person, in one sentence; "" when nothing does."""
    if one.problem:
        return one.problem
    if one.process == "failed":
        return f"its session ended with exit code {one.exit_code}; see its log, then start the desk again"
    view = one.view
    if view is None:
        return ""
    if view.stopped:
        return view.stopped
    if view.unknown_orders:
        return f"{view.unknown_orders} orders are unknown at the broker"
    return view.alerts[0] if view.alerts else ""


def overview_text(overview: AccountsOverview, *, width: int | None, colour: bool) -> str:
    """The accounts as a table, and a line below each that needs a person."""
    if not overview.accounts:
        return "no account: config/desk.yaml lists them, accounts: [NAME, ...]\n"
    rows = []
    for one in overview.accounts:
        need = needs(one)
        cells = (visible(one.name, 20), _mode(one), one.environment, _process(one), *_state(one.view))
        rows.append(TableRow(cells, "bad" if need else "", (f"! {visible(need)}",) if need else ()))
    head = ("account", "mode", "environment", "process", "last cycle", "equity", "today")
    lines = table(head, "<<<<<>>", rows, width=width, colour=colour)
    for total in totals(overview.accounts):
        count = f"{total.accounts} account{'s' * (total.accounts != 1)}"
        said = f"{MODE_NAME[total.mode]}, {total.environment}: {count}, equity {money(total.equity)}"
        lines += wrap(said, width, "  ", "  ")
    return "\n".join(lines) + "\n"


def overview_document(overview: AccountsOverview) -> dict[str, Any]:
    """The accounts as plain JSON, schema `rebalancer.desk/1`."""
    return {
        "schema": SCHEMA,
        "host": overview.host,
        "at": plain(overview.at),
        "accounts": [
            {**plain(one._replace(view=None)), "needs": needs(one), "status": _status(one.view)}
            for one in overview.accounts
        ],
        "totals": [plain(total) for total in totals(overview.accounts)],
    }


def overview_page(overview: AccountsOverview) -> str:
    """The accounts as a page."""
    context = {
        "host": overview.host,
        "at": overview.at,
        "totals": totals(overview.accounts),
        "modes": MODE_NAME,
        "rows": [
            {"account": one, "process": _process(one), "state": _state(one.view), "needs": needs(one)}
            for one in overview.accounts
        ],
    }
    return tidy(environment().get_template("accounts.html.j2").render(context))


def _sum(rows: Sequence[AccountRow]) -> Decimal | None:
    stated = [one.view.equity for one in rows if one.view is not None and one.view.equity is not None]
    return sum(stated, ZERO) if len(stated) == len(rows) else None


def _status(view: StatusView | None) -> dict[str, Any] | None:
    if view is None or not view.account_id:
        return None
    return {**plain(view), "figures": document_of(view.figures)}


def _mode(one: AccountRow) -> str:
    return NONE if one.view is None or not one.view.account_id else MODE_NAME[one.view.mode]


def _process(one: AccountRow) -> str:
    word = STATE_WORDS[one.process]
    return f"{word}, process {one.pid}" if one.pid is not None else word


def _state(view: StatusView | None) -> tuple[str, str, str]:
    """The last cycle, the equity, and the day's change."""
    if view is None or view.last is None:
        return NONE, NONE, NONE
    change = next((figure.text for figure in view.figures if figure.id.startswith("return@")), NONE)
    word = cycle_word(view.last.outcome)
    last = f"{word.mark} {word.text} {day_text(view.last.started_at)} {hour_text(view.last.started_at)}"
    return last, money(view.equity), change
