"""Orders and fills in the store, from the journal's order events.

The journal has the broker's cumulative quantity and average price; a fill here is the difference between two reports of
one order, so it can stand for several executions at the broker. Its price is exact for the first report, and rounded
half-even to six decimals (USD per share) from then on.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from sqlite3 import Connection
from typing import Final

from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO, decimal_of, text_of
from rebalancer.journal.chain import stamp
from rebalancer.journal.records import Event
from rebalancer.signals.receipts.final_outcome import OrderFilled

_MICRO: Final = Decimal("0.000001")


def note(connection: Connection, event: Event) -> None:
    """Record what one order event says. Repeating it changes nothing."""
    body, moment = event.body, stamp(event.at)
    if event.kind == "order_intended":
        connection.execute(
            "INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, '0', NULL, NULL, ?, ?)",
            (
                event.key, event.cycle_id or "", body["symbol"], body["phase"], body["side"], body["qty"],
                OrderState.INTENDED, moment, moment,
            ),
        )  # fmt: skip
        return
    known = connection.execute(
        "SELECT filled_qty, filled_avg_price FROM orders WHERE client_order_id = ?", (event.key,)
    ).fetchone()
    if known is None:  # its intent is older than what is kept
        return
    filled, price = decimal_of(body["filled_qty"]), _price(body["filled_avg_price"])
    before, more = decimal_of(known[0]), filled - decimal_of(known[0])
    if more > ZERO:
        connection.execute(
            "INSERT OR IGNORE INTO fills VALUES (?, ?, ?, ?, ?)",
            (event.key, event.seq, moment, text_of(more), _text(_of_rest(before, _price(known[1]), filled, price))),
        )
    if more >= ZERO:  # else an event that was read before, in a journal that is read again
        connection.execute(
            "UPDATE orders SET state = ?, filled_qty = ?, filled_avg_price = ?, broker_id = ?, at = ? "
            "WHERE client_order_id = ?",
            (body["state"], text_of(filled), _text(price), body["broker_id"], moment, event.key),
        )


def by_symbol(connection: Connection, cycle_id: str) -> dict[str, list[str]]:
    """The orders of a cycle by symbol."""
    found: dict[str, list[str]] = {}
    for symbol, name in connection.execute(
        "SELECT symbol, client_order_id FROM orders WHERE cycle_id = ? ORDER BY client_order_id", (cycle_id,)
    ):
        found.setdefault(symbol, []).append(name)
    return found


def of_receipt(connection: Connection, n: int, cycle_id: str) -> list[OrderFilled]:
    """The orders that one cycle sent for a receipt."""
    found = connection.execute(
        "SELECT state, qty, filled_qty FROM receipt_orders JOIN orders USING (client_order_id) "
        "WHERE receipt = ? AND cycle_id = ?",
        (n, cycle_id),
    )
    return [OrderFilled(OrderState(state), decimal_of(qty), decimal_of(filled)) for state, qty, filled in found]


def _of_rest(before: Decimal, price_before: Decimal | None, filled: Decimal, price: Decimal | None) -> Decimal | None:
    """The average price of what was filled beyond `before`, USD per share."""
    if before == ZERO or price is None or price_before is None:
        return price
    rest = (filled * price - before * price_before) / (filled - before)
    return rest.quantize(_MICRO, rounding=ROUND_HALF_EVEN)


def _price(text: str | None) -> Decimal | None:
    return None if text is None else decimal_of(text)


def _text(price: Decimal | None) -> str | None:
    return None if price is None else text_of(price)
