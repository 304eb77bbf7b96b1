"""Order attempts: the pre-trade check's own reading of the journal's order rows, across restarts and processes.

Every intent counts as an attempt. Intents are committed before their POST, so counting them needs no second row (and no
second sync); only an intent that ended as NOT_SENT directly afterwards is certain not to have left, and is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO, Side, decimal_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import Event

SILENT: Final = frozenset({OrderState.NOT_SENT, OrderState.WITHHELD})


class Attempt(NamedTuple):
    """One intent and its latest state in the journal. `body` is what is to be sent; `left` is False once it is certain
    that it never left this machine."""

    seq: int
    client_order_id: str
    cycle_id: str
    symbol: str
    side: Side
    qty: Decimal
    body: Mapping[str, Any]
    at: datetime
    state: OrderState = OrderState.INTENDED
    filled: Decimal = ZERO
    left: bool = True

    @property
    def signed_filled(self) -> Decimal:
        """Shares that it has traded, signed."""
        return self.filled if self.side == "buy" else -self.filled

    @property
    def limit_price(self) -> Decimal | None:
        """Its limit, USD; None when it has none."""
        said = self.body.get("limit_price")
        return None if said is None else decimal_of(str(said))

    @property
    def may_fill(self) -> Decimal:
        """Shares that it may still trade, unsigned."""
        return ZERO if self.state.is_final else max(self.qty - self.filled, ZERO)


def read_attempts(journal: Journal, account_id: str, since: datetime) -> dict[str, Attempt]:
    """Every attempt since a moment, by client order id, in the order of their intents."""
    found = {event.key or "": _intended(event) for event in journal.recall(account_id, "order_intended", since=since)}
    changes: list[Event] = []
    for kind in ("order_changed", "order_reopened", "order_ended"):
        changes += journal.recall(account_id, kind, since=since)
    for event in sorted(changes, key=lambda e: e.seq):
        before = found.get(event.key or "")
        if before is None:
            continue  # from an earlier day: if it still works it counts among the open orders
        state = OrderState(event.body["state"])
        found[before.client_order_id] = before._replace(
            state=state,
            filled=decimal_of(event.body["filled_qty"]),
            left=not (before.state is OrderState.INTENDED and state in SILENT),
        )
    return found


def counted(attempts: Sequence[Attempt], since: datetime) -> list[Attempt]:
    """The attempts since a moment that left, or may have left, this machine."""
    return [one for one in attempts if one.left and one.at >= since]


def _intended(event: Event) -> Attempt:
    body = event.body
    return Attempt(
        event.seq,
        event.key or "",
        event.cycle_id or "",
        body["symbol"],
        body["side"],
        decimal_of(body["qty"]),
        json.loads(body["body"]),
        event.at,
    )
