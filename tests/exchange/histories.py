"""Long random histories of an exchange: every kind of order and event, and the laws of the books on the way."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

from rebalancer.core.values import ZERO
from rebalancer.exchange import locates, margin_watch, orders, positions
from rebalancer.exchange.borrow_plan import BorrowChange
from rebalancer.exchange.borrowing import schedule_borrowing
from rebalancer.exchange.calendar import MICROS, new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.history import portfolio_history, values
from rebalancer.exchange.margin import AccountNumbers, Pending, margin_rate
from rebalancer.exchange.market.halts import Halt
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.order import reservations
from rebalancer.exchange.replacement import replace_order
from rebalancer.exchange.starter import open_exchange

SYMBOLS = ("AAPL", "KO", "NVR", "AMC", "XOM", "BTC/USD", "ETH/USD")
CENT = Decimal("0.01")
EVENTS = (  # name, weight
    ("order", 46), ("advance", 30), ("replace", 6), ("cancel", 6), ("close", 5), ("cancel all", 1), ("close all", 1),
    ("fund", 1), ("locate", 1), ("corporate action", 1), ("halt", 1), ("night", 1), ("withdraw", 1),
    ("borrowing", 1), ("release", 1),
)  # fmt: skip


class History:
    """One exchange and one stream of random choices; `happened` counts events, refusals and closed orders."""

    def __init__(self, state: Path, seed: int, multiplier: int) -> None:
        self.options = ExchangeOptions(
            state,
            seed=seed,
            speed=0,
            multiplier=multiplier,
            partial_fill_probability=0.4,
            holdings="starter",
            charges=True,
        )
        self.random, self.happened = Random(seed), Counter[str]()
        self.exchange = open_exchange(self.options)

    def run(self, events: int, check_every: int) -> None:
        """Let so many events happen; now and then restart and check the laws."""
        names, weights = zip(*EVENTS, strict=True)
        for number, name in enumerate(self.random.choices(names, weights, k=events), start=1):
            self.happened[name] += 1
            try:
                getattr(self, "_" + name.replace(" ", "_"))()
            except ApiError as refusal:
                self.happened[f"refused {refusal.status}"] += 1
            if number % 10 == 0:
                check_reservations(self.exchange)
            if number % check_every == 0:
                self.restart()
                check_laws(self.exchange)

    def restart(self) -> None:
        """Close and open again: the state is the same."""
        before = fingerprint(self.exchange)
        self.exchange.close()
        self.exchange = open_exchange(self.options)
        assert fingerprint(self.exchange) == before

    # --- events ------------------------------------------------------------------------------------------------------

    def _order(self) -> None:
        body = self._body()
        before = self._numbers()
        order = self.exchange.submit(body)
        after = self._numbers()
        power = before.non_marginable_buying_power if order["asset_class"] == "crypto" else before.buying_power
        assert 0 <= after.reserved - before.reserved <= power, (body, before, after)
        self.happened[f"accepted {order['type']} {order['order_class']} {order['time_in_force']}"] += 1

    def _body(self) -> dict[str, object]:
        choose = self.random.choice
        symbol, side = choose(SYMBOLS), choose(("buy", "buy", "sell"))
        crypto = "/" in symbol
        held = abs(self.exchange.books.held(symbol))
        kinds = (
            ("market", "limit", "stop_limit") if crypto else ("market", "limit", "stop", "stop_limit", "trailing_stop")
        )
        body: dict[str, object] = {"symbol": symbol, "side": side, "type": choose(kinds)}
        forces = ("gtc", "ioc") if crypto else ("day", "day", "gtc", "gtc", "ioc", "fok", "opg", "cls")
        body["time_in_force"] = choose(forces)
        size = choose(("1", "7", "40", "0.37", "$25", "$900.55", "300", str(held or 3)))
        if crypto and size in ("40", "300"):
            size = "0.05"
        body |= {"notional": size[1:]} if size.startswith("$") else {"qty": size}
        last = self.exchange.market.last(symbol, self.exchange.clock.micros())
        near = self._near
        if body["type"] in ("limit", "stop_limit"):
            body["limit_price"] = near(last, 60)
        if body["type"] in ("stop", "stop_limit"):
            body["stop_price"] = near(last, 60)
        if body["type"] == "trailing_stop":
            body["trail_percent"] = choose(("0.2", "1", "5"))
        if not crypto and self.random.random() < 0.25:
            sign = 1 if side == "buy" else -1
            far = Decimal(choose(("1.004", "1.03")))
            up, down = (last * far).quantize(CENT), (last / far).quantize(CENT)
            exits = {"take_profit": up if sign > 0 else down, "stop_loss": down if sign > 0 else up}
            profit, loss = {"limit_price": str(exits["take_profit"])}, {"stop_price": str(exits["stop_loss"])}
            order_class = choose(("bracket", "oco", "oto"))
            if order_class == "oco":
                profit, loss = {"limit_price": loss["stop_price"]}, {"stop_price": profit["limit_price"]}
                body = {key: body[key] for key in body if "price" not in key and "trail" not in key}
                body |= {"type": "limit", "side": "sell" if self.exchange.books.held(symbol) > 0 else "buy"}
            body.pop("notional", None)
            body |= {"order_class": order_class, "take_profit": profit, "stop_loss": loss, "qty": choose(("1", "12"))}
            body["time_in_force"] = choose(("day", "gtc"))
            if order_class == "oto":
                body.pop("take_profit")
        elif body["type"] == "limit" and self.random.random() < 0.2:
            body["extended_hours"] = True
        return body

    def _near(self, price: Decimal, width: int) -> str:
        return str((price * (1 + Decimal(self.random.randint(-width, width)) / 5000)).quantize(CENT))

    def _advance(self) -> None:
        self.exchange.clock.advance(self.random.choice((0.01, 0.03, 0.05, 1.0, 20.0, 300.0)))
        self.exchange.catch_up()

    def _night(self) -> None:
        self.exchange.clock.advance(self.random.choice((3_600.0, 20_000.0)))
        self.exchange.catch_up()

    def _any_open(self) -> str | None:
        return self.random.choice(list(self.exchange.orders)) if self.exchange.orders else None

    def _replace(self) -> None:
        identity = self._any_open()
        if identity is None:
            return
        order = self.exchange.orders[identity]
        last = self.exchange.market.last(order.symbol, self.exchange.clock.micros())
        changes: dict[str, object] = {}
        if order.limit_price is not None:
            changes["limit_price"] = self._near(last, 60)
        elif order.type == "stop":
            changes["stop_price"] = self._near(last, 60)
        elif order.type == "trailing_stop":
            changes["trail"] = self.random.choice(("0.3", "2"))
        if self.random.random() < 0.4:
            changes["qty"] = self.random.choice((2, 9, 50))
        replace_order(self.exchange, identity, changes)

    def _cancel(self) -> None:
        identity = self._any_open()
        if identity is not None:
            orders.cancel_order(self.exchange, identity)

    def _cancel_all(self) -> None:
        orders.cancel_all(self.exchange)

    def _close(self) -> None:
        symbol = self.random.choice(SYMBOLS).replace("/", "")
        positions.close_position(self.exchange, symbol, self.random.choice(({}, {"percentage": "40"})))

    def _close_all(self) -> None:
        positions.close_all(self.exchange, {"cancel_orders": self.random.choice(("true", "false"))})

    def _fund(self) -> None:
        amount = Decimal(self.random.randint(1, 100_000)) / 100
        if self._numbers().equity < 50_000:  # somebody helps, so that the history goes on
            amount += 60_000
        with self.exchange.request() as at:
            self.exchange.books.fund(at, amount, f"gift {self.happened['fund']}")

    def _withdraw(self) -> None:
        cash = self._numbers().cash
        if cash > 0:
            amount = (cash * self.random.randint(1, 60) / 100).quantize(CENT)
            with self.exchange.request() as at:
                self.exchange.books.fund(at, -amount, f"taken {self.happened['withdraw']}")

    def _release(self) -> None:
        if self.exchange.watch.reason:
            self.happened[f"released {self.exchange.watch.reason}"] += 1
            margin_watch.release(self.exchange)

    def _borrowing(self) -> None:
        day = new_york_day(self.exchange.clock.micros()) + self.random.randint(0, 2)
        change = BorrowChange(day, self.random.choice(SYMBOLS[:5]), self.random.random() < 0.6)
        try:
            schedule_borrowing(self.exchange, change)
        except ValueError:
            self.happened["no such day"] += 1

    def _locate(self) -> None:
        locates.locate(self.exchange, {"symbol": "AMC", "qty": 100})

    def _corporate_action(self) -> None:
        symbol = self.random.choice(SYMBOLS[:5])
        day = date.fromordinal(new_york_day(self.exchange.clock.micros()) + self.random.randint(0, 4))
        try:
            if self.random.random() < 0.5:
                announce_dividend(self.exchange, symbol, day, day, Decimal(self.random.randint(1, 50)) / 100)
            else:
                announce_split(self.exchange, symbol, day, *self.random.choice(((2, 1), (1, 2), (3, 2), (2, 3))))
        except ValueError:
            self.happened["no such day"] += 1

    def _halt(self) -> None:
        now = self.exchange.clock.micros()
        start = now + self.random.choice((0, 60, 3600)) * MICROS
        self.exchange.schedule_halt(Halt(self.random.choice(SYMBOLS), start, start + 300 * MICROS))

    def _numbers(self) -> AccountNumbers:
        with self.exchange.reading() as at:
            return self.exchange.numbers(at)


def check_laws(exchange: Exchange) -> None:
    """The ledger balances; activities explain cash and positions; nothing is held twice; power is not negative; what is
    kept in memory is what the file says."""
    exchange.books.ledger.audit()
    check_memory(exchange)
    cash, held = Decimal(0), defaultdict[str, Decimal](Decimal)
    for row in activities(exchange):
        quantity = Decimal(str(row.get("qty", "0")))
        if row["activity_type"] == "FILL":
            quantity = quantity if row["side"] == "buy" else -quantity
            cash -= quantity * Decimal(str(row["price"]))
            held[str(row["symbol"]).replace("/", "")] += quantity
            continue
        cash += Decimal(str(row["net_amount"]))
        if row["activity_type"] in ("CFEE", "SPLIT") and row["symbol"] != "USD":
            held[str(row["symbol"])] += quantity
    assert cash == exchange.books.cash
    found = {symbol.replace("/", ""): position.qty for symbol, position in exchange.books.positions.items()}
    assert {symbol: qty for symbol, qty in held.items() if qty} == found
    account = exchange.account()
    for name in ("buying_power", "regt_buying_power", "non_marginable_buying_power"):
        assert Decimal(str(account[name])) >= 0, account
    for row in positions.list_positions(exchange):
        assert 0 <= Decimal(str(row["qty_available"])) / Decimal(str(row["qty"])) <= 1, row
    for order in exchange.orders.values():
        assert order.qty is None or 0 <= order.filled_qty < order.qty, order
        parent = exchange.store.order("id", order.parent) if order.parent else None
        assert order.status != "held" or (parent is not None and parent.is_open), order


def check_memory(exchange: Exchange) -> None:
    """Totals over time equal sums of the stored rows, and the text of the orders is that of the objects."""
    check_reservations(exchange)
    with exchange.reading() as at:
        moments = [at - hours * 3600 * MICROS for hours in (200, 30, 24, 5, 1, 0)]
        worth = []
        for moment in moments:
            held = defaultdict[tuple[str, str], Decimal](Decimal)
            for when, account, commodity, amount in exchange.store.movements():
                held[(account, commodity)] += amount if when <= moment else Decimal(0)
            prices = {name: exchange.market.last(name, moment) for _, name in held if name != "USD"}
            worth.append(sum(amount * prices.get(name, Decimal(1)) for (_, name), amount in held.items()))
        assert values(exchange, moments) == worth
        assert worth[-1] == exchange.numbers(at).equity
        for kind, flow in exchange.books.flows().items():
            rows = [amount for when, name, amount in exchange.store.cash_flows() if name == kind and when <= at]
            assert (flow.total(at), flow.count(at)) == (sum(rows, Decimal(0)), len(rows))
    for query in ({"status": "all", "limit": "200"}, {"status": "open"}, {"status": "all", "nested": "true"}):
        assert json.loads(orders.orders_text(exchange, query)) == orders.list_orders(exchange, query)


def check_reservations(exchange: Exchange) -> None:
    """What open orders hold back is what adding them all up gives, also without any one of them."""
    with exchange.reading():
        for without in ("", *(name for order in exchange.orders.values() for name in (order.id, order.pool))):
            rows = [o for o in exchange.orders.values() if not without or without not in (o.pool, o.id)]
            counted = [(o.reserved(), o.symbol, o.reserve_price) for o in reservations(rows)]
            needed = {
                multiplier: sum((value * margin_rate(name, price, multiplier) for value, name, price in counted), ZERO)
                for multiplier in (1, 2, 4)
            }
            expected = Pending(sum((value for value, _, _ in counted), ZERO), needed)
            assert exchange.reserved.pending(without) == expected


def activities(exchange: Exchange) -> Iterator[dict[str, object]]:
    """All activities, also those that are listed later, oldest first."""
    yield from exchange.store.activities(
        kinds=set(), order_id=None, after=None, until=2**62, ascending=True, beyond=None, limit=10**9
    )


def fingerprint(exchange: Exchange) -> tuple[object, ...]:
    """What a client can see, and the books."""
    listed = orders.list_orders(exchange, {"status": "all", "limit": "200", "nested": "true"})
    shown = (
        exchange.account(),
        positions.list_positions(exchange),
        listed,
        orders.list_orders(exchange, {"limit": "500"}),
        portfolio_history(exchange, {"cashflow_types": "ALL"}),
        portfolio_history(exchange, {"period": "5D", "timeframe": "15Min", "pnl_reset": "per_day"}),
    )
    return (
        *shown,
        exchange.books.ledger.balances(),
        exchange.market.adjustments,
        exchange.store.halts(),
        exchange.watch,
        exchange.borrowing.changes,
    )
