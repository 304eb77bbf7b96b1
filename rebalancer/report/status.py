"""What `status` prints: mode, last cycle, money, orders, alerts and what comes next, from the local journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from rebalancer.report.columns import TableRow, paint, table, wrap
from rebalancer.report.numbers import (
    NONE,
    amount_of,
    clock_text,
    day_text,
    eastern,
    fixed,
    hour_text,
    masked,
    money,
    span_text,
)
from rebalancer.report.records import AtTheBroker, LimitStatus, RunningCycle, StatusView
from rebalancer.report.sources import sources_line
from rebalancer.report.visible import visible, visible_symbol
from rebalancer.report.words import MODE_NAME, cycle_word, limit_name

SATURDAY: Final = 5


def status_text(view: StatusView, *, width: int | None, colour: bool) -> str:
    """Format the status; every unknown fact is a dash, an alert is a line of its own."""
    head = wrap(_head(view), width, " " * 9, "")
    lines = [
        *(paint(line, "bad" if view.stopped else "bold", colour) for line in head),
        *_wrapped("last", _last(view), width),
        *([] if view.running is None else _wrapped("now", _running(view.running), width)),
        *_wrapped("equity", _money(view), width),
        *_wrapped("orders", _orders(view), width),
        *_more(view, width),
    ]
    for alert in view.alerts:
        lines += [paint(line, "warn", colour) for line in _wrapped("alert", f"! {visible(alert)}", width)]
    return "\n".join([*lines, *_wrapped("next", _when(view) + visible(view.next_hint), width)]) + "\n"


def broker_text(view: StatusView, at_broker: AtTheBroker, *, width: int | None, colour: bool) -> str:
    """Format what the broker reports beside what the journal knows, and where they differ."""
    held = NONE if view.positions is None else f"{view.positions:,}"
    rows = [
        TableRow(("equity", money(view.equity), money(at_broker.equity))),
        TableRow(("cash", money(view.cash), money(at_broker.cash))),
        TableRow(("positions", held, f"{at_broker.positions:,}")),
        TableRow(("open orders", f"{view.open_orders + view.unknown_orders:,}", f"{at_broker.open_orders:,}")),
        TableRow(("exits resting", NONE, f"{at_broker.exit_orders:,}")),
        TableRow(("orders of others", NONE, f"{at_broker.foreign_orders:,}")),
    ]
    asked = (
        f"asked {masked(at_broker.account_id)} at {day_text(at_broker.asked_at)} {clock_text(at_broker.asked_at)} ET"
    )
    lines = _wrapped("broker", asked, width)
    lines += table(("", "journal", "broker"), "<>>", rows, width=width, colour=colour)
    for text in (*at_broker.restrictions, *at_broker.differences):
        lines += [paint(line, "warn", colour) for line in _wrapped("differs", f"! {visible(text)}", width)]
    if not at_broker.restrictions and not at_broker.differences:
        lines += _wrapped("differs", "nothing: positions and open orders agree", width)
    return "\n".join(lines) + "\n"


def _head(view: StatusView) -> str:
    where = ", ".join(visible(text) for text in (view.environment, view.profile and f"profile {view.profile}") if text)
    stopped = f"✘ stopped: {visible(view.stopped)}" if view.stopped else "✔ armed"
    return "   ".join(part for part in (f"{MODE_NAME[view.mode]} {masked(view.account_id)}", where, stopped) if part)


def _when(view: StatusView) -> str:
    if view.next_at is None:
        return ""
    here = f" ({view.next_here} local)" if view.next_here else ""
    return f"{day_text(view.next_at)} {hour_text(view.next_at)} ET{here}   "


def _last(view: StatusView) -> str:
    if view.last is None:
        return "no cycle has run yet"
    age = span_text(max((view.now - view.last.started_at).total_seconds(), 0.0))
    took = "" if view.last_seconds is None else f"took {span_text(view.last_seconds)}, "
    when = f"{day_text(view.last.started_at)} {hour_text(view.last.started_at)} ET"
    orders = f"{view.last.filled} of {amount_of(view.last.orders, 'order')} filled" if view.last.orders else "no orders"
    return f"{when} {cycle_word(view.last.outcome)}   {orders}   ({took}{age} ago)"


def _running(cycle: RunningCycle) -> str:
    return f"a cycle runs since {clock_text(cycle.started_at)} ET, process {cycle.process}"


def _money(view: StatusView) -> str:
    known = {one.id.partition("@")[0]: one for one in view.figures}
    parts = [known["equity"].text if "equity" in known else money(view.equity)]
    today = known.get("return")
    if today is not None and today.value is not None:
        arrow = "▲ " if today.value > 0 else "▼ " if today.value < 0 else ""
        parts.append(f"{_since(view, today.id.partition('@')[2])} {arrow}{today.text}")
    parts.append(f"drawdown {known['below_mark'].text if 'below_mark' in known else NONE}")
    parts.append(f"cash {known['cash_share'].text if 'cash_share' in known else NONE}")
    return "   ".join(parts)


def _since(view: StatusView, day: str) -> str:
    """What the return of a day is counted from: "today" from the close of the trading day before, else the moment."""
    if view.since is None:
        return "today"
    on = eastern(view.since).date()
    if on.isoformat() == day:
        return f"since {hour_text(view.since)} ET"
    if not view.from_close:
        return f"since {day_text(view.since)} {hour_text(view.since)} ET"
    between = (on + timedelta(days=n) for n in range(1, (date.fromisoformat(day) - on).days))
    skipped = any(one.weekday() < SATURDAY for one in between)
    return f"since the close of {day_text(view.since)}" if skipped else "today"


def _orders(view: StatusView) -> str:
    held = NONE if view.positions is None else f"{view.positions:,}"
    unknown = f"{view.unknown_orders:,}" + (" ! ask again with: rebalancer run-now" if view.unknown_orders else "")
    return f"open {view.open_orders:,}   unknown {unknown}   positions {held}"


def _wrapped(title: str, text: str, width: int | None) -> list[str]:
    return wrap(text, width, " " * 9, f"{title:<9}")


def _more(view: StatusView, width: int | None) -> list[str]:
    """Drift, limits, protection and the report: a line each, left out when nothing is known."""
    lines: list[str] = []
    if view.drift is not None:
        lines += _wrapped("drift", f"{_drift(view.drift, view.band, view.drift_of)} at the last plan", width)
    if view.limits:
        lines += _wrapped("limits", _limits(view.limits), width)
    if view.protection:
        none = ", ".join(visible(symbol, 20) for symbol in view.unprotected)
        lines += _wrapped("exits", view.protection + (f"   ! without: {none}" if none else ""), width)
    if view.regime is not None:
        lines += _wrapped("regime", view.regime.text, width)
    if view.sources:
        lines += _wrapped("sources", sources_line(view.sources), width)
    if view.mirror:
        lines += _wrapped("mirror", visible(view.mirror), width)
    if view.parity:
        lines += _wrapped("parity", visible(view.parity), width)
    if view.report:
        lines += _wrapped("report", visible(view.report), width)
    return lines


def _drift(drift: float, band: float | None, symbol: str) -> str:
    """The largest drift beside its band; a symbol that is to be closed has no band, and any drift of it is traded."""
    notes = [visible_symbol(symbol)] if symbol else []
    notes += ["to be closed"] if band == 0 else []
    text = f" of ±{_wide(band * 100)}" if band else ""
    return f"max {fixed(drift * 100, 2)} pp{text}" + (f" ({', '.join(notes)})" if notes else "")


def _wide(band: float) -> str:
    """The band with as many digits as it takes to be more than zero."""
    return next((text for text in (fixed(band, digits) for digits in (2, 4, 6)) if text.strip("0.")), "0.000001")


def _limits(uses: Sequence[LimitStatus]) -> str:
    """The use of limits by the last plan, followed by the day's orders, which are counted now."""
    planned = ", ".join(_limit(use) for use in uses if use.name != "orders_today")
    counted = [_limit(use) for use in uses if use.name == "orders_today"]
    return "; ".join([*([f"{planned} after the last plan"] if planned else []), *counted])


def _limit(use: LimitStatus) -> str:
    full = " !" if use.used >= use.limit else ""
    if use.counts:
        return f"{limit_name(use.name)} {use.used:.0f} of {use.limit:.0f}{full}"
    return f"{limit_name(use.name)} {fixed(use.used * 100, 1)} of {fixed(use.limit * 100, 1)} %{full}"
