"""What the journal remembers of the exits kept at the broker: one record per symbol, the newest counts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from rebalancer.core.values import decimal_of, text_of, time_text, utc_of
from rebalancer.journal.records import Event

KIND: Final = "protection"
PAIR_PREFIX: Final = "rp-"  # another prefix than that of a cycle's orders: these rest at the broker between cycles
EARLIER_MAX: Final = 10
TAKEN_DOWN: Final = "taken down for a trade"
TO_TRADE: Final = "about to trade"
CLOCK_ERROR: Final = timedelta(seconds=2)  # the broker tells its time in whole seconds: one at each end of a stretch

ExitPairState = Literal["intended", "unknown", "open", "gone"]


class EndedPair(NamedTuple):
    """A pair that has ended: the broker's ids of its orders, and since when."""

    ids: tuple[str, ...]
    at: datetime


class ExitPairRecord(NamedTuple):
    """The pair of exits of one symbol. `qty` is signed as the position that it protects; USD per share.

    intended: about to be sent, or sent without an answer that we lived to see; unknown: the answer said nothing;
    open: the broker has it; gone: it has ended, or never was. `number` grows from pair to pair (`next_number`),
    `failures` counts the tries in a row that the gate or the broker refused. `sent` is False once it surely never left
    this machine. `bare_since`: since when the position may have no exits, which is the moment before its pair was asked
    to come down or, where it had none, before its first order; None once a pair stands. One that is open all the same
    was asked to come down and has not been seen to end. `day_only`: the broker takes no longer orders in this name.
    """

    symbol: str
    client_order_id: str
    state: ExitPairState
    qty: Decimal
    stop: Decimal
    target: Decimal
    ids: tuple[str, ...]
    number: int
    failures: int
    at: datetime
    intended_at: datetime
    because: str
    earlier: tuple[EndedPair, ...] = ()
    sent: bool = True
    bare_since: datetime | None = None
    day_only: bool = False
    stop_limit: Decimal | None = None

    @property
    def exits(self) -> tuple[Decimal, Decimal, Decimal, Decimal | None]:
        """What makes one pair another one: signed shares, stop, target, and the limit of the stop."""
        return self.qty, self.stop, self.target, self.stop_limit

    @property
    def lives(self) -> bool:
        """Whether the broker may hold it."""
        return self.state != "gone"

    @property
    def stands(self) -> bool:
        """Whether the broker has it, and nobody has asked to take it down."""
        return self.state == "open" and self.bare_since is None


def next_number(before: ExitPairRecord | None, now: datetime) -> int:
    """The number of a symbol's next pair: milliseconds since 1970 by the broker's time, above that of the last. So
    that an older copy of the journal, which does not know the last ones, gives none of their ids again."""
    return max(1 if before is None else before.number + 1, int(now.timestamp() * 1000))


def pair_id(account_id: str, symbol: str, number: int) -> str:
    """The client order id of a symbol's pair, such as `rp-AAPL-1795188905000-3f9a2c1b7d04`: computed, not drawn."""
    digest = hashlib.sha256("\x1f".join((account_id, symbol, str(number))).encode()).hexdigest()[:12]
    return f"{PAIR_PREFIX}{re.sub(r'[^0-9A-Z.]', '', symbol)[:8]}-{number}-{digest}"


def body_of(kept: ExitPairRecord) -> dict[str, object]:
    """The record as it is journalled."""
    return {
        "id": kept.client_order_id,
        "state": kept.state,
        "qty": text_of(kept.qty),
        "stop": text_of(kept.stop),
        "target": text_of(kept.target),
        "ids": list(kept.ids),
        "number": kept.number,
        "failures": kept.failures,
        "intended_at": time_text(kept.intended_at),
        "because": kept.because,
        "sent": kept.sent,
        "bare_since": None if kept.bare_since is None else time_text(kept.bare_since),
        "day_only": kept.day_only,
        "earlier": [{"ids": list(gone.ids), "at": time_text(gone.at)} for gone in kept.earlier],
    } | ({} if kept.stop_limit is None else {"stop_limit": text_of(kept.stop_limit)})


def exit_pair_of(event: Event) -> ExitPairRecord:
    """Read a record back."""
    body: Mapping[str, Any] = event.body
    assert event.key is not None, "a protection record is about one symbol"
    return ExitPairRecord(
        symbol=event.key,
        client_order_id=body["id"],
        state=body["state"],
        qty=decimal_of(body["qty"]),
        stop=decimal_of(body["stop"]),
        target=decimal_of(body["target"]),
        ids=tuple(body["ids"]),
        number=body["number"],
        failures=body["failures"],
        at=event.at,
        intended_at=utc_of(body["intended_at"]),
        because=body["because"],
        sent=body.get("sent", True),
        bare_since=None if body.get("bare_since") is None else utc_of(body["bare_since"]),
        day_only=body.get("day_only", False),
        stop_limit=None if body.get("stop_limit") is None else decimal_of(body["stop_limit"]),
        earlier=tuple(EndedPair(tuple(gone["ids"]), utc_of(gone["at"])) for gone in body["earlier"]),
    )
