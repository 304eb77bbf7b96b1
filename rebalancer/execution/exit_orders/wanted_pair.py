"""The exit pair that an exit level calls for, and whether a recorded pair matches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from rebalancer.brokers.protocol import ExitPair
from rebalancer.core.facts import OpenOrder
from rebalancer.core.values import ZERO, Side, shares_toward_zero
from rebalancer.journal.exit_order_records import ExitPairRecord, next_number, pair_id
from rebalancer.planning.exit_levels import ExitLevel

ONE_SHARE: Final = Decimal(1)


def lives(kept: ExitPairRecord | None) -> bool:
    """Whether the broker may hold a pair."""
    return kept is not None and kept.lives


def pair_wanted(level: ExitLevel) -> ExitLevel:
    """The exit level reduced to whole shares."""
    return level._replace(qty=shares_toward_zero(level.qty, ONE_SHARE))


def intended(account_id: str, level: ExitLevel, before: ExitPairRecord | None, now: datetime) -> ExitPairRecord:
    """The record of a pair that is about to be sent for an exit level; `before` is the symbol's last record."""
    number = next_number(before, now)
    name = pair_id(account_id, level.symbol, number)
    kept = ExitPairRecord(
        level.symbol, name, "intended", level.qty, level.stop, level.target, (), number, 0, now, now, ""
    )
    kept = kept._replace(stop_limit=level.stop_limit)
    if before is None:
        return kept._replace(bare_since=now)
    return kept._replace(
        failures=before.failures,
        earlier=before.earlier,
        bare_since=before.bare_since or now,
        day_only=before.day_only,
    )


def pair_of(kept: ExitPairRecord) -> ExitPair:
    """The pair that is sent for a record."""
    side: Side = "sell" if kept.qty > 0 else "buy"
    return ExitPair(
        kept.client_order_id, kept.symbol, side, abs(kept.qty), kept.stop, kept.target, kept.day_only, kept.stop_limit
    )


def exits_of(level: ExitLevel) -> tuple[Decimal, Decimal, Decimal, Decimal | None]:
    """The same as `ExitPairRecord.exits`, for the wanted exit level."""
    return level.qty, level.stop, level.target, level.stop_limit


def fits(kept: ExitPairRecord, wanted: ExitLevel | None) -> bool:
    """Whether the pair at the broker is the wanted one. A pair in doubt is left alone until the broker reports on it. A
    pair whose cancel was requested is replaced by a new one."""
    if kept.state in ("intended", "unknown"):
        return True
    return wanted is not None and kept.exits == exits_of(wanted) and kept.stands


def unfit(
    kept: Mapping[str, ExitPairRecord], wanted: Mapping[str, ExitLevel], why_no_pairs: Callable[[], str | None]
) -> set[str]:
    """The symbols whose pair has to come down. why_no_pairs: why no pair may be sent now, None when pairs may be sent;
    while none may, a pair that still protects its position stays."""
    wrong = {s for s, one in kept.items() if one.lives and not fits(one, wanted.get(s))}
    if wrong and why_no_pairs() is not None:
        wrong = {s for s in wrong if not may_stay(kept[s], wanted.get(s))}
    return wrong


def may_stay(kept: ExitPairRecord, wanted: ExitLevel | None) -> bool:
    """Whether a pair that is not the wanted one still protects the position, and may stay while it cannot be replaced:
    it closes no more than is held."""
    return wanted is not None and kept.qty * wanted.qty > 0 and abs(kept.qty) <= abs(wanted.qty)


def doubtful(kept: ExitPairRecord) -> OpenOrder:
    """A pair that the broker has not confirmed, as an order in an unknown state."""
    side: Side = "sell" if kept.qty > 0 else "buy"
    return OpenOrder(kept.client_order_id, kept.symbol, side, abs(kept.qty), ZERO, "limit", True, None, True)
