"""More journal data for `status`: the last plan and its rules, exits at the broker, and the delivery of alerts.

As light as `status_query`: plain read-only sqlite3; stored texts are checked against their hashes and read as plain
JSON.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from rebalancer.core.documents import sha256
from rebalancer.journal.chain import ChainRow, event_of
from rebalancer.journal.errors import broken
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.records import Event


class JournalDetails(NamedTuple):
    """The last planned cycle's plan and rules as plain JSON, None if there is none; the newest protection record of
    every symbol; and, by alert number, the channels that delivered it and those that failed."""

    plan: Mapping[str, Any] | None
    rules: Mapping[str, Any] | None
    protection: tuple[Event, ...]
    sent: Mapping[int, tuple[str, ...]]
    failed: Mapping[int, tuple[str, ...]]


def query_details(path: Path, account_id: str, alerts: Sequence[int]) -> JournalDetails:
    """Read the rest of what `status` shows. alerts: the `seq` of the alerts shown. Raises JournalBroken."""
    refuse_irregular_journal(path)
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            last = "kind = 'cycle_planned' AND account_id = ? ORDER BY seq DESC LIMIT 1"
            planned = _events(connection, last, account_id)
            body = planned[0].body if planned else {}
            newest = (
                "seq IN (SELECT max(seq) FROM events WHERE kind = 'protection' AND account_id = ? GROUP BY key)"
                " ORDER BY key"
            )
            sent, failed = _deliveries(connection, account_id, alerts)
            return JournalDetails(
                _document(connection, body.get("plan_sha256")),
                _document(connection, body.get("rules_sha256")),
                _events(connection, newest, account_id),
                sent,
                failed,
            )
    except (sqlite3.Error, UnicodeDecodeError, zlib.error, ValueError) as error:
        raise broken(error, str(path)) from None


def _deliveries(
    connection: sqlite3.Connection, account_id: str, alerts: Sequence[int]
) -> tuple[dict[int, tuple[str, ...]], dict[int, tuple[str, ...]]]:
    sent: dict[int, tuple[str, ...]] = {}
    failed: dict[int, tuple[str, ...]] = {}
    if not alerts:
        return sent, failed
    where = f"kind IN ('alert_sent', 'alert_failed') AND account_id = ? AND seq > {int(min(alerts))} ORDER BY seq"
    for event in _events(connection, where, account_id):
        found, body = (sent, event.body) if event.kind == "alert_sent" else (failed, event.body)
        for number in [body["alert"]] if event.kind == "alert_sent" else body["alerts"]:
            if number in alerts:
                found[number] = tuple(dict.fromkeys((*found.get(number, ()), str(body["channel"]))))
    return sent, failed


def _events(connection: sqlite3.Connection, rest: str, account_id: str) -> tuple[Event, ...]:
    query = f"SELECT {', '.join(ChainRow._fields)} FROM events WHERE {rest}"  # noqa: S608  constants and a whole number
    return tuple(event_of(ChainRow._make(row)) for row in connection.execute(query, (account_id,)))


def _document(connection: sqlite3.Connection, name: object) -> Mapping[str, Any] | None:
    found = connection.execute("SELECT body FROM documents WHERE sha256 = ?", (name,)).fetchone()
    if found is None:
        return None
    text = zlib.decompress(found[0]).decode()
    if sha256(text) != name:
        raise ValueError(f"the stored text {name} was changed")
    read: Mapping[str, Any] = json.loads(text)
    return read
