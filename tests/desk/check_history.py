"""`python -m tests.desk.check_history URL SCHEMA [EXCHANGE]`: the history of a shared journal, by a program that shares
no code with it: numbers without gaps, the chain of hashes, one owner per cycle, leases in order, no order twice."""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from collections import Counter
from typing import Any

import psycopg


def problems(rows: list[tuple[Any, ...]], orders: list[dict[str, Any]]) -> list[str]:
    """What is wrong with these rows of `events` and these orders of the exchange."""
    found, before, token, host = [], "0" * 64, 0, ""
    owners: dict[str, str] = {}
    intents: Counter[str] = Counter()
    ended: set[str] = set()
    for number, row in enumerate(rows, 1):
        seq, _, account, cycle, kind, key, body, prev, digest = row
        text = json.dumps(list(row[:-1]), separators=(",", ":"), ensure_ascii=True)
        if (seq, prev) != (number, before) or hashlib.sha256(text.encode()).hexdigest() != digest:
            found.append(f"row {seq} does not follow row {number - 1}")
        before = digest
        said = json.loads(body)
        if kind == "lease":
            if int(key) != token + 1:
                found.append(f"row {seq}: token {key} after {token}")
            token, host = int(key), said["host"]
        elif kind == "cycle_started":
            owner = said["holder"].rpartition(":")[0]
            if owners.setdefault(f"{account}/{cycle}", owner) != owner:
                found.append(f"row {seq}: cycle {cycle} has two owners")
            if owner != host:
                found.append(f"row {seq}: {owner} began {cycle} while {host} held the account")
        elif kind == "order_intended":
            intents[key] += 1
        elif kind == "cycle_ended":
            if cycle in ended:
                found.append(f"row {seq}: cycle {cycle} ended twice")
            ended.add(cycle)
    found += [f"order {name} was intended {count} times" for name, count in intents.items() if count > 1]
    sent = Counter(order["client_order_id"] for order in orders)
    found += [f"order {name} stands {count} times at the exchange" for name, count in sent.items() if count > 1]
    found += [f"order {name} was never intended" for name in sent if name not in intents and name.startswith("rb-")]
    return found


def read(url: str, schema: str, exchange: str | None) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """All rows of the journal, and all orders of the exchange."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(f'SELECT * FROM "{schema}".events ORDER BY seq').fetchall()  # type: ignore[arg-type]
    orders: list[dict[str, Any]] = []
    if exchange:
        keys = {"APCA-API-KEY-ID": "PKDRILL", "APCA-API-SECRET-KEY": "embedded-exchange"}
        request = urllib.request.Request(f"{exchange}/v2/orders?status=all&limit=500", headers=keys)
        orders = json.load(urllib.request.urlopen(request, timeout=30))
    return rows, orders


if __name__ == "__main__":
    said = problems(*read(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
    print("\n".join(said) or "nothing is wrong")
    sys.exit(bool(said))
