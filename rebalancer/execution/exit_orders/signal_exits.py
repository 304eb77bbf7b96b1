"""Remember the stop and target that a signal gave for the position that it opened."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from rebalancer.core.decisions import Order
from rebalancer.core.facts import Signal, Snapshot
from rebalancer.core.values import decimal_of, text_of
from rebalancer.journal.journal import Journal
from rebalancer.planning.exit_levels import SignalExits

KIND: Final = "opinion"


def record_signal_exits(journal: Journal, snapshot: Snapshot, orders: Sequence[Order]) -> None:
    """Record, for every symbol that was increased, the exits given by the newest signal behind it, if they have
    changed.

    A signal without exits is recorded as well: it revokes those of an earlier signal.
    """
    account_id = snapshot.account.id
    before = signal_exits(journal, account_id)
    for order in sorted(orders, key=lambda o: o.symbol):
        if order.phase != "increase":
            continue
        behind = _behind(snapshot.signals, order)
        if behind is None:
            continue
        named = SignalExits(behind.id, behind.stop_price, behind.target_price)
        known = before.get(order.symbol, SignalExits("", None, None))
        if (named.stop_price, named.target_price) == (known.stop_price, known.target_price):
            continue
        body = {"signal": named.signal_id, "stop": _text(named.stop_price), "target": _text(named.target_price)}
        journal.record_event(account_id, snapshot.cycle_id, snapshot.as_of, KIND, order.symbol, body)


def signal_exits(journal: Journal, account_id: str) -> dict[str, SignalExits]:
    """The exits given by signals, by symbol; the newest record counts."""
    return {
        event.key: SignalExits(event.body["signal"], _price(event.body["stop"]), _price(event.body["target"]))
        for event in journal.newest_of_each(KIND, account_id)
        if event.key is not None
    }


def _behind(signals: Sequence[Signal], order: Order) -> Signal | None:
    """The newest signal in this order's direction."""
    side = 1 if order.side == "buy" else -1
    speaking = [s for s in signals if s.symbol == order.symbol and s.score * side > 0]
    return max(speaking, key=lambda s: (s.issued_at, s.source, s.id), default=None)


def _text(price: Decimal | None) -> str | None:
    return None if price is None else text_of(price)


def _price(text: str | None) -> Decimal | None:
    return None if text is None else decimal_of(text)
