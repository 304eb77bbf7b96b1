"""Positions and what a fill does to them: ledger postings, cost basis, fee and activity rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final
from uuid import UUID

from rebalancer.core.values import ZERO, text_of, time_text
from rebalancer.exchange.calendar import NEW_YORK, crypto_day_end, moment_of
from rebalancer.exchange.crypto_fees import FeeSchedule
from rebalancer.exchange.ledger import USD, Ledger, Posting
from rebalancer.exchange.order import Order
from rebalancer.exchange.running_total import RunningTotal
from rebalancer.exchange.store import Store

_COUNTERPARTS: Final = {"DIV": "corporate", "CIL": "corporate", "INT": "interest", "FEE": "fees"}
SMALLEST: Final = Decimal("0.000000001")


@dataclass(slots=True)
class Position:
    """Signed quantity; `cost` is the absolute cost of what is held, `day_cost` the same valued at the day's start."""

    symbol: str
    qty: Decimal
    cost: Decimal
    day_cost: Decimal


class Books:
    """Cash and positions, always in step with the ledger. Writes happen inside the caller's transaction."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._seed = seed
        self.ledger = Ledger(store)
        self._flows: dict[str, RunningTotal] | None = None
        self.crypto_fees = FeeSchedule(store)
        self.positions = {
            symbol: Position(symbol, self.ledger.balance(f"position:{symbol}", symbol), cost, day_cost)
            for symbol, cost, day_cost in store.bases()
        }

    @property
    def cash(self) -> Decimal:
        """Exact cash in USD; negative when borrowed."""
        return self.ledger.balance("cash")

    def flows(self) -> dict[str, RunningTotal]:
        """Net amounts of all activities that are not trades, by type. Read from the store when first asked for."""
        if self._flows is None:
            self._flows = {}
            for at, kind, amount in self._store.cash_flows():
                self._flows.setdefault(kind, RunningTotal()).add(at, amount)
        return self._flows

    def held(self, symbol: str) -> Decimal:
        """Signed quantity of a symbol, zero when flat."""
        position = self.positions.get(symbol)
        return ZERO if position is None else position.qty

    def fund(self, at: int, amount: Decimal, reference: str = "opening") -> None:
        """Deposit cash, or withdraw a negative amount. References are never used twice."""
        kind, word = ("CSD", "deposit") if amount >= 0 else ("CSW", "withdrawal")
        self.ledger.post(at, word, reference, (Posting("cash", USD, amount), Posting("funding", USD, -amount)))
        self._non_trade(kind, at, reference, net_amount=text_of(amount), description=f"{reference} {word}")

    def charge(
        self, kind: str, sub_type: str, amount: Decimal, at: int, reference: str, words: str, **body: str
    ) -> None:
        """Pay or receive whole cents that are no trade: dividends, interest and fees. Negative amounts are paid."""
        account = _COUNTERPARTS[kind]
        self.ledger.post(at, kind, reference, (Posting("cash", USD, amount), Posting(account, USD, -amount)))
        extra = {"activity_sub_type": sub_type, **body} if sub_type else body
        self._non_trade(kind, at, f"{sub_type} {reference}", net_amount=text_of(amount), description=words, **extra)

    def split(self, symbol: str, change: Decimal, at: int, reference: str, sub_type: str, words: str) -> None:
        """Multiply a position: a signed quantity comes or goes, the cost stays."""
        legs = (Posting(f"position:{symbol}", symbol, change), Posting("corporate", symbol, -change))
        self.ledger.post(at, "SPLIT", reference, legs)
        position = self.positions[symbol]
        position.qty += change
        assert position.qty == self.ledger.balance(f"position:{symbol}", symbol)
        if not position.qty:
            self.positions.pop(symbol)
            self._store.drop_basis(symbol)
        body = {"activity_sub_type": sub_type, "symbol": symbol, "qty": text_of(change), "net_amount": "0"}
        self._non_trade("SPLIT", at, reference, description=words, **body)

    def fill(self, order: Order, qty: Decimal, price: Decimal, at: int, *, complete: bool) -> None:
        """Execute a quantity of an order at a price: order totals, ledger, cost basis, activities."""
        assert qty > 0
        value = qty * price
        sign = 1 if order.side == "buy" else -1
        order.filled_qty += qty
        order.filled_value += value
        order.fills += 1
        symbol = order.symbol
        legs = [
            Posting("cash", USD, -sign * value),
            Posting("trading", USD, sign * value),
            Posting(f"position:{symbol}", symbol, sign * qty),
            Posting("trading", symbol, -sign * qty),
        ]
        change = sign * qty
        if order.is_crypto:
            fee = _fee(order, qty, value, self.crypto_fees.rate(at, maker=order.rested))
            account, commodity = (f"position:{symbol}", symbol) if sign > 0 else ("cash", USD)
            legs += [Posting(account, commodity, -fee), Posting("fees", commodity, fee)]
            change -= fee if sign > 0 else ZERO
            self._crypto_fee(order, at, fee, price)
        self.ledger.post(at, "fill", order.id, legs)
        self._change(symbol, change, price)
        self._fill_activity(order, qty, price, at, complete=complete)

    def revalue_day(self, symbol: str, price: Decimal) -> None:
        """Begin a new day: what is held now counts as bought at the last close."""
        position = self.positions[symbol]
        position.day_cost = abs(position.qty) * price
        self._store.set_basis(symbol, position.cost, position.day_cost)

    def _change(self, symbol: str, change: Decimal, price: Decimal) -> None:
        """Apply a signed quantity to a position's cost: openings add at the price, closings remove in proportion."""
        position = self.positions.get(symbol) or Position(symbol, ZERO, ZERO, ZERO)
        before, after = position.qty, position.qty + change
        assert before * after >= 0, f"one fill may not turn {symbol} from {before} to {after}"
        if abs(after) > abs(before):
            position.cost += abs(change) * price
            position.day_cost += abs(change) * price
        elif after:
            position.cost = position.cost * after / before
            position.day_cost = position.day_cost * after / before
        position.qty = after
        assert after == self.ledger.balance(f"position:{symbol}", symbol)
        if after:
            self.positions[symbol] = position
            self._store.set_basis(symbol, position.cost, position.day_cost)
        else:
            self.positions.pop(symbol, None)
            self._store.drop_basis(symbol)

    def _fill_activity(self, order: Order, qty: Decimal, price: Decimal, at: int, *, complete: bool) -> None:
        identity = self._activity_id(at, "fill", order.id, str(order.fills))
        leaves = ZERO if complete else order.remaining(price).quantize(SMALLEST)
        self._store.add_activity(
            identity,
            "FILL",
            at,
            order.id,
            {
                "id": identity,
                "activity_type": "FILL",
                "type": "fill" if complete else "partial_fill",
                "transaction_time": time_text(moment_of(at)),
                "price": text_of(price),
                "qty": text_of(qty),
                "cum_qty": text_of(order.filled_qty),
                "leaves_qty": text_of(leaves),
                "side": order.side,
                "symbol": order.symbol,
                "order_id": order.id,
                "order_status": "filled" if complete else "partially_filled",
            },
        )

    def _crypto_fee(self, order: Order, at: int, fee: Decimal, price: Decimal) -> None:
        """Fees are taken at once but listed at the end of the UTC day, as at Alpaca."""
        if order.side == "buy":
            extra = {"symbol": order.symbol.replace("/", ""), "qty": text_of(-fee), "price": text_of(price)}
            amount = "0"
        else:
            extra, amount = {"symbol": USD, "qty": text_of(-fee), "price": "1"}, text_of(-fee)
        reference = f"{order.id} {order.fills}"
        self._non_trade("CFEE", crypto_day_end(at), reference, net_amount=amount, description="coin pair fee", **extra)

    def _non_trade(self, kind: str, at: int, reference: str, **body: str) -> None:
        identity = self._activity_id(at, kind, reference)
        date = moment_of(at).astimezone(NEW_YORK).date().isoformat()
        row: dict[str, object] = {
            "id": identity, "activity_type": kind, "date": date, "created_at": time_text(moment_of(at)),
            "currency": USD, "status": "executed", **body,
        }  # fmt: skip
        self._store.add_activity(identity, kind, at, None, row)
        if self._flows is not None:
            self._flows.setdefault(kind, RunningTotal()).add(at, Decimal(body["net_amount"]))

    def _activity_id(self, at: int, *names: str) -> str:
        """New York local time to the millisecond, then a UUID: the form of Alpaca's activity ids."""
        local: datetime = moment_of(at).astimezone(NEW_YORK)
        return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}::{computed_id(self._seed, *names)}"


def computed_id(seed: int, *names: str) -> str:
    """A UUID in version 4 form that is computed from its names, so that equal histories carry equal ids."""
    digest = hashlib.blake2b("|".join((str(seed), *names)).encode(), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))


def _fee(order: Order, qty: Decimal, value: Decimal, rate: Decimal) -> Decimal:
    """The fee in units of what is received: coins for a buy, USD for a sale; rounded up to nine decimals."""
    base = qty if order.side == "buy" else value
    return (base * rate).quantize(SMALLEST, rounding=ROUND_CEILING)
