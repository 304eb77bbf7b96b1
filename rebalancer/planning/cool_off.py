"""Find the symbols in which nothing may be opened because a stop closed them recently: `protection.cool_off`.

    session    until the next session; crypto, which has no sessions, for 24 hours
    none       no cool-off: any signal newer than the stop may reopen
    minutes    for that many minutes

A newer signal does not lift it, unless `protection.cool_off_lifted_by_newer_signal` is set. Reaching a target or using
the kill command starts no cool-off. If a snapshot does not distinguish stops from targets (no `stop_exits`), every exit
except by kill counts as a stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from rebalancer.core.facts import Signal, Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.venue_rules import AssetClass
from rebalancer.planning.entry_restrictions import EntryRestriction

COIN_SESSION: Final = timedelta(hours=24)


def cool_off(
    snapshot: Snapshot, signals: Mapping[str, tuple[Signal, ...]], rules: Rules
) -> Mapping[str, EntryRestriction]:
    """The entry restriction of every symbol in its cool-off period. signals: the valid ones by symbol."""
    classes: dict[str, AssetClass] = {i.symbol: i.asset_class for i in snapshot.instruments}
    stops = snapshot.stop_exits
    if stops is None:
        stops = {s: at for s, at in snapshot.stopped_out.items() if s not in snapshot.closed_by_kill}
    found: dict[str, EntryRestriction] = {}
    for symbol, at in sorted(stops.items()):
        newer = any(signal.issued_at > at for signal in signals.get(symbol, ()))
        if newer and rules.protection.cool_off_lifted_by_newer_signal:
            continue
        why = _still(at, classes.get(symbol, "us_equity"), snapshot, rules)
        if why is not None:
            found[symbol] = EntryRestriction(Outcome.DENIED_COOL_OFF, why)
    return found


def _still(at: datetime, kind: AssetClass, snapshot: Snapshot, rules: Rules) -> Reasons | None:
    """The cool-off of a stop at this time, with its end; None when there is none or it has ended."""
    length = rules.protection.cool_off
    if length == "none":
        return None
    if length == "session" and kind != "crypto":
        return because(ReasonCode.COOLS_OFF_SESSION, at=at) if at >= snapshot.session.open else None
    end = at + (COIN_SESSION if length == "session" else timedelta(minutes=length))
    return because(ReasonCode.COOLS_OFF_UNTIL, at=at, until=end) if snapshot.as_of < end else None
