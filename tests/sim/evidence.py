"""What the checker looks at: the journal's file, read with sqlite3 alone, and lists of the wire and the exchange.

Imports nothing of the program.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

PREFIX = "rb-"


class Row(NamedTuple):
    """One row of the journal."""

    seq: int
    at: str
    cycle: str
    kind: str
    key: str
    body: dict[str, Any]


class Intent(NamedTuple):
    """One intended order and all that the journal ever said of it, as (row, state, filled)."""

    id: str
    cycle: str
    phase: str
    symbol: str
    side: str
    qty: Decimal
    sha256: str
    body: dict[str, Any]
    seq: int
    told: list[tuple[int, str, Decimal]]

    @property
    def state(self) -> str:
        return self.told[-1][1] if self.told else "INTENDED"

    @property
    def filled(self) -> Decimal:
        return self.told[-1][2] if self.told else Decimal(0)

    def state_at(self, seq: int) -> str:
        before = [state for when, state, _ in self.told if when < seq]
        return before[-1] if before else "INTENDED"


class Cycle(NamedTuple):
    """One cycle; texts are None until it was planned, `end` and `verdicts` until it was closed."""

    id: str
    seq: int
    snapshot: dict[str, Any] | None
    rules: dict[str, Any] | None
    plan: dict[str, Any] | None
    verdicts: list[dict[str, Any]] | None
    end: dict[str, Any] | None


class Evidence(NamedTuple):
    """Everything there is to know. `posts` are dictionaries of the wire's log, in its order."""

    rows: list[Row]
    cycles: dict[str, Cycle]
    intents: dict[str, Intent]
    posts: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    fills: list[dict[str, Any]]
    positions: dict[str, Decimal]
    sessions: list[tuple[int, int]]

    def ours(self) -> list[dict[str, Any]]:
        return [
            o for o in self.orders if o["client_order_id"].startswith(PREFIX) and o["client_order_id"] in self.intents
        ]


def read_journal(path: Path) -> tuple[list[Row], dict[str, Cycle], dict[str, Intent], list[str]]:
    """Read the file, and say what is wrong with its chain."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        raw = db.execute("SELECT * FROM events ORDER BY seq").fetchall()
        texts = dict(db.execute("SELECT sha256, body FROM documents").fetchall())
    wrong, before = [], "0" * 64
    rows = []
    for number, fields in enumerate(raw, start=1):
        seq, at, _account, cycle, kind, key, body, prev_hash, row_hash = fields
        text = json.dumps(list(fields[:-1]), separators=(",", ":"), ensure_ascii=True)
        if (seq, prev_hash, row_hash) != (number, before, hashlib.sha256(text.encode()).hexdigest()):
            wrong.append(f"I4: the chain is broken at row {number}")
        before = row_hash
        rows.append(Row(seq, at, cycle or "", kind, key or "", json.loads(body)))
    return rows, *_folded(rows, texts), wrong


def _folded(rows: list[Row], texts: dict[str, bytes]) -> tuple[dict[str, Cycle], dict[str, Intent]]:
    cycles: dict[str, Cycle] = {}
    intents: dict[str, Intent] = {}
    for row in rows:
        body = row.body
        if row.kind == "cycle_started":
            cycles[row.cycle] = Cycle(row.cycle, row.seq, None, None, None, None, None)
        elif row.kind == "cycle_planned":
            names = ("snapshot_sha256", "rules_sha256", "plan_sha256")
            snapshot, rules, plan = (json.loads(zlib.decompress(texts[body[name]])) for name in names)
            cycles[row.cycle] = cycles[row.cycle]._replace(snapshot=snapshot, rules=rules, plan=plan)
        elif row.kind == "cycle_verdicts":
            cycles[row.cycle] = cycles[row.cycle]._replace(verdicts=body["verdicts"])
        elif row.kind == "cycle_ended":
            cycles[row.cycle] = cycles[row.cycle]._replace(end=body)
        elif row.kind == "order_intended":
            intents[row.key] = Intent(
                row.key, row.cycle, body["phase"], body["symbol"], body["side"], Decimal(body["qty"]),
                body["body_sha256"], json.loads(body["body"]), row.seq, [],
            )  # fmt: skip
        elif row.kind in ("order_changed", "order_ended"):
            intents[row.key].told.append((row.seq, body["state"], Decimal(body["filled_qty"])))
    return cycles, intents
