"""The laws of every history, checked from outside: the wire's log, the exchange's own lists and the journal's file.

Imports nothing of the program, so that no mistake of it can hide here as well. Every law is a function that returns
sentences about what broke it; none means that it held.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.sim.evidence import Evidence, Intent

ENDED = {"FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "NOT_SENT", "WITHHELD"}
WORDS = {
    "filled": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED", "replaced": "REPLACED", "rejected": "REFUSED",
    "done_for_day": "EXPIRED",
}  # fmt: skip
NEXT = {
    "INTENDED": {"OPEN", "FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "NOT_SENT", "WITHHELD", "UNKNOWN"},
    "UNKNOWN": {"OPEN", "FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "NOT_SENT", "UNKNOWN"},
    "OPEN": {"OPEN", "FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "UNKNOWN"},
}
NEVER_ARRIVED = {"not_sent", "outage", "429"}  # the program has proof of it
CENTS = Decimal("0.01")


def check(seen: Evidence) -> list[str]:
    """Every law."""
    laws = (
        chain_of_kinds, one_intent_per_order, bodies_agree, states_follow_the_graph, intents_ended, unknown_is_frozen,
        verdicts_complete, phases_in_order, nothing_oversold, counts_within_limits, caps_hold, inside_sessions,
        killed_means_killed, one_batch_per_slot,
    )  # fmt: skip
    return [f"{law.__name__}: {said}" for law in laws for said in law(seen)]


def chain_of_kinds(seen: Evidence) -> Iterator[str]:
    """I1, I4: one start, plan, verdicts and end a cycle, in this order, and one intent an id."""
    told: set[tuple[str, str]] = set()
    order = {"cycle_started": (), "cycle_planned": ("cycle_started",), "cycle_verdicts": ("cycle_started",),
             "cycle_ended": ("cycle_verdicts",)}  # fmt: skip
    for row in seen.rows:
        if row.kind in order:
            if (row.kind, row.cycle) in told:
                yield f"{row.kind} of {row.cycle} stands twice"
            if any((before, row.cycle) not in told for before in order[row.kind]):
                yield f"{row.kind} of {row.cycle} came too early"
            told.add((row.kind, row.cycle))
        if row.kind == "order_intended":
            if ("cycle_planned", row.cycle) not in told or ("cycle_ended", row.cycle) in told:
                yield f"{row.key} was intended outside its cycle"
            if (row.kind, row.key) in told:
                yield f"{row.key} was intended twice"
            told.add((row.kind, row.key))


def one_batch_per_slot(seen: Evidence) -> Iterator[str]:
    """I1: two batches never overlap: a cycle is planned only after every earlier one has ended."""
    open_now: set[str] = set()
    for row in seen.rows:
        if row.kind == "cycle_started":
            if open_now:
                yield f"{row.cycle} began while {sorted(open_now)} had not ended"
            open_now.add(row.cycle)
        elif row.kind == "cycle_ended":
            open_now.discard(row.cycle)


def one_intent_per_order(seen: Evidence) -> Iterator[str]:
    """I2, I3: each order had its intent committed before it left; one id, one body; one purpose, one id."""
    bodies: dict[str, set[str]] = defaultdict(set)
    for post in seen.posts:
        if not post["intended"]:
            yield f"{post['client_order_id']} left without an intent"
        bodies[post["client_order_id"]].add(post["body"])
        if len(post["client_order_id"]) > 48:
            yield f"{post['client_order_id']} is too long"
    for name, texts in bodies.items():
        if len(texts) > 1:
            yield f"{name} left with {len(texts)} contents"
    for name, count in Counter(p["client_order_id"] for p in seen.posts).items():
        if count > 1:
            yield f"{name} was posted {count} times"
    for purpose, count in Counter((i.cycle, i.phase, i.symbol) for i in seen.intents.values()).items():
        if count > 1:
            yield f"{count} intents for {purpose}"


def bodies_agree(seen: Evidence) -> Iterator[str]:
    """I3: what the broker got is what was written down."""
    for order in seen.ours():
        body = seen.intents[order["client_order_id"]].body
        if order["status"] != "replaced" and order.get("replaces") is None:
            fields = ("symbol", "side", "type", "time_in_force", "position_intent")
            if any(order[f] != body[f] for f in fields) or Decimal(order["qty"]) != Decimal(body["qty"]):
                yield f"{order} is not {body}"


def states_follow_the_graph(seen: Evidence) -> Iterator[str]:
    """I5: states move along the graph only, and fills never shrink."""
    reopened = {row.seq + 1 for row in seen.rows if row.kind == "order_reopened"}
    for intent in seen.intents.values():
        state, filled = "INTENDED", Decimal(0)
        for seq, after, now in intent.told:
            if after not in NEXT.get(state, {state}) and seq not in reopened:
                yield f"{intent.id} went from {state} to {after}"
            if now < filled:
                yield f"{intent.id} filled {filled}, then {now}"
            state, filled = after, now


def intents_ended(seen: Evidence) -> Iterator[str]:
    """I4, I5, I13: each intent has its final outcome and it is the broker's, or it is carried openly."""
    orders = {o["client_order_id"]: o for o in seen.ours()}
    ends = [c.end for c in seen.cycles.values() if c.end]
    carried = {name for end in ends for name in end["carried"]}
    for intent in seen.intents.values():
        order = orders.get(intent.id)
        if intent.state not in ENDED:
            if seen.cycles[intent.cycle].end and intent.id not in carried:
                yield f"{intent.id} is {intent.state}, and its closed cycle does not say so"
        elif order is None:
            if intent.state not in ("NOT_SENT", "REFUSED"):
                yield f"{intent.id} is {intent.state}; the broker has no such order"
        elif intent.state == "NOT_SENT" and order["status"] != "rejected":
            yield f"late: {intent.id} was given up; the broker says {order['status']}"
        elif WORDS.get(order["status"]) not in (intent.state, None) and order["status"] != "rejected":
            yield f"{intent.id} is {intent.state}, the broker says {order['status']}"
        elif order["status"] in WORDS and intent.state != "NOT_SENT" and intent.filled != Decimal(order["filled_qty"]):
            yield f"{intent.id} filled {intent.filled}, the broker says {order['filled_qty']}"


def unknown_is_frozen(seen: Evidence) -> Iterator[str]:
    """I5: no new order for a symbol while an earlier one may still do something."""
    by_symbol: dict[str, list[Intent]] = defaultdict(list)
    for intent in seen.intents.values():
        by_symbol[intent.symbol].append(intent)
    for symbol, intents in by_symbol.items():
        for number, intent in enumerate(intents):
            for earlier in intents[:number]:
                if earlier.cycle != intent.cycle and earlier.state_at(intent.seq) in ("UNKNOWN", "INTENDED"):
                    yield f"{intent.id} for {symbol} while {earlier.id} was {earlier.state_at(intent.seq)}"


def verdicts_complete(seen: Evidence) -> Iterator[str]:
    """Law 3: every signal of every closed, planned cycle has exactly one verdict, with a reason."""
    for cycle in seen.cycles.values():
        if cycle.end is None or cycle.snapshot is None:
            continue
        signals = Counter((s["id"], s["symbol"]) for s in cycle.snapshot["signals"])
        spoken = Counter((v["signal_id"], v["symbol"]) for v in cycle.verdicts or [] if v["signal_id"])
        if spoken != signals:
            yield f"{cycle.id}: {spoken - signals} too many, {signals - spoken} missing"
        if any(v["outcome"] == "PLANNED" or not v["because"] for v in cycle.verdicts or []):
            yield f"{cycle.id} has a verdict that is none"


def phases_in_order(seen: Evidence) -> Iterator[str]:
    """I14: no increase leaves before every reduction of its cycle has ended at the broker, as far as it has told. One
    whose POST floats may arrive after increases have left, and no cap is broken by it (decision 0010); and
    one that it refused and yet booked, after the wire delivered it twice, is taken back by the next cycle."""
    orders = {o["client_order_id"]: o for o in seen.ours()}
    left = {p["client_order_id"]: p["at"] for p in seen.posts}
    for cycle, intents in _by_cycle(seen).items():
        grown = [i for i in intents if i.phase == "increase" and i.id in left]
        for intent in intents:
            order = orders.get(intent.id)
            if intent.phase != "reduce" or order is None or not grown:
                continue
            first = min(grown, key=lambda i: left[i.id])
            if intent.state_at(first.seq) not in ("UNKNOWN", "OPEN", "REFUSED"):
                ended = order["filled_at"] or order["canceled_at"] or order["expired_at"] or order["failed_at"]
                if order["status"] in WORDS and (ended is None or _micros(ended) > left[first.id]):
                    yield f"{cycle}: {intent.id} ended {ended}, {first.id} left {left[first.id]}"
            if intent.state_at(first.seq) == "INTENDED":
                yield f"{cycle}: {first.id} was intended before anything was known of {intent.id}"


def nothing_oversold(seen: Evidence) -> Iterator[str]:
    """I9, law 6: no fill of ours takes a position through zero, or below it unless short selling is allowed."""
    ours = {o["id"]: seen.intents[o["client_order_id"]] for o in seen.ours()}
    position: dict[str, Decimal] = defaultdict(Decimal)
    for fill in seen.fills:
        intent = ours.get(fill.get("order_id", ""))
        if fill["activity_type"] != "FILL":
            position[fill["symbol"]] += Decimal(fill["qty"])
            continue
        before = position[fill["symbol"]]
        after = before + _signed(fill)
        position[fill["symbol"]] = after
        if intent is not None:
            if before * after < 0:
                yield f"{fill['symbol']} went from {before} to {after} in one order"
            rules = seen.cycles[intent.cycle].rules
            if after < 0 and after < before and rules and not rules["position_sizing"]["allow_short"]:
                yield f"{fill['symbol']} went to {after}"


def counts_within_limits(seen: Evidence) -> Iterator[str]:
    """I8: orders per execution, per day and per symbol and day, by attempts, over all lives: no increase left beyond
    them. Reductions are counted and never held back."""
    left = {p["client_order_id"] for p in seen.posts if p["fate"] not in NEVER_ARRIVED}
    days: Counter[str] = Counter()
    symbols: Counter[tuple[str, str]] = Counter()
    for cycle in seen.cycles.values():
        if cycle.rules is None or cycle.snapshot is None:
            continue
        day = cycle.snapshot["session"]["open"][:10]
        most, risk = cycle.rules["execution"]["max_orders_per_execution"], cycle.rules["risk_management"]
        mine = [i for i in seen.intents.values() if i.cycle == cycle.id and i.id in left]
        for number, i in enumerate(mine, start=1):
            days[day] += 1
            symbols[day, i.symbol] += 1
            if i.phase != "increase":
                continue
            if number > most:
                yield f"{cycle.id} sent {number} orders of {most}"
            if days[day] > risk["max_orders_per_day"]:
                yield f"{cycle.id}: {days[day]} orders on {day} of {risk['max_orders_per_day']}"
            if symbols[day, i.symbol] > risk["max_orders_per_symbol_per_day"]:
                yield f"{cycle.id}: {symbols[day, i.symbol]} orders of {i.symbol} on {day}"


def caps_hold(seen: Evidence) -> Iterator[str]:
    """I6, law 4: at decision prices, after every increase that fills, no cap it counts in is exceeded, with all that
    was open or unknown when the cycle began at its worst; and no order is larger than the hard limit, except a
    reduction by one lot."""
    intents = {o["id"]: seen.intents[o["client_order_id"]] for o in seen.ours()}
    filled: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fill in seen.fills:
        intent = intents.get(fill.get("order_id", ""))
        if intent is not None:
            filled[intent.cycle].append(fill | {"phase": intent.phase})
    by_cycle = _by_cycle(seen)
    for cycle in seen.cycles.values():
        if cycle.snapshot is None or cycle.rules is None or not by_cycle.get(cycle.id):
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
            signed = Decimal(order["qty"]) - Decimal(order["filled_qty"])
            signed = signed if order["side"] == "buy" else -signed
            if abs(shares[order["symbol"]] + signed) > abs(shares[order["symbol"]]):
                shares[order["symbol"]] += signed
        for intent in by_cycle[cycle.id]:
            most = Decimal(sizing["max_order_value"])
            is_one_lot = intent.phase == "reduce" and intent.qty <= lots[intent.symbol]
            if intent.qty * price[intent.symbol] > most * Decimal("1.02") and not is_one_lot:
                yield f"{intent.id} is worth {intent.qty * price[intent.symbol]}"
        for fill in filled[cycle.id]:
            symbol = fill["symbol"]
            shares[symbol] += _signed(fill)
            if fill["phase"] == "reduce":
                continue
            value = {s: abs(q) * price.get(s, Decimal(0)) for s, q in shares.items()}
            sector, group = labels[symbol]
            use = (
                ("position", value[symbol], sizing["max_position_size"]),
                ("gross", sum(value.values()), sizing["max_total_exposure"]),
                ("sector", sum(v for s, v in value.items() if labels.get(s, (None,))[0] == sector),
                 risk["sector_limits"].get(sector or "", risk["max_sector_exposure"])),
                ("correlation", sum(v for s, v in value.items() if labels.get(s, (None, None))[1] == group),
                 risk["max_correlation_exposure"]),
            )  # fmt: skip
            for name, used, limit in use:
                if used > Decimal(str(limit)) * capital + CENTS:
                    yield f"{cycle.id} {symbol}: {name} {used:.2f} of {Decimal(str(limit)) * capital:.2f}"


def inside_sessions(seen: Evidence) -> Iterator[str]:
    """I10: no order leaves outside the session of the broker's calendar."""
    for post in seen.posts:
        if not any(opens <= post["at"] < closes for opens, closes in seen.sessions):
            yield f"{post['client_order_id']} left at {post['at']}, outside the session"


def killed_means_killed(seen: Evidence) -> Iterator[str]:
    """I12: no order leaves once the kill switch is durable."""
    for post in seen.posts:
        if post["killed"]:
            yield f"{post['client_order_id']} left although the kill switch was set"


def settled(seen: Evidence) -> list[str]:
    """I13, I17: what must be true some cycles after the faults have stopped."""
    wrong = [f"{i.id} is still {i.state}" for i in seen.intents.values() if i.state not in ENDED]
    wrong += [f"cycle {c.id} has no end" for c in seen.cycles.values() if c.end is None]
    closed = [c for c in seen.cycles.values() if c.end]
    if not closed:
        return [*wrong, "no cycle has ended"]
    last = closed[-1]
    assert last.end is not None
    expected = {s: Decimal(q) for s, q in last.end["expected_positions"].items()}
    if expected != seen.positions:
        wrong.append(f"books {expected}, broker {seen.positions}")
    if last.end["unexplained"]:
        wrong.append(f"unexplained {last.end['unexplained']}")
    if last.plan is None or last.end["outcome"] not in ("COMPLETED", "HOLDING", "CONSTRAINED"):
        wrong.append(f"the last cycle ended as {last.end['outcome']}: {last.end['because']}")
    if last.plan is not None:
        frozen = [v for v in last.verdicts or [] if v["outcome"].startswith("FROZEN")]
        wrong += [f"{v['symbol']} is frozen: {v['because']}" for v in frozen]
    return wrong


def _by_cycle(seen: Evidence) -> dict[str, list[Intent]]:
    found: dict[str, list[Intent]] = defaultdict(list)
    for intent in seen.intents.values():
        found[intent.cycle].append(intent)
    return found


def _signed(row: dict[str, Any]) -> Decimal:
    qty = abs(Decimal(row["qty"]))
    return -qty if row["side"] in ("sell", "sell_short", "short") else qty


def _micros(text: str) -> int:
    moment = datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")
    return (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)
