"""The checks of an exit pair just before it is sent. They refuse whatever is not an exit; no size limit and no count
per day or cycle applies, because a pair reduces risk, and no session check, because it rests until it is cancelled.

Checks that need no reading come first (`refuse_unread`), then those that do (`refuse_read`). The first refusal counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.brokers.protocol import ExitPair
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, text_of
from rebalancer.execution.pretrade.case import Refusal
from rebalancer.execution.pretrade.guards import MINUTE, ORDERS_PER_MINUTE
from rebalancer.execution.pretrade.readings import is_good, quote_fault, within
from rebalancer.execution.pretrade.resting import PairAttempt, PairReading


class PairCase(NamedTuple):
    """A pair under pre-trade check. `stopped` and `latched` as for an order; `mine` is its own record; `is_second`: it
    was sent before, or its intent is older than this instance; `others` are all other pairs that the journal knows;
    `since_latch` counts the other pairs of its symbol that left since the throttle latched; `orders` the orders sent
    within the minute. From `reading` come the signed shares `held` and those `promised`
    to other orders."""

    pair: ExitPair
    rules: Rules
    now: datetime
    stopped: str | None
    latched: str | None
    closing_only: bool
    mine: PairAttempt | None
    is_second: bool
    others: tuple[PairAttempt, ...]
    since_latch: int
    orders: int
    reading: PairReading
    held: Decimal = ZERO
    promised: Decimal = ZERO


def form(case: PairCase) -> Refusal | None:
    """Every number is finite and positive, the stop lies on the losing side of the target, and the stop's limit is
    not a better price than the stop."""
    pair = case.pair
    numbers = {"qty": pair.qty, "stop_price": pair.stop_price, "target_price": pair.target_price}
    limit = pair.stop_limit_price
    numbers |= {} if limit is None else {"stop_limit_price": limit}
    bad = [f"{name} is {value}" for name, value in numbers.items() if not is_good(value)]
    if pair.side not in ("buy", "sell"):
        bad.append(f"it is a {pair.side}")
    elif not bad and not _beyond(pair.stop_price, pair.target_price, pair):
        bad.append(f"its stop {text_of(pair.stop_price)} lies beyond its target {text_of(pair.target_price)}")
    elif not bad and limit is not None and _beyond(pair.stop_price, limit, pair):
        bad.append(f"its stop {text_of(pair.stop_price)} is worse than its limit {text_of(limit)}")
    return Refusal("form", "; ".join(bad)) if bad else None


def intent(case: PairCase) -> Refusal | None:
    """The pair is the one that was journalled, and it is sent only once."""
    pair, mine = case.pair, case.mine
    if mine is None:
        return Refusal("intent", "its intent is not in the journal")
    if case.is_second or mine.state != "intended" or mine.steps > 1:
        return Refusal("intent", "it was sent before, or may have been")
    written = (mine.symbol, mine.side, mine.qty, mine.stop, mine.target, mine.stop_limit)
    if written != (pair.symbol, pair.side, pair.qty, pair.stop_price, pair.target_price, pair.stop_limit_price):
        return Refusal("intent", "the journal has another pair under its id")
    return None


def kill_switch(case: PairCase) -> Refusal | None:
    """Nothing is sent while the kill switch is set."""
    return refuse_at_the_door(case.stopped, None)


def throttle_latched(case: PairCase) -> Refusal | None:
    """While the throttle is latched a position may have its exits back, in as many tries as `protection.attempts`: it
    may have latched after they were withdrawn for a trade. No more, since a runaway can also place pairs."""
    return refuse_at_the_door(None, case.latched) if case.since_latch >= case.rules.protection.attempts else None


def not_closing(case: PairCase) -> Refusal | None:
    """A flatten closes positions and does not protect them."""
    return Refusal("closing_only", "positions are being closed") if case.closing_only else None


def readings(case: PairCase) -> Refusal | None:
    """The position has been read."""
    why = case.reading.why
    return Refusal("readings", f"the account could not be read before this pair: {why}") if why else None


def sides_of_the_quote(case: PairCase) -> Refusal | None:
    """The price at which the exit would trade, where known, lies between stop and target; otherwise one of them would
    trade at once. The monitor closes such a position."""
    pair, quote = case.pair, case.reading.quotes.get(case.pair.symbol)
    if quote is None or quote_fault(quote, case.now, case.rules.quotes) is not None:
        return None
    price = quote.bid if pair.side == "sell" else quote.ask
    assert price is not None  # a quote without fault has both sides
    if _beyond(pair.stop_price, price, pair) and _beyond(price, pair.target_price, pair):
        return None
    said = f"the price {text_of(price)} is not between stop {text_of(pair.stop_price)} and target"
    return Refusal("form", f"{said} {text_of(pair.target_price)}")


def reduces(case: PairCase) -> Refusal | None:
    """It takes the position toward zero."""
    held, sells = case.held, case.pair.side == "sell"
    if held.is_finite() and (held > ZERO if sells else held < ZERO):
        return None
    return Refusal("not_held", f"{text_of(held)} are held: a pair that {'sells' if sells else 'buys'} protects nothing")


def never_oversell(case: PairCase) -> Refusal | None:
    """It closes no more than what is held and not committed to other orders."""
    if within(case.pair.qty + case.promised, abs(case.held)):
        return None
    taken = text_of(case.promised) if case.promised.is_finite() else "nobody knows how many"
    said = f"{text_of(abs(case.held))} are held, other orders may take {taken}"
    return Refusal("oversell", f"{said}, and the pair has {text_of(case.pair.qty)}")


def duplicate(case: PairCase) -> Refusal | None:
    """The same pair was sent recently under another id, and the broker has or may have it."""
    pair, window = case.pair, case.rules.gate.duplicate_window_seconds
    same = (pair.symbol, pair.side, pair.qty, pair.stop_price, pair.target_price)
    for one in case.others:
        recent = one.at >= case.now - timedelta(seconds=window)
        if recent and one.state != "gone" and (one.symbol, one.side, one.qty, one.stop, one.target) == same:
            said = f"{one.client_order_id} was the same {(case.now - one.at).total_seconds():.0f} s ago"
            return Refusal("duplicate", f"{said}; gate.duplicate_window_seconds is {window:g}")
    return None


def pairs_per_minute(case: PairCase) -> Refusal | None:
    """A runaway: orders and repeated pairs within a minute. The caller latches the throttle. Once it is latched, the
    count since then is what limits pairs."""
    if case.latched is not None:
        return None
    most = case.rules.gate.max_orders_per_minute
    began = case.now - MINUTE
    mine = [one for one in case.others if one.symbol == case.pair.symbol and one.left and one.at >= began]
    sent = case.orders + repeats(case.others, began) + 1
    if not mine or sent <= most:
        return None
    said = f"{sent} orders and repeated pairs within a minute"
    return Refusal(ORDERS_PER_MINUTE, f"{said}; gate.max_orders_per_minute is {most}")


def repeats(pairs: Sequence[PairAttempt], since: datetime) -> int:
    """How many pairs beyond the first of their symbol were sent since a moment. The first ones are not counted: there
    are never more of them than positions, and a large account needs them all at once."""
    left = [one.symbol for one in pairs if one.left and one.at >= since]
    return len(left) - len(set(left))


Check = Callable[[PairCase], Refusal | None]
UNREAD: Final[tuple[Check, ...]] = (form, intent, kill_switch, throttle_latched, not_closing)
READ: Final[tuple[Check, ...]] = (
    readings, sides_of_the_quote, reduces, never_oversell, duplicate, pairs_per_minute,
)  # fmt: skip


def refuse_unread(case: PairCase) -> Refusal | None:
    """Why this pair may not be sent, as far as that is known without asking the broker."""
    return next((refusal for check in UNREAD if (refusal := check(case)) is not None), None)


def refuse_at_the_door(stopped: str | None, latched: str | None) -> Refusal | None:
    """Why nothing may be sent: the conditions that can change while a pair that passed waits for its turn."""
    if stopped is not None:
        return Refusal("kill_switch", f"the kill switch is set: {stopped}")
    if latched is not None:
        said = f"the gate has been closed since {latched}; open it with: rebalancer resume --reason ..."
        return Refusal("throttle", said)
    return None


def refuse_read(case: PairCase) -> Refusal | None:
    """Why this pair may not be sent, according to what the broker reported."""
    return next((refusal for check in READ if (refusal := check(case)) is not None), None)


def _beyond(one: Decimal, other: Decimal, pair: ExitPair) -> bool:
    """Whether the second price is better for the position than the first: higher for a long, lower for a short."""
    return one < other if pair.side == "sell" else one > other
