"""Write events of kinds other than the journal's own; alerts are also logged, once they are on disk."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from rebalancer.journal.alert_row import ALERT
from rebalancer.journal.chain import OWN_KINDS
from rebalancer.journal.store import Store
from rebalancer.ops.logs.context import LogEvent, note

ALERTS: Final = logging.getLogger("rebalancer.alerts")  # also sent as messages, hence the log level

EventRow = tuple[str, str | None, Mapping[str, object]]


def write_events(store: Store, account_id: str, cycle_id: str | None, at: datetime, events: Iterable[EventRow]) -> None:
    """Write events (kind, key and body) in one transaction. Raises ValueError for the journal's own kinds."""
    rows = list(events)
    with store.writing() as w:
        for kind, key, body in rows:
            if kind in OWN_KINDS:
                raise ValueError(f"{kind} events are written by the journal's own methods")
            w.append(at, account_id, cycle_id, kind, key, body)
    for kind, key, body in rows:
        if kind == ALERT:
            _say(account_id, cycle_id, key, body)


def _say(account_id: str, cycle_id: str | None, key: str | None, body: Mapping[str, object]) -> None:
    level, code = (str(body.get(name, default)) for name, default in (("level", "warning"), ("code", ALERT)))
    about = {"alert_level": level, "alert_code": code, "alert_about": key or ""}
    details = {name: value for name, value in about.items() if value}
    said = f"alert: {level}: {body.get('text', '')}"
    note(ALERTS, LogEvent.ALERT, said, cycle=cycle_id or "", account=account_id, details=details)
