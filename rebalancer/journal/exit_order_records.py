"""The journal's records of exit orders resting at the broker: the newest record of each symbol counts."""

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
PAIR_PREFIX: Final = "rp-"  # differs from the prefix of a cycle's orders: these rest at the broker between cycles
EARLIER_MAX: Final = 10
TAKEN_DOWN: Final = "taken down for a trade"
TO_TRADE: Final = "about to trade"
CLOCK_ERROR: Final = timedelta(seconds=2)  # the broker's time is in whole seconds: one second per end of an interval

ExitPairState = Literal["intended", "unknown", "open", "gone"]


class EndedPair(NamedTuple):
    """A pair that has ended: the broker's ids of its orders, and when."""

    ids: tuple[str, ...]
    at: datetime


class ExitPairRecord(NamedTuple):
    """The pair of exits of one symbol. `qty` has the sign of the position that it protects; prices USD per share.

    intended: about to be sent, or sent just before the process died; unknown: sent with an inconclusive result;
    open: the broker has it; gone: it has ended, or never existed. `number` grows from pair to pair (`next_number`),
    `failures` counts consecutive attempts that the pre-trade check or the broker refused. `sent` is False once the pair
    is known never to have left this machine. `bare_since`: since when the position may have had no exits, which is just
    before the cancellation of its pair was requested or, if it had none, just before its first order; None once a pair
    is in place. If it is set while the pair is open, cancellation was requested and is not confirmed yet. `day_only`:
    the broker accepts only day orders in this symbol. `to_trade`: the symbol was about to trade without a pair, so
    there may not have been a position yet.
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
    to_trade: bool = False

    @property
    def exits(self) -> tuple[Decimal, Decimal, Decimal, Decimal | None]:
        """The terms that distinguish pairs: signed shares, stop, target, and the limit price of the stop."""
        return self.qty, self.stop, self.target, self.stop_limit

    @property
    def lives(self) -> bool:
        """Whether the broker may have it."""
        return self.state != "gone"

    @property
    def stands(self) -> bool:
        """Whether the broker has it, and its cancellation has not been requested."""
        return self.state == "open" and self.bare_since is None


def next_number(before: ExitPairRecord | None, now: datetime) -> int:
    """The number of a symbol's next pair: milliseconds since 1970 by the broker's time, but at least the last number
    plus one. So a restored older journal, which lacks the latest pairs, does not reuse their ids."""
    return max(1 if before is None else before.number + 1, int(now.timestamp() * 1000))


def pair_id(account_id: str, symbol: str, number: int) -> str:
    """The client order id of a symbol's pair, such as `rp-AAPL-1795188905000-3f9a2c1b7d04`: deterministic."""
    digest = hashlib.sha256("\x1f".join((account_id, symbol, str(number))).encode()).hexdigest()[:12]
    return f"{PAIR_PREFIX}{re.sub(r'[^0-9A-Z.]', '', symbol)[:8]}-{number}-{digest}"


def body_of(kept: ExitPairRecord) -> dict[str, object]:
    """The record as the body of its journal event."""
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
        **({} if kept.stop_limit is None else {"stop_limit": text_of(kept.stop_limit)}),
        **({"to_trade": True} if kept.to_trade else {}),
    }


def exit_pair_of(event: Event) -> ExitPairRecord:
    """The record stored in an event."""
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
        to_trade=body.get("to_trade", body["because"] == TO_TRADE),  # older journals have the words only
        earlier=tuple(EndedPair(tuple(gone["ids"]), utc_of(gone["at"])) for gone in body["earlier"]),
    )
