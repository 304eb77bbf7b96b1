"""What the live page must show at a row of the journal, computed from the raw rows by other code than the program's.

Nothing here imports the program: SQL, JSON and decimals alone. Ids are those of the figures on the page.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
VALUES = ("account", "money_after_exit", "day_closed")
FINAL = {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "REFUSED", "NOT_SENT", "REPLACED", "WITHHELD"}


class Row(NamedTuple):
    """One row of the journal."""

    seq: int
    at: datetime
    cycle_id: str | None
    kind: str
    key: str | None
    body: Mapping[str, Any]


def rows_of(path: Path) -> list[Row]:
    """All rows, oldest first."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT seq, at, cycle_id, kind, key, body FROM events ORDER BY seq").fetchall()
    return [Row(r[0], datetime.fromisoformat(r[1]).astimezone(UTC), r[2], r[3], r[4], json.loads(r[5])) for r in found]


def document_of(path: Path, sha256: str) -> Any:
    """A stored text, parsed."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (body,) = connection.execute("SELECT body FROM documents WHERE sha256 = ?", (sha256,)).fetchone()
    raw = body if isinstance(body, bytes) else body.encode()
    return json.loads(raw if raw[:1] == b"{" else zlib.decompress(raw))


class Oracle:
    """Answers for every row of one journal of one account."""

    def __init__(self, path: Path) -> None:
        self._path, self._rows = path, rows_of(path)
        self._documents: dict[str, Any] = {}

    @property
    def head(self) -> int:
        return self._rows[-1].seq

    def figures(self, seq: int) -> dict[str, str]:
        """The figures that are shown once the journal has so many rows, by their ids."""
        rows = self._rows[:seq]
        assert [row.seq for row in rows] == list(range(1, seq + 1))
        found: dict[str, str] = {}
        if not any(row.kind == "cycle_started" for row in rows):
            return found
        found |= dict(self._account(rows))
        found |= dict(self._orders(rows))
        found |= dict(self._planned(rows))
        return found

    def _document(self, sha256: str) -> Any:
        if sha256 not in self._documents:
            self._documents[sha256] = document_of(self._path, sha256)
        return self._documents[sha256]

    def _account(self, rows: list[Row]) -> Iterator[tuple[str, str]]:
        values = [row for row in rows if row.kind in VALUES]
        if not values:
            return
        equity, cash = _money_of(values[-1])
        day = values[-1].body.get("day") or values[-1].at.astimezone(NEW_YORK).date().isoformat()
        ended = [row for row in rows if row.kind == "cycle_ended" and row.key != "dry_run"]
        assert not [row for row in rows if row.kind in ("flow", "books_accepted")]
        peak = None if not ended or ended[-1].body["peak_equity"] is None else Decimal(ended[-1].body["peak_equity"])
        mark = equity if peak is None else max(peak, equity)
        yield f"equity@{day}", usd(equity)
        yield f"cash@{day}", usd(cash)
        yield f"cash_share@{day}", percent(cash / equity, 1)
        yield f"mark@{day}", usd(mark)
        yield f"below_mark@{day}", percent(equity / mark - 1)
        earlier = [row for row in values if row.at.astimezone(NEW_YORK).date().isoformat() < day]
        if earlier:
            began = _money_of(earlier[-1])[0]
        else:
            planned = next(row for row in rows if row.kind == "cycle_planned")
            began = Decimal(self._document(planned.body["snapshot_sha256"])["account"]["equity"])
        yield f"return@{day}", percent(equity / began - 1, sign=True)

    def _orders(self, rows: list[Row]) -> Iterator[tuple[str, str]]:
        now = max(row.at for row in rows if row.kind in (*VALUES, "cycle_started"))
        morning = now.astimezone(NEW_YORK).date()
        states = _order_states(rows)
        still = [name for name, one in states.items() if one["state"] not in FINAL]
        for name, one in states.items():
            if one["at"].astimezone(NEW_YORK).date() >= morning or name in still:
                yield f"filled@{name}", shares(one["filled"])
                yield f"planned@{name}", shares(one["qty"])
                yield f"fill_price@{name}", price(one["price"])
        unknown = sum(states[name]["state"] == "UNKNOWN" for name in still)
        yield "open_orders@now", str(len(still) - unknown)
        yield "unknown_orders@now", str(unknown)
        cycles = [row for row in rows if row.kind == "cycle_started"]
        ends = {row.cycle_id for row in rows if row.kind == "cycle_ended"}
        if cycles[-1].cycle_id not in ends:
            cycles = cycles[:-1]
        if cycles:
            last = cycles[-1].cycle_id
            mine = [one for one in states.values() if one["cycle"] == last]
            yield f"orders@{last}", str(len(mine))
            yield f"orders_filled@{last}", str(sum(one["state"] == "FILLED" for one in mine))

    def _planned(self, rows: list[Row]) -> Iterator[tuple[str, str]]:
        plans = [row for row in rows if row.kind == "cycle_planned"]
        ends = [row for row in rows if row.kind == "cycle_ended"]
        if not plans:
            return
        newest = plans[-1]
        name = newest.cycle_id
        plan, seen = self._document(newest.body["plan_sha256"]), self._document(newest.body["snapshot_sha256"])
        held = {s: Decimal(q) for s, q in (ends[-1].body["expected_positions"] if ends else {}).items()}
        if name not in {row.cycle_id for row in ends}:  # it trades: what the broker said, and the fills since
            held = {row["symbol"]: Decimal(row["qty"]) for row in seen["positions"]}
            for one in _order_states(rows).values():
                if one["cycle"] == name:
                    held[one["symbol"]] = held.get(one["symbol"], Decimal(0)) + one["sign"] * one["filled"]
        known = bool(ends) or name not in {row.cycle_id for row in ends}
        if known:
            yield "positions@now", str(sum(1 for qty in held.values() if qty))
        yield from self._weights(str(name), plan, seen, held)
        for use in plan["limits"]:
            count = use["kind"] in ("orders", "positions")
            for part, value in (("used", use["after"]), ("most", use["limit"]), ("left", use["limit"] - use["after"])):
                yield f"limit.{part}[{use['name']}]@{name}", fixed(value, 0) if count else percent(value)
            share = use["after"] / use["limit"] if use["limit"] > 0 else None
            yield f"limit.share[{use['name']}]@{name}", percent(share, 0)
        rules = self._document(newest.body["rules_sha256"])
        now = max(row.at for row in rows if row.kind in (*VALUES, "cycle_started"))
        morning = now.astimezone(NEW_YORK).date()
        states = _order_states(rows).values()
        sent = sum(one["at"].astimezone(NEW_YORK).date() == morning and one["state"] != "NOT_SENT" for one in states)
        most = rules["risk_management"]["max_orders_per_day"]
        yield "limit.used[orders_today]@now", fixed(sent, 0)
        yield "limit.most[orders_today]@now", fixed(most, 0)
        yield "limit.left[orders_today]@now", fixed(most - sent, 0)
        yield "limit.share[orders_today]@now", percent(sent / most, 0)
        for signal in seen["signals"]:
            plain = not signal.get("hold") and signal.get("target") is None
            if plain:
                yield f"score@{signal['id']}", fixed(signal["score"], 2, sign=True)
            yield f"confidence@{signal['id']}", fixed(signal["confidence"], 2) if plain else "–"

    def _weights(self, name: str, plan: Any, seen: Any, held: Mapping[str, Decimal]) -> Iterator[tuple[str, str]]:
        targets = {row["symbol"]: row for row in plan["targets"]}
        capital = Decimal(plan["capital"])
        drifts = []
        quotes: dict[str, Decimal | None] = {}
        for quote in seen["quotes"]:
            bid, ask = quote["bid"], quote["ask"]
            middle = (Decimal(bid) + Decimal(ask)) / 2 if bid is not None and ask is not None else None
            quotes[quote["symbol"]] = middle if quote["last"] is None else Decimal(quote["last"])
        for symbol in {*targets, *(s for s, q in held.items() if q)}:
            target, qty = targets.get(symbol), held.get(symbol, Decimal(0))
            cost = Decimal(target["price"]) if target and Decimal(target["price"]) > 0 else quotes.get(symbol)
            weight = float(qty * cost / capital) if cost is not None else (None if qty else 0.0)
            drift = None if target is None or weight is None else weight - target["weight"]
            if drift is not None:
                drifts.append(abs(drift))
            if not (weight or (target and target["weight"]) or weight is None):
                continue
            yield f"qty[{symbol}]@{name}", shares(qty)
            yield f"price[{symbol}]@{name}", price(cost)
            yield f"value[{symbol}]@{name}", usd(None if cost is None else qty * cost)
            yield f"weight[{symbol}]@{name}", percent(weight)
            yield f"target[{symbol}]@{name}", percent(target["weight"] if target else None)
            yield f"drift[{symbol}]@{name}", points(drift, sign=True)
            yield f"band[{symbol}]@{name}", points(target["band"] if target else None)
        yield f"largest_drift@{name}", points(max(drifts, default=0.0))


def _order_states(rows: list[Row]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.kind == "order_intended":
            found[row.key or ""] = {
                "cycle": row.cycle_id, "qty": Decimal(row.body["qty"]), "symbol": row.body["symbol"], "at": row.at,
                "sign": 1 if row.body["side"] == "buy" else -1, "filled": Decimal(0), "price": None,
                "state": "INTENDED",
            }  # fmt: skip
        elif row.kind in ("order_changed", "order_ended", "order_reopened"):
            one = found[row.key or ""]
            one["state"], one["filled"] = row.body["state"], Decimal(row.body["filled_qty"])
            given = row.body["filled_avg_price"]
            one["price"] = None if given is None else Decimal(given)
    return found


def _money_of(row: Row) -> tuple[Decimal, Decimal]:
    closed = "closing_" if row.kind == "day_closed" else ""
    return Decimal(row.body[f"{closed}equity"]), Decimal(row.body[f"{closed}cash"])


# as people read numbers


def fixed(value: Any, digits: int, *, sign: bool = False) -> str:
    if value is None:
        return "–"
    text = f"{abs(value):,.{digits}f}"
    if not text.strip("0.,"):
        return text
    return ("−" if value < 0 else "+" if sign else "") + text


def usd(value: Decimal | None) -> str:
    text = fixed(value, 2)
    return text if text == "–" else text.replace("−", "−$") if text[0] == "−" else f"${text}"


def percent(value: Any, digits: int = 2, *, sign: bool = False) -> str:
    text = fixed(None if value is None else value * 100, digits, sign=sign)
    return text if text == "–" else f"{text} %"


def points(value: Any, *, sign: bool = False) -> str:
    text = fixed(None if value is None else value * 100, 2, sign=sign)
    return text if text == "–" else f"{text} pp"


def shares(value: Decimal) -> str:
    if not value:
        return "0"
    text = f"{abs(value):,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return ("−" if value < 0 else "") + text


def price(value: Decimal | None) -> str:
    return "–" if value is None else fixed(value, 2 if value == round(value, 2) else 4)
