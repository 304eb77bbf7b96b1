"""Say what can trade while stocks do not: coins trade around the clock, if the rules want it.

Outside the stock session, and in the last moments before its close, stocks count as names that cannot be traded: what
is held of them stays as it is and takes its room under every cap; signals about them are turned away with that reason.
"""

from __future__ import annotations

from datetime import timedelta

from rebalancer.core.facts import Snapshot
from rebalancer.core.rules import Rules


def within_trading_hours(snapshot: Snapshot, rules: Rules) -> Snapshot:
    """The snapshot as it is to be planned now: unchanged while stocks trade, or when coins are not traded by night."""
    if stocks_trade(snapshot, rules) or not crypto_trades(snapshot, rules):
        return snapshot
    dark = (i if i.asset_class == "crypto" else i._replace(tradable=False) for i in snapshot.instruments)
    return snapshot._replace(instruments=tuple(dark))


def stocks_trade(snapshot: Snapshot, rules: Rules) -> bool:
    """Whether the stock session is open, by the broker's word, and not about to close."""
    session, now = snapshot.session, snapshot.as_of
    is_open = session.is_open and session.open <= now < session.close
    return is_open and session.close - now >= timedelta(seconds=rules.execution.close_buffer_seconds)


def crypto_trades(snapshot: Snapshot, rules: Rules) -> bool:
    """Whether the rules let coins trade around the clock and there are any to speak of."""
    return rules.session.crypto_around_the_clock and any(i.asset_class == "crypto" for i in snapshot.instruments)
