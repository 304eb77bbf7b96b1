"""The laws of every run, checked from outside: the exchange's own lists over HTTP and the journal's file over sqlite3.

Imports nothing from the program, so that no mistake of it can hide here as well. Every function raises AssertionError
with what it saw.
"""

from __future__ import annotations

import json
import sqlite3
import urllib.parse
import urllib.request
import zlib
from collections import Counter, defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

PREFIX = "rb-"
ENDED = {"FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "NOT_SENT", "WITHHELD"}
EXITS = ("exit-", "kill-", "adopted-")  # cycles that plan nothing: they leave positions, or take orders in
EPSILON = Decimal("0.01")  # USD


class Intent(NamedTuple):
    """An intent of the journal and the latest that it knows of the order; `ever` are all states it has been in."""

    id: str
    cycle: str
    phase: str
    symbol: str
    side: str
    qty: Decimal
    body: dict[str, Any]
    sha256: str
    state: str
    filled: Decimal
    ever: tuple[str, ...]


class Cycle(NamedTuple):
    """One cycle of the journal; `end` and `verdicts` are None while it is open, the texts while it is not planned."""

    id: str
    mode: str
    at: str
    snapshot: dict[str, Any] | None
    rules: dict[str, Any] | None
    plan: dict[str, Any] | None
    verdicts: list[dict[str, Any]] | None
    end: dict[str, Any] | None


class Books(NamedTuple):
    """Everything the journal and the exchange say."""

    cycles: list[Cycle]
    intents: list[Intent]
    orders: list[dict[str, Any]]
    fills: list[dict[str, Any]]
    positions: dict[str, Decimal]

    def ours(self) -> list[dict[str, Any]]:
        return [o for o in self.orders if o["client_order_id"].startswith(PREFIX)]


def books(url: str, journal: Path) -> Books:
    """Read both."""
    cycles, intents = _journal(journal)
    orders = _all(url, "/v2/orders", {"status": "all", "direction": "asc", "limit": "500"})
    fills = [a for a in _all(url, "/v2/account/activities", {"direction": "asc"}) if a["activity_type"] == "FILL"]
    positions = {p["symbol"]: _signed(p) for p in _get(url, "/v2/positions", {})}
    return Books(cycles, intents, orders, fills, {s.replace("BTCUSD", "BTC/USD"): q for s, q in positions.items()})


def check(url: str, journal: Path, *, shorts: bool = False, books_match: bool = True) -> Books:
    """All laws. books_match: the journal's positions must be the broker's by now."""
    seen = books(url, journal)
    one_intent_per_order(seen)
    bodies_agree(seen)
    intents_have_ended(seen)
    verdicts_complete(seen)
    phases_in_order(seen)
    nothing_oversold(seen, shorts=shorts)
    counts_within_limits(seen)
    caps_hold(seen)
    if books_match:
        positions_agree(seen)
    return seen


def one_intent_per_order(seen: Books) -> None:
    """Every order of ours has its intent, and no two carry the same one."""
    known = Counter(i.id for i in seen.intents)
    assert all(count == 1 for count in known.values()), known
    sent = Counter(o["client_order_id"] for o in seen.ours())
    assert all(count == 1 for count in sent.values()), sent
    assert set(sent) <= set(known), f"sent without an intent: {set(sent) - set(known)}"
    # one adopting cycle holds the orders of many that were lost
    same = Counter((i.cycle, i.phase, i.symbol) for i in seen.intents if not i.cycle.startswith("adopted-"))
    assert all(count == 1 for count in same.values()), f"two orders for one purpose: {same}"


def bodies_agree(seen: Books) -> None:
    """What the broker got is what was written down."""
    intents = {i.id: i for i in seen.intents}
    for order in seen.ours():
        body = intents[order["client_order_id"]].body
        fields = ["client_order_id", "symbol", "side", "type"]
        fields += [] if body.get("adopted") else ["time_in_force", "position_intent"]  # lost with the journal's rows
        assert {f: order[f] for f in fields} == {f: body[f] for f in fields}
        assert Decimal(order["qty"]) == Decimal(body["qty"])
        limit = order["limit_price"]
        assert (limit is None) == (body["limit_price"] is None)
        assert limit is None or Decimal(limit) == Decimal(body["limit_price"])


def intents_have_ended(seen: Books) -> None:
    """Each intent has its final outcome, and it is the broker's; or it was carried on openly as unknown."""
    orders = {o["client_order_id"]: o for o in seen.ours()}
    carried = {name for c in seen.cycles if c.end for name in c.end["carried"]}
    words = {"filled": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED", "replaced": "REPLACED"}
    for intent in seen.intents:
        order = orders.get(intent.id)
        if intent.state not in ENDED:
            assert intent.state in ("UNKNOWN", "OPEN"), f"{intent.id} is left as {intent.state}"
            assert intent.id in carried, f"{intent.id} is {intent.state}, and its cycle does not say so"
        elif order is None:
            assert intent.state in ("NOT_SENT", "REFUSED"), (
                f"{intent.id} is {intent.state}; the broker has no such order"
            )
        else:
            assert intent.state == words.get(order["status"]), f"{intent.id}: {intent.state}, broker {order['status']}"
            assert intent.filled == Decimal(order["filled_qty"]), f"{intent.id}: {intent.filled} of {order}"


def verdicts_complete(seen: Books) -> None:
    """Every cycle has ended, and every signal of a planned one has exactly one verdict."""
    for cycle in seen.cycles:
        assert cycle.end is not None, f"cycle {cycle.id} has no end"
        if cycle.snapshot is None:
            continue
        signals = Counter((s["id"], s["symbol"]) for s in cycle.snapshot["signals"])
        assert cycle.verdicts is not None
        spoken = Counter((v["signal_id"], v["symbol"]) for v in cycle.verdicts if v["signal_id"])
        assert spoken == signals, f"cycle {cycle.id}: verdicts {spoken} for signals {signals}"
        assert all(v["outcome"] != "PLANNED" and v["because"] for v in cycle.verdicts), cycle.verdicts


def phases_in_order(seen: Books) -> None:
    """No increase was sent before every reduction of its cycle had ended at the exchange, or was openly unknown: a
    reduction whose POST floats may arrive after increases have left, and no cap is broken by it (decision 0010)."""
    orders = {o["client_order_id"]: o for o in seen.ours()}
    carried = {name for c in seen.cycles if c.end for name in c.end["carried"]}
    for cycle, intents in _by_cycle(seen.intents).items():
        grown = [orders[i.id]["submitted_at"] for i in intents if i.phase == "increase" and i.id in orders]
        for intent in intents:
            order = orders.get(intent.id)
            if intent.phase != "reduce" or order is None or not grown:
                continue
            ended = order["filled_at"] or order["canceled_at"] or order["expired_at"]
            written_off = "UNKNOWN" in intent.ever or intent.id in carried
            assert written_off or (ended is not None and ended <= min(grown)), (
                f"{cycle}: {intent.id} ended {ended}, {grown}"
            )


def nothing_oversold(seen: Books, *, shorts: bool) -> None:
    """No fill of ours ever takes a position through zero, nor below it unless short selling is allowed."""
    ours = {o["id"] for o in seen.ours()}
    position: dict[str, Decimal] = defaultdict(Decimal)
    for fill in seen.fills:
        before = position[fill["symbol"]]
        after = before + _signed(fill)
        position[fill["symbol"]] = after
        if fill["order_id"] in ours:
            assert before * after >= 0, f"{fill['symbol']} went from {before} to {after} in one order"
            assert shorts or after >= 0 or after >= before, f"{fill['symbol']} went to {after}"


def counts_within_limits(seen: Books) -> None:
    """Orders per execution, per day and per symbol and day, over all lives of the program: no increase left beyond
    them. Reductions are counted and never held back."""
    sent = {o["client_order_id"]: o["submitted_at"][:10] for o in seen.ours()}
    days: Counter[str] = Counter()
    symbols: Counter[tuple[str, str]] = Counter()
    for cycle in seen.cycles:
        if cycle.rules is None:
            continue
        most, risk = cycle.rules["execution"]["max_orders_per_execution"], cycle.rules["risk_management"]
        for number, i in enumerate((i for i in seen.intents if i.cycle == cycle.id and i.id in sent), start=1):
            days[sent[i.id]] += 1
            symbols[sent[i.id], i.symbol] += 1
            if i.phase == "increase":
                assert number <= most, f"{cycle.id} sent {number} orders of {most}"
                assert days[sent[i.id]] <= risk["max_orders_per_day"], days
                assert symbols[sent[i.id], i.symbol] <= risk["max_orders_per_symbol_per_day"], symbols


def caps_hold(seen: Books) -> None:
    """At decision prices: after every increase that fills, no cap that it counts in is exceeded, with all that was
    still open or unknown when the cycle began counted at its worst; and no order is larger than the hard limit."""
    orders = {o["id"]: o for o in seen.ours()}
    cycle_of = {i.id: i for i in seen.intents}
    fills: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fill in seen.fills:
        order = orders.get(fill["order_id"])
        if order is not None:
            fills[cycle_of[order["client_order_id"]].cycle].append(fill | {"ours": order["client_order_id"]})
    for cycle in seen.cycles:
        if cycle.snapshot is None or cycle.rules is None:
            continue
        facts, sizing, risk = cycle.snapshot, cycle.rules["position_sizing"], cycle.rules["risk_management"]
        capital = Decimal(facts["account"]["equity"]) * Decimal(str(sizing["capital_scaling"]))
        price = {
            q["symbol"]: (Decimal(q["bid"]) + Decimal(q["ask"])) / 2 for q in facts["quotes"] if q["bid"] and q["ask"]
        }
        lots = {i["symbol"]: Decimal(i["lot"]) for i in facts["instruments"]}
        labels = {i["symbol"]: (i["sector"], i["correlation_group"]) for i in facts["instruments"]}
        shares = defaultdict(Decimal, {p["symbol"]: Decimal(p["qty"]) for p in facts["positions"]})
        for order in facts["open_orders"]:
            if order["side"] == "buy":
                shares[order["symbol"]] += Decimal(order["qty"]) - Decimal(order["filled_qty"])
        for intent in (i for i in seen.intents if i.cycle == cycle.id):
            value = intent.qty * price[intent.symbol]
            most = min(Decimal(sizing["max_order_value"]), Decimal(sizing["max_trade_size"]))
            is_one_lot = intent.phase == "reduce" and intent.qty <= lots[intent.symbol]
            assert value <= most + EPSILON or is_one_lot, f"{intent.id} is worth {value}"
        for fill in fills[cycle.id]:
            symbol, intent = fill["symbol"].replace("BTCUSD", "BTC/USD"), cycle_of[fill["ours"]]
            shares[symbol] += _signed(fill)
            if intent.phase == "reduce":
                continue
            value = {s: abs(q) * price.get(s, Decimal(0)) for s, q in shares.items()}
            sector, group = labels[symbol]
            use = {
                "position": (value[symbol], sizing["max_position_size"]),
                "gross": (sum(value.values()), sizing["max_total_exposure"]),
                "sector": (
                    sum(v for s, v in value.items() if labels.get(s, (None,))[0] == sector),
                    risk["sector_limits"].get(sector or "", risk["max_sector_exposure"]),
                ),
                "correlation": (
                    sum(v for s, v in value.items() if labels.get(s, (None, None))[1] == group),
                    risk["max_correlation_exposure"],
                ),
            }
            for name, (used, limit) in use.items():
                assert used <= Decimal(str(limit)) * capital + EPSILON, f"{cycle.id} {symbol}: {name} {used} > {limit}"


def positions_agree(seen: Books) -> None:
    """The last live cycle left the books as the broker has them, with nothing doubtful."""
    last = [c for c in seen.cycles if c.mode != "dry_run" and c.end][-1].end
    assert last is not None
    assert {s: Decimal(q) for s, q in last["expected_positions"].items()} == seen.positions
    assert last["unexplained"] == {}


def _journal(path: Path) -> tuple[list[Cycle], list[Intent]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT at, cycle_id, kind, key, body FROM events ORDER BY seq").fetchall()
        texts = {n: json.loads(zlib.decompress(b)) for n, b in db.execute("SELECT sha256, body FROM documents")}
    cycles: dict[str, Cycle] = {}
    intents: dict[str, Intent] = {}
    for at, cycle, kind, key, text in rows:
        body = json.loads(text)
        if kind == "cycle_started":
            assert cycle not in cycles, f"{cycle} was begun twice"
            cycles[cycle] = Cycle(cycle, key, at, None, None, None, None, None)
        elif kind == "cycle_planned":
            found = [texts[body[name]] for name in ("snapshot_sha256", "rules_sha256", "plan_sha256")]
            cycles[cycle] = cycles[cycle]._replace(snapshot=found[0], rules=found[1], plan=found[2])
        elif kind == "cycle_verdicts":
            assert cycles[cycle].verdicts is None
            cycles[cycle] = cycles[cycle]._replace(verdicts=body["verdicts"])
        elif kind == "cycle_ended":
            assert cycles[cycle].end is None
            cycles[cycle] = cycles[cycle]._replace(end=body)
        elif kind == "order_intended":
            assert key not in intents, f"{key} was intended twice"
            planned = cycles[cycle].plan is not None or cycle.startswith(EXITS)
            assert planned, f"{key} was intended before its plan was written"
            assert cycles[cycle].end is None, f"{key} was intended after its cycle had ended"
            intents[key] = Intent(
                key, cycle, body["phase"], body["symbol"], body["side"], Decimal(body["qty"]),
                json.loads(body["body"]), body["body_sha256"], "INTENDED", Decimal(0), ("INTENDED",),
            )  # fmt: skip
        elif kind in ("order_changed", "order_ended", "order_reopened"):
            before = intents[key]
            intents[key] = before._replace(
                state=body["state"], filled=Decimal(body["filled_qty"]), ever=(*before.ever, body["state"])
            )
    return list(cycles.values()), list(intents.values())


def _by_cycle(intents: list[Intent]) -> dict[str, list[Intent]]:
    found: dict[str, list[Intent]] = defaultdict(list)
    for intent in intents:
        found[intent.cycle].append(intent)
    return found


def _signed(row: dict[str, Any]) -> Decimal:
    qty = abs(Decimal(row["qty"]))
    return -qty if row["side"] in ("sell", "sell_short", "short") else qty


def _all(url: str, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
    """A whole list; the runs here are shorter than a page of 500 orders, activities are paged."""
    if path == "/v2/orders":
        rows = _get(url, path, params)
        assert len(rows) < 500
        return rows
    found: list[dict[str, Any]] = []
    while True:
        page = _get(url, path, params | ({"page_token": found[-1]["id"]} if found else {}))
        found += page
        if len(page) < 100:
            return found


def _get(url: str, path: str, params: dict[str, str]) -> Any:
    query = f"?{urllib.parse.urlencode(params)}" if params else ""
    keys = {"APCA-API-KEY-ID": "checker", "APCA-API-SECRET-KEY": "checker"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{url}{path}{query}", headers=keys), timeout=300) as answer:
        return json.load(answer)
