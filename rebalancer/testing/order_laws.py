"""Laws of the orders themselves: phases, positions, counts, caps, sessions and the kill switch.

The arithmetic is their own: nothing of the program outside this room is imported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from rebalancer.testing.evidence import ADOPTED, WORDS, Cycle, Evidence, IntendedOrder, pair_of, signed

NEVER_ARRIVED: Final = {"not_sent", "outage", "429"}  # the program has proof of it
CENTS: Final = Decimal("0.01")


def phases_in_order(seen: Evidence) -> Iterator[str]:
    """I14: no increase leaves before every reduction of its cycle has ended at the broker, as far as it has told. One
    whose POST floats may arrive after increases have left, and no cap is broken by it (decision 0010); and
    one that it refused and yet booked, after the wire delivered it twice, is taken back by the next cycle."""
    orders = {o["client_order_id"]: o for o in seen.ours()}
    left = {name: _micros(o["submitted_at"]) for name, o in orders.items()}
    if seen.posts is not None:
        left = {p["client_order_id"]: p["at"] for p in seen.posts}
    carried = seen.carried()
    for cycle, intents in _by_planned_cycle(seen):
        grown = [i for i in intents if i.phase == "increase" and i.id in left]
        for intent in intents:
            order = orders.get(intent.id)
            if intent.phase != "reduce" or order is None or not grown:
                continue
            first = min(grown, key=lambda i: left[i.id])
            if seen.posts is None:
                may_float = "UNKNOWN" in intent.ever or intent.id in carried
            else:
                may_float = intent.state_at(first.seq) in ("UNKNOWN", "OPEN", "REFUSED") or order["status"] not in WORDS
            ended = order["filled_at"] or order["canceled_at"] or order["expired_at"] or order["failed_at"]
            if not may_float and (ended is None or _micros(ended) > left[first.id]):
                yield f"{cycle}: {intent.id} ended {ended}, {first.id} left {left[first.id]}"
            is_adopted = cycle.startswith(ADOPTED)  # written down afterwards, all at once
            if intent.state_at(first.seq) == "INTENDED" and not is_adopted:
                yield f"{cycle}: {first.id} was intended before anything was known of {intent.id}"


def _by_planned_cycle(seen: Evidence) -> Iterator[tuple[str, list[IntendedOrder]]]:
    """The orders of every cycle. Those that were written down afterwards are taken apart by the cycle in their ids: the
    journal may have lacked several."""
    for cycle, intents in seen.by_cycle().items():
        parts: dict[str, list[IntendedOrder]] = defaultdict(list)
        for intent in intents:
            parts[intent.id.split("-")[1] if cycle.startswith(ADOPTED) else ""].append(intent)
        for part in parts.values():
            yield cycle, part


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
        after = before + signed(fill)
        position[fill["symbol"]] = after
        if intent is not None:
            if before * after < 0:
                yield f"{fill['symbol']} went from {before} to {after} in one order"
            if after < 0 and after < before and not _may_short(seen, seen.cycles[intent.cycle]):
                yield f"{fill['symbol']} went to {after}"


def counts_within_limits(seen: Evidence) -> Iterator[str]:
    """I8: orders per execution, per day and per symbol and day, by attempts, over all lives: no increase left beyond
    them. Reductions are counted and never held back."""
    left = {o["client_order_id"] for o in seen.ours()}
    if seen.posts is not None:
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
    by_cycle, fills = seen.by_cycle(), _fills_by_cycle(seen)
    for cycle in seen.cycles.values():
        if cycle.snapshot is None or cycle.rules is None or not by_cycle.get(cycle.id):
            continue
        quotes = [quote for quote in cycle.snapshot["quotes"] if quote["bid"] and quote["ask"]]
        price = {quote["symbol"]: (Decimal(quote["bid"]) + Decimal(quote["ask"])) / 2 for quote in quotes}
        yield from _oversized(cycle.snapshot, cycle.rules, by_cycle[cycle.id], price)
        for said in _above_caps(cycle.snapshot, cycle.rules, fills[cycle.id], price):
            yield f"{cycle.id} {said}"


def _oversized(
    facts: dict[str, Any], rules: dict[str, Any], intents: list[IntendedOrder], price: dict[str, Decimal]
) -> Iterator[str]:
    sizing = rules["position_sizing"]
    most = min(Decimal(sizing["max_order_value"]), Decimal(sizing["max_trade_size"]))
    lots = {row["symbol"]: Decimal(row["lot"]) for row in facts["instruments"]}
    for intent in intents:
        value = intent.qty * Decimal(intent.body["limit_price"] or price[intent.symbol])
        is_one_lot = intent.phase == "reduce" and intent.qty <= lots[intent.symbol]
        if value > most + CENTS and not is_one_lot:
            yield f"{intent.id} is worth {value} of {most}"


def _above_caps(
    facts: dict[str, Any],
    rules: dict[str, Any],
    fills: list[tuple[IntendedOrder, dict[str, Any]]],
    price: dict[str, Decimal],
) -> Iterator[str]:
    sizing, risk = rules["position_sizing"], rules["risk_management"]
    capital = Decimal(facts["account"]["equity"]) * Decimal(str(sizing["capital_scaling"]))
    labels = {row["symbol"]: (row["sector"], row["correlation_group"]) for row in facts["instruments"]}
    shares = _worst_case(facts)
    for intent, fill in fills:
        symbol = pair_of(fill["symbol"])
        shares[symbol] += signed(fill)
        if intent.phase == "reduce":
            continue
        value = {name: abs(qty) * price.get(name, Decimal(0)) for name, qty in shares.items()}
        sector, group = labels[symbol]
        in_sector = sum(v for name, v in value.items() if labels.get(name, (None, None))[0] == sector)
        in_group = sum(v for name, v in value.items() if labels.get(name, (None, None))[1] == group)
        for name, used, limit in (
            ("position", value[symbol], sizing["max_position_size"]),
            ("gross", sum(value.values()), sizing["max_total_exposure"]),
            ("sector", in_sector, risk["sector_limits"].get(sector or "", risk["max_sector_exposure"])),
            ("correlation", in_group, risk["max_correlation_exposure"]),
        ):
            if used > Decimal(str(limit)) * capital + CENTS:
                yield f"{symbol}: {name} {used:.2f} of {Decimal(str(limit)) * capital:.2f}"


def _worst_case(facts: dict[str, Any]) -> dict[str, Decimal]:
    """The signed shares when everything has filled that was open or unknown and makes a position larger."""
    shares = defaultdict(Decimal, {row["symbol"]: Decimal(row["qty"]) for row in facts["positions"]})
    for order in facts["open_orders"]:
        left = Decimal(order["qty"]) - Decimal(order["filled_qty"])
        after = shares[order["symbol"]] + (left if order["side"] == "buy" else -left)
        if abs(after) > abs(shares[order["symbol"]]):
            shares[order["symbol"]] = after
    return shares


def _fills_by_cycle(seen: Evidence) -> dict[str, list[tuple[IntendedOrder, dict[str, Any]]]]:
    intents = {order["id"]: seen.intents[order["client_order_id"]] for order in seen.ours()}
    found: dict[str, list[tuple[IntendedOrder, dict[str, Any]]]] = defaultdict(list)
    for fill in seen.fills:
        intent = intents.get(fill.get("order_id", ""))
        if intent is not None:
            found[intent.cycle].append((intent, fill))
    return found


def inside_sessions(seen: Evidence) -> Iterator[str]:
    """I10: no order leaves outside the session of the broker's calendar."""
    for post in seen.posts or () if seen.sessions is not None else ():
        if not any(opens <= post["at"] < closes for opens, closes in seen.sessions or ()):
            yield f"{post['client_order_id']} left at {post['at']}, outside the session"


def killed_means_killed(seen: Evidence) -> Iterator[str]:
    """I12: no order leaves once the kill switch is durable."""
    for post in seen.posts or ():
        if post["killed"]:
            yield f"{post['client_order_id']} left although the kill switch was set"


def _may_short(seen: Evidence, cycle: Cycle) -> bool:
    """Whether the cycle's rules allow selling short; for a cycle without rules, whether any cycle's do."""
    known = [one.rules for one in ([cycle] if cycle.rules else seen.cycles.values()) if one.rules]
    return any(bool(rules["position_sizing"]["allow_short"]) for rules in known)


def _micros(text: str) -> int:
    moment = datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")
    return (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)
