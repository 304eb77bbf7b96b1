"""A gate with a real journal and a real kill switch before a wire that only remembers what passed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.brokers.protocol import Allowed, SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.documents import sha256
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import OpenOrder, Quote, Session
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import NOTHING
from rebalancer.core.rules import Rules
from rebalancer.core.values import text_of
from rebalancer.core.venue_rules import ALPACA
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.pretrade import PreTradeCheck, Readings
from rebalancer.journal import Journal
from rebalancer.journal.records import CycleStart, Intent

D = Decimal
NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
HOURS = Session(True, datetime(2026, 11, 20, 14, 30, tzinfo=UTC), datetime(2026, 11, 20, 21, 0, tzinfo=UTC))
RULES = Rules.model_validate({"risk_management": {"reserved_order_fraction": 0.2}})


def order(name: str, symbol: str = "AAA", side: str = "buy", qty: str = "10", **changes: Any) -> Order:
    """A market order at 100 USD; a sell closes, a buy opens."""
    shares = D(qty)
    made = Order(
        client_order_id=name,
        phase="reduce" if side == "sell" else "increase",
        symbol=symbol,
        side="sell" if side == "sell" else "buy",
        qty=shares,
        notional=D(0),
        type="market",
        limit_price=None,
        time_in_force="day",
        position_intent="sell_to_close" if side == "sell" else "buy_to_open",
        price=D(100),
        reserve=D(0),
        drift=0.0,
        because=NOTHING,
    )
    return made._replace(**changes)


def quote(symbol: str, price: str = "100", age_seconds: float = 1, now: datetime = NOON) -> Quote:
    middle = D(price)
    return Quote(symbol, middle, middle, middle, now - timedelta(seconds=age_seconds))


def readings(
    held: Mapping[str, str] | None = None,
    quotes: Sequence[Quote] | None = None,
    open_orders: Sequence[OpenOrder] = (),
    equity: str = "100000",
    cycle_id: str = "c1",
    session: Session = HOURS,
) -> Readings:
    positions = {symbol: D(qty) for symbol, qty in (held or {}).items()}
    prices = quotes if quotes is not None else [quote("AAA"), quote("BBB"), quote("CCC")]
    return Readings(
        cycle_id, session, D(equity), positions, dict.fromkeys(positions, D(100)), tuple(open_orders),
        {q.symbol: q for q in prices}, {"BTC/USD"},
    )  # fmt: skip


class Wire:
    """A broker that takes every order and has nothing else to tell."""

    venue = ALPACA

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now
        self.posted: list[Order] = []
        self.calls: list[str] = []
        self.told: dict[str, Any] = {}

    def now(self) -> datetime:
        return self.time

    def submit(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        if allowed is not None and not allowed():
            return SendResult("not_sent", None, "withheld", "")
        self.posted.append(order)
        return SendResult("accepted", None, "accepted", "")

    def _answer(self, name: str) -> Any:
        self.calls.append(name)
        if name not in self.told:
            raise BrokerUnavailable(name)
        return self.told[name]

    def clock(self) -> Any:
        return self._answer("clock")

    def account(self) -> Any:
        return self._answer("account")

    def positions(self) -> Any:
        return self._answer("positions")

    def orders(self, after: datetime | None) -> Any:
        return self._answer("orders")

    def quotes(self, symbols: Sequence[str]) -> Any:
        return self._answer("quotes")


class Post:
    """One account before one gate: `send` writes the intents down, as the desk does, then asks the gate."""

    def __init__(
        self, folder: Path, journal: Journal, account_id: str, rules: Rules = RULES, *, closing_only: bool = False
    ) -> None:
        self.wire, self.journal, self.account_id = Wire(), journal, account_id
        self.kill = KillSwitch(folder, journal)
        broker: Any = self.wire
        self.gate = PreTradeCheck(account_id, broker, journal, self.kill, rules, closing_only=closing_only)

    def write(self, *orders: Order, cycle_id: str = "c1") -> None:
        """Write the intents of orders that belong to one cycle."""
        if self.journal.cycle(cycle_id, self.account_id) is None:
            self.journal.begin_cycle(CycleStart(self.account_id, cycle_id, "paper", self.wire.time, "t", sha256("r")))
        named = [self.own(o) for o in orders]
        self.journal.record_intents(self.account_id, [_intent(o, cycle_id, self.wire.time) for o in named])

    def own(self, order: Order) -> Order:
        """The order under an id of this account alone: ids are unique in a journal."""
        return order._replace(client_order_id=f"{self.account_id}-{order.client_order_id}")

    def send(self, *orders: Order, cycle_id: str = "c1") -> list[str]:
        """The limit that refused each order, "" for one that left."""
        self.write(*orders, cycle_id=cycle_id)
        return [self.ask(one) for one in orders]

    def ask(self, order: Order) -> str:
        result = self.gate.submit(self.own(order))
        if result.kind == "accepted":
            return ""
        assert result.kind == "not_sent"
        assert result.message
        return result.reason.removeprefix("gate:")

    def book(self, name: str, state: OrderState, filled: str = "0") -> None:
        """Write down what became of an order."""
        known = None if state in (OrderState.NOT_SENT, OrderState.UNKNOWN) else f"broker-{name}"
        known_as = f"{self.account_id}-{name}"
        self.journal.record_order(self.account_id, known_as, self.wire.time, state, D(filled), None, known)


def _intent(order: Order, cycle_id: str, at: datetime) -> Intent:
    body = json.dumps(
        {
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "side": order.side,
            "qty": text_of(order.qty),
            "type": order.type,
            "limit_price": None if order.limit_price is None else text_of(order.limit_price),
            "time_in_force": order.time_in_force,
            "position_intent": order.position_intent,
        }
    )
    return Intent(
        order.client_order_id, cycle_id, order.phase, order.symbol, order.side, order.qty, sha256(body), body, at
    )
