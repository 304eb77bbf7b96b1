"""The lower half of `status`: drift, limits, protection and alerts, from a second read of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rebalancer.cli.status_next import newest_report
from rebalancer.journal.records import Event
from rebalancer.journal.status_details import JournalDetails, query_details
from rebalancer.journal.status_query import JournalStatus
from rebalancer.report.numbers import span_text
from rebalancer.report.records import LimitStatus, StatusView

ALERTS_SHOWN: Final = 3
LIMITS_SHOWN: Final = 3
COUNTS: Final = ("positions", "orders_today")


def with_more(view: StatusView, look: JournalStatus, path: Path) -> StatusView:
    """The view with what the journal has about the account's last plan, exits and alerts."""
    if look.account_id is None:
        return view
    shown = look.alerts[:ALERTS_SHOWN]
    more = query_details(path, look.account_id, [alert.seq for alert in shown])
    drift, band, drift_of = _drift(more.plan)
    protection, unprotected = _protection(more, look)
    return view._replace(
        alerts=tuple(_alert(alert, more, view.now) for alert in shown),
        drift=drift,
        band=band,
        drift_of=drift_of,
        report=newest_report(view.mode, more.rules),
        limits=_limits(more, look),
        protection=protection,
        unprotected=unprotected,
    )


def _drift(plan: Mapping[str, Any] | None) -> tuple[float | None, float | None, str]:
    """The largest drift of the plan, with that symbol's band and its name."""
    targets = plan["targets"] if plan is not None else []
    if not targets:
        return None, None, ""
    widest = max(targets, key=lambda target: abs(target["drift"]))
    return abs(widest["drift"]), widest["band"], str(widest["symbol"])


def _limits(more: JournalDetails, look: JournalStatus) -> tuple[LimitStatus, ...]:
    """The most used limits of the last plan; and always the day's orders."""
    uses = [] if more.plan is None else more.plan["limits"]
    found = [LimitStatus(u["name"], abs(u["after"]), u["limit"], u["name"] in COUNTS) for u in uses if u["limit"] > 0]
    found = sorted((use for use in found if "orders" not in use.name), key=lambda u: (-u.used / u.limit, u.name))
    most = (more.rules or {}).get("risk_management", {}).get("max_orders_per_day")
    orders = () if most is None else (LimitStatus("orders_today", look.orders_today.orders_sent, most, counts=True),)
    return (*found[:LIMITS_SHOWN], *orders)


def _protection(more: JournalDetails, look: JournalStatus) -> tuple[str, tuple[str, ...]]:
    mode = (more.rules or {}).get("protection", {}).get("mode")
    if mode is None:
        return "", ()
    if mode != "broker":
        words = {"monitor": "watched by this program while a session runs", "off": "off: positions have no stops"}
        return words[mode], ()
    rests = {event.key for event in more.protection if event.body["state"] == "open"}
    held = sorted(look.last_end.expected_positions) if look.last_end is not None else []
    return f"{len(rests & set(held))} of {len(held)} positions at the broker", tuple(s for s in held if s not in rests)


def _alert(alert: Event, more: JournalDetails, now: datetime) -> str:
    """An alert with its age and delivery state."""
    sent, failed = more.sent.get(alert.seq, ()), more.failed.get(alert.seq, ())
    told = [f"sent by {', '.join(sent)}"] if sent else []
    told += [f"failed by {', '.join(name for name in failed if name not in sent)}"] if set(failed) - set(sent) else []
    age = span_text(max((now - alert.at).total_seconds(), 0.0))
    return f"{alert.body.get('text', '')} ({age} ago, {'; '.join(told) or 'not sent'})"
