"""What the laws look at: the journal's file, read with sqlite3 alone, and the broker's own lists.

Imports nothing of the program, so that no mistake of it can hide here as well.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import urllib.parse
import urllib.request
import zlib
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

PREFIX: Final = "rb-"
ADOPTED: Final = "adopted-"  # the cycle of orders that a journal lacked and that were written into it afterwards
PAGE: Final = 500
WORDS: Final = {
    "filled": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED", "replaced": "REPLACED", "rejected": "REFUSED",
    "done_for_day": "EXPIRED",
}  # fmt: skip


class Row(NamedTuple):
    """One row of the journal."""

    seq: int
    at: str
    cycle: str
    kind: str
    key: str
    body: dict[str, Any]


class IntendedOrder(NamedTuple):
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
    states: list[tuple[int, str, Decimal]]

    @property
    def state(self) -> str:
        return self.states[-1][1] if self.states else "INTENDED"

    @property
    def filled(self) -> Decimal:
        return self.states[-1][2] if self.states else Decimal(0)

    @property
    def ever(self) -> tuple[str, ...]:
        """All states that it has been in, in their order."""
        return ("INTENDED", *(state for _, state, _ in self.states))

    def state_at(self, seq: int) -> str:
        """The state before a row of the journal."""
        before = [state for when, state, _ in self.states if when < seq]
        return before[-1] if before else "INTENDED"


class Cycle(NamedTuple):
    """One cycle; texts are None until it was planned, `end` and `verdicts` until it was closed."""

    id: str
    mode: str
    seq: int
    snapshot: dict[str, Any] | None = None
    rules: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    verdicts: list[dict[str, Any]] | None = None
    end: dict[str, Any] | None = None


class Evidence(NamedTuple):
    """Everything there is to know. `orders`, `fills` (with splits) and `positions` are the broker's.

    `posts` is the log of the wire in its order, where somebody keeps one: `client_order_id`, `at` (microseconds),
    `body`, `fate`, whether the order was `intended` in the journal by then, and whether the account was `killed`.
    `sessions` are the opens and closes of the broker's calendar, microseconds. Laws that need them are skipped without.
    """

    rows: list[Row]
    cycles: dict[str, Cycle]
    intents: dict[str, IntendedOrder]
    orders: list[dict[str, Any]]
    fills: list[dict[str, Any]]
    positions: dict[str, Decimal]
    posts: list[dict[str, Any]] | None = None
    sessions: list[tuple[int, int]] | None = None

    def ours(self) -> list[dict[str, Any]]:
        """The broker's orders that this journal intended."""
        return [order for order in self.orders if order["client_order_id"] in self.intents]

    def by_cycle(self) -> dict[str, list[IntendedOrder]]:
        """The intents of each cycle, in their order."""
        found: dict[str, list[IntendedOrder]] = defaultdict(list)
        for intent in self.intents.values():
            found[intent.cycle].append(intent)
        return found

    def carried(self) -> set[str]:
        """The orders that a closed cycle openly left to the next one."""
        return {name for cycle in self.cycles.values() if cycle.end for name in cycle.end["carried"]}


def evidence_of(url: str, journal: Path) -> Evidence:
    """What a journal's file and an exchange at this address say. Raises AssertionError for a broken chain."""
    rows, cycles, intents, wrong = read_journal(journal)
    assert not wrong, wrong
    orders = _orders(url)
    fills = [a for a in _activities(url) if a["activity_type"] in ("FILL", "SPLIT")]
    positions = {pair_of(p["symbol"]): signed(p) for p in _get(url, "/v2/positions", {})}
    return Evidence(rows, cycles, intents, orders, fills, positions)


def read_journal(path: Path) -> tuple[list[Row], dict[str, Cycle], dict[str, IntendedOrder], list[str]]:
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


def signed(row: dict[str, Any]) -> Decimal:
    """The signed shares of a fill or position, as brokers report them."""
    qty = abs(Decimal(row["qty"]))
    return -qty if row["side"] in ("sell", "sell_short", "short") else qty


def pair_of(symbol: str) -> str:
    """A coin's symbol as orders spell it; positions and fills join its parts."""
    return "BTC/USD" if symbol == "BTCUSD" else symbol


def _folded(rows: list[Row], texts: dict[str, bytes]) -> tuple[dict[str, Cycle], dict[str, IntendedOrder]]:
    cycles: dict[str, Cycle] = {}
    intents: dict[str, IntendedOrder] = {}
    for row in rows:
        body = row.body
        if row.kind == "cycle_started":
            cycles[row.cycle] = Cycle(row.cycle, row.key, row.seq)
        elif row.kind == "cycle_planned":
            names = ("snapshot_sha256", "rules_sha256", "plan_sha256")
            snapshot, rules, plan = (json.loads(zlib.decompress(texts[body[name]])) for name in names)
            cycles[row.cycle] = cycles[row.cycle]._replace(snapshot=snapshot, rules=rules, plan=plan)
        elif row.kind == "cycle_verdicts":
            cycles[row.cycle] = cycles[row.cycle]._replace(verdicts=body["verdicts"])
        elif row.kind == "cycle_ended":
            cycles[row.cycle] = cycles[row.cycle]._replace(end=body)
        elif row.kind == "order_intended":
            intents[row.key] = IntendedOrder(
                row.key, row.cycle, body["phase"], body["symbol"], body["side"], Decimal(body["qty"]),
                body["body_sha256"], json.loads(body["body"]), row.seq, [],
            )  # fmt: skip
        elif row.kind in ("order_changed", "order_ended"):
            intents[row.key].states.append((row.seq, body["state"], Decimal(body["filled_qty"])))
    return cycles, intents


def _orders(url: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    query = {"status": "all", "direction": "asc", "limit": str(PAGE)}
    while True:
        page = _get(url, "/v2/orders", query)
        found |= {order["id"]: order for order in page}
        if len(page) < PAGE:
            return list(found.values())
        query["after"] = f"{page[-1]['submitted_at'][:19]}Z"  # its second again: orders may share a moment


def _activities(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = _get(url, "/v2/account/activities", {"direction": "asc"} | _after(found))
        found += page
        if len(page) < 100:
            return found


def _after(found: list[dict[str, Any]]) -> dict[str, str]:
    return {"page_token": found[-1]["id"]} if found else {}


def _get(url: str, path: str, params: dict[str, str]) -> Any:
    query = f"?{urllib.parse.urlencode(params)}" if params else ""
    keys = {"APCA-API-KEY-ID": "laws", "APCA-API-SECRET-KEY": "laws"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{url}{path}{query}", headers=keys), timeout=300) as answer:  # noqa: S310 - a loopback address
        return json.load(answer)
