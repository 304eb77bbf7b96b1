"""Determine what can trade outside the stock session: crypto trades around the clock, if the rules say so.

Outside the stock session, and shortly before its close (`close_buffer_seconds`), stocks count as not tradable: stock
positions stay unchanged and use headroom under every cap, and signals about stocks are rejected for that reason.
"""

from __future__ import annotations

from datetime import timedelta

from rebalancer.core.facts import Snapshot
from rebalancer.core.rules import Rules


def within_trading_hours(snapshot: Snapshot, rules: Rules) -> Snapshot:
    """The snapshot with stocks marked as not tradable if only crypto can trade now; otherwise unchanged."""
    if stocks_trade(snapshot, rules) or not crypto_trades(snapshot, rules):
        return snapshot
    dark = (i if i.asset_class == "crypto" else i._replace(tradable=False) for i in snapshot.instruments)
    return snapshot._replace(instruments=tuple(dark))


def stocks_trade(snapshot: Snapshot, rules: Rules) -> bool:
    """Whether the stock session is open according to the broker, and not about to close."""
    session, now = snapshot.session, snapshot.as_of
    is_open = session.is_open and session.open <= now < session.close
    return is_open and session.close - now >= timedelta(seconds=rules.execution.close_buffer_seconds)


def crypto_trades(snapshot: Snapshot, rules: Rules) -> bool:
    """Whether the rules let crypto trade around the clock and the snapshot contains any."""
    return rules.session.crypto_around_the_clock and any(i.asset_class == "crypto" for i in snapshot.instruments)
