"""Laws of the record: what was intended, sent and answered, and that nothing is left without an end.

Imports nothing of the program outside this room.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from rebalancer.testing.evidence import ADOPTED, PREFIX, WORDS, Evidence, IntendedOrder

ENDED: Final = {"FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "NOT_SENT", "WITHHELD"}
NEXT: Final = {
    "INTENDED": {"OPEN", "FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "NOT_SENT", "WITHHELD", "UNKNOWN"},
    "UNKNOWN": {"OPEN", "FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "NOT_SENT", "UNKNOWN"},
    "OPEN": {"OPEN", "FILLED", "CANCELED", "EXPIRED", "REPLACED", "REFUSED", "UNKNOWN"},
}
UNPLANNED: Final = ("exit-", "kill-", ADOPTED)  # cycles that plan nothing: they leave positions, or take orders in


def chain_of_kinds(seen: Evidence) -> Iterator[str]:
    """I1, I4: one start, plan, verdicts and end a cycle, in this order, and one intent an id."""
    recorded: set[tuple[str, str]] = set()
    order = {"cycle_started": (), "cycle_planned": ("cycle_started",), "cycle_verdicts": ("cycle_started",),
             "cycle_ended": ("cycle_verdicts",)}  # fmt: skip
    for row in seen.rows:
        if row.kind in order:
            if (row.kind, row.cycle) in recorded:
                yield f"{row.kind} of {row.cycle} stands twice"
            if any((before, row.cycle) not in recorded for before in order[row.kind]):
                yield f"{row.kind} of {row.cycle} came too early"
            recorded.add((row.kind, row.cycle))
        if row.kind == "order_intended":
            planned = ("cycle_planned", row.cycle) in recorded or row.cycle.startswith(UNPLANNED)
            if not planned or ("cycle_ended", row.cycle) in recorded:
                yield f"{row.key} was intended outside its cycle"
            if (row.kind, row.key) in recorded:
                yield f"{row.key} was intended twice"
            recorded.add((row.kind, row.key))


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
    for post in seen.posts or ():
        if not post["intended"]:
            yield f"{post['client_order_id']} left without an intent"
        bodies[post["client_order_id"]].add(post["body"])
        if len(post["client_order_id"]) > 48:
            yield f"{post['client_order_id']} is too long"
    for name, texts in bodies.items():
        if len(texts) > 1:
            yield f"{name} left with {len(texts)} contents"
    for name, count in Counter(p["client_order_id"] for p in seen.posts or ()).items():
        if count > 1:
            yield f"{name} was posted {count} times"
    for name, count in Counter(o["client_order_id"] for o in seen.orders).items():
        if name.startswith(PREFIX) and count > 1:
            yield f"the broker has {count} orders {name}"
        if name.startswith(PREFIX) and name not in seen.intents and seen.posts is None:
            yield f"the broker has an order {name}, which left without an intent"
    # one adopting cycle holds the orders of many that were lost
    known = [i for i in seen.intents.values() if not i.cycle.startswith(ADOPTED)]
    for purpose, count in Counter((i.cycle, i.phase, i.symbol) for i in known).items():
        if count > 1:
            yield f"{count} intents for {purpose}"


def bodies_agree(seen: Evidence) -> Iterator[str]:
    """I3: what the broker got is what was written down."""
    for order in seen.ours():
        body = seen.intents[order["client_order_id"]].body
        if order["status"] == "replaced" or order.get("replaces") is not None:
            continue
        fields = ["symbol", "side", "type"]
        fields += [] if body.get("adopted") else ["time_in_force", "position_intent"]  # lost with the journal's rows
        prices = [None if one["limit_price"] is None else Decimal(one["limit_price"]) for one in (order, body)]
        same = all(order[f] == body[f] for f in fields) and Decimal(order["qty"]) == Decimal(body["qty"])
        if not same or prices[0] != prices[1] or body["client_order_id"] != order["client_order_id"]:
            yield f"{order} is not {body}"


def states_follow_the_graph(seen: Evidence) -> Iterator[str]:
    """I5: states move along the graph only, and fills never shrink."""
    reopened = {row.seq + 1 for row in seen.rows if row.kind == "order_reopened"}
    for intent in seen.intents.values():
        state, filled = "INTENDED", Decimal(0)
        for seq, after, now in intent.states:
            if after not in NEXT.get(state, {state}) and seq not in reopened:
                yield f"{intent.id} went from {state} to {after}"
            if now < filled:
                yield f"{intent.id} filled {filled}, then {now}"
            state, filled = after, now


def intents_ended(seen: Evidence) -> Iterator[str]:
    """I4, I5, I13: each intent has its final outcome and it is the broker's, or it is carried openly."""
    orders = {o["client_order_id"]: o for o in seen.ours()}
    carried = seen.carried()
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


def outcomes_are_the_brokers(seen: Evidence) -> Iterator[str]:
    """Law 2: each intent has its final outcome, and it is exactly the broker's; or it was carried on openly."""
    orders, carried = {o["client_order_id"]: o for o in seen.ours()}, seen.carried()
    for intent in seen.intents.values():
        order = orders.get(intent.id)
        if intent.state not in ENDED:
            if intent.state not in ("UNKNOWN", "OPEN") or intent.id not in carried:
                yield f"{intent.id} is {intent.state}, and its cycle does not say so"
        elif order is not None:
            word = None if order["status"] == "rejected" else WORDS.get(order["status"])
            if (intent.state, intent.filled) != (word, Decimal(order["filled_qty"])):
                yield f"{intent.id} is {intent.state} with {intent.filled}, the broker says {order}"


def unknown_is_frozen(seen: Evidence) -> Iterator[str]:
    """I5: no new order for a symbol while an earlier one may still do something."""
    by_symbol: dict[str, list[IntendedOrder]] = defaultdict(list)
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


def cycles_ended(seen: Evidence) -> Iterator[str]:
    """Law 3: every cycle has ended."""
    yield from (f"cycle {cycle.id} has no end" for cycle in seen.cycles.values() if cycle.end is None)


def positions_agree(seen: Evidence) -> Iterator[str]:
    """I17: the last live cycle left the books as the broker has them, with nothing unexplained."""
    ends = [cycle.end for cycle in seen.cycles.values() if cycle.end and cycle.mode != "dry_run"]
    if not ends:
        yield "no cycle has ended"
        return
    expected = {symbol: Decimal(qty) for symbol, qty in ends[-1]["expected_positions"].items()}
    if expected != seen.positions:
        yield f"books {expected}, broker {seen.positions}"
    if ends[-1]["unexplained"]:
        yield f"unexplained {ends[-1]['unexplained']}"
