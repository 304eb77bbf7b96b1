"""`python -m tests.desk.check_history URL SCHEMA [EXCHANGE]`: the history of a shared journal, by a program that shares
no code with it: numbers without gaps, the chain of hashes, leases in order, one owner per slot or a recorded miss, no
order twice, every order as it was intended."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

Row = tuple[Any, ...]
ADOPTED = "adopted-"  # the cycle under which a journal that was set back takes in the orders that it lacks


class Branch:
    """One line of history. A database that was set back has two: the one that was lost, and the one that goes on."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.problems: list[str] = []
        self.owners: dict[str, list[str]] = defaultdict(list)  # of a cycle: who began it
        self.outcomes: dict[str, str] = {}  # of a cycle, or of a slot without one
        self.intents: dict[str, tuple[str, dict[str, Any]]] = {}
        self.takeovers = 0
        before, token, host = "0" * 64, 0, ""
        for number, row in enumerate(rows, 1):
            seq, _, _, cycle, kind, key, body, prev, digest = row
            text = json.dumps(list(row[:-1]), separators=(",", ":"), ensure_ascii=True)
            if (seq, prev) != (number, before) or hashlib.sha256(text.encode()).hexdigest() != digest:
                self.problems.append(f"row {seq} does not follow row {number - 1}")
            before = digest
            said = json.loads(body)
            if kind == "lease":
                if int(key) != token + 1:
                    self.problems.append(f"row {seq}: token {key} after {token}")
                token, host = int(key), said["host"]
                self.takeovers += 1
            elif kind == "cycle_started":
                owner = said["holder"].rpartition(":")[0]
                self.owners[cycle].append(owner)
                if owner != host:
                    self.problems.append(f"row {seq}: {owner} began {cycle} while {host} held the account")
            elif kind == "order_intended":
                if key in self.intents:
                    self.problems.append(f"row {seq}: order {key} is intended again")
                self.intents[key] = (cycle, said)
            elif kind == "cycle_ended" or (kind == "slot" and key not in self.owners):
                name = cycle if kind == "cycle_ended" else key
                if name in self.outcomes:
                    self.problems.append(f"row {seq}: {name} ended twice")
                self.outcomes[name] = said["outcome"]


def problems(
    rows: Sequence[Row], orders: Sequence[dict[str, Any]], slots: Sequence[str] = (), lost: Sequence[Sequence[Row]] = ()
) -> list[str]:
    """What is wrong with the rows of `events`, the orders of the exchange and the slots that were due. lost: the rows
    of databases that were set back, up to their last one."""
    branches = [Branch(rows), *map(Branch, lost)]
    found = [problem for branch in branches for problem in branch.problems]
    for name in slots:
        owners = {(owner, name) for branch in branches for owner in branch.owners.get(name, ())}
        begun = max(len(branch.owners.get(name, ())) for branch in branches)
        if len(owners) > 1 or begun > 1:
            found.append(f"slot {name} has {max(len(owners), begun)} owners")
        if name not in branches[0].outcomes and not any(name in branch.outcomes for branch in branches[1:]):
            found.append(f"slot {name} has neither an outcome nor a recorded miss")
    intents = {name: kept for branch in branches for name, kept in branch.intents.items()}
    for branch in branches:  # what a line of history adopts, another one had intended
        intents |= {name: kept for name, kept in branch.intents.items() if not kept[0].startswith(ADOPTED)}
    sent = Counter(order["client_order_id"] for order in orders)
    found += [f"order {name} stands {count} times at the exchange" for name, count in sent.items() if count > 1]
    found += [f"order {name} was never intended" for name in sent if name not in intents and name.startswith("rb-")]
    known = [intents[name] for name in sent if name in intents]
    purposes = Counter((cycle, said["phase"], said["symbol"]) for cycle, said in known)
    found += [f"{' '.join(purpose)} has {count} orders" for purpose, count in purposes.items() if count > 1]
    for order in orders:
        _, said = intents.get(order["client_order_id"], ("", None))
        if said is not None and _body(order) != _body(said):
            found.append(f"order {order['client_order_id']} is {_body(order)}, and {_body(said)} was intended")
    return found


def _body(order: dict[str, Any]) -> tuple[str, str, Decimal]:
    return str(order["symbol"]), str(order["side"]), Decimal(order["qty"])


def read(url: str, schema: str, exchange: str | None) -> tuple[list[Row], list[dict[str, Any]]]:
    """All rows of the journal, and all orders of the exchange."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(f'SELECT * FROM "{schema}".events ORDER BY seq').fetchall()  # type: ignore[arg-type]
    found: dict[str, dict[str, Any]] = {}
    after = ""
    while exchange:
        keys = {"APCA-API-KEY-ID": "PKDRILL", "APCA-API-SECRET-KEY": "embedded-exchange"}
        address = f"{exchange}/v2/orders?status=all&direction=asc&limit=500{after}"
        page = json.load(urllib.request.urlopen(urllib.request.Request(address, headers=keys), timeout=30))
        before = len(found)
        found |= {order["id"]: order for order in page}
        if len(found) == before:
            break
        after = f"&after={page[-1]['submitted_at'][:19]}Z"  # its second again: orders may share a moment
    return rows, list(found.values())


def as_file(url: str, schema: str, path: Path) -> None:
    """Write the tables that `rebalancer.testing` reads into a file of SQLite."""
    with psycopg.connect(url) as connection, closing(sqlite3.connect(path)) as file:
        for table in ("events", "documents"):
            found = connection.execute(f'SELECT * FROM "{schema}".{table}')  # type: ignore[arg-type]
            names = [column.name for column in found.description or ()]
            file.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            file.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", found.fetchall())
        file.commit()


if __name__ == "__main__":
    said = problems(*read(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
    print("\n".join(said) or "nothing is wrong")
    sys.exit(bool(said))
