"""Digests of whole price paths: what nobody who recorded a run may see changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from rebalancer.exchange.calendar import SessionTable
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.paths import CRYPTO_NODES
from rebalancer.exchange.market.prices import Market, steps_of

TOGETHER = 64  # calendar days computed at once; the digest does not depend on it


def daily_digest(market: Market, listing: Listing) -> str:
    """SHA-256 of the opens, closes, deviations and volumes of all sessions."""
    return _digest(market.daily(listing))


def nodes_digest(market: Market, listing: Listing, every: int) -> str:
    """SHA-256 of bid, ask, trade and volume at every node of every so manieth session, by the sessions' length."""
    found = hashlib.sha256()
    together = max(TOGETHER // every, 1)  # the draws between two days are made too
    for steps, days in _groups(market, listing, every):
        for first in range(0, len(days), together):
            path = market.paths(listing, days[first : first + together], steps)
            for row in range(path.trade.shape[0]):
                found.update(_digest(column[row] for column in path).encode())
    return found.hexdigest()


def _groups(market: Market, listing: Listing, every: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    if listing.is_crypto:
        yield CRYPTO_NODES, tuple(market.daily(listing).days[::every].tolist())
        return
    table: SessionTable = market.sessions
    lengths: dict[int, list[int]] = {}
    for session in table.sessions[::every]:
        lengths.setdefault(steps_of(session), []).append(session.day)
    for steps in sorted(lengths):
        yield steps, tuple(lengths[steps])


def _digest(columns: Iterator[np.ndarray] | tuple[np.ndarray, ...]) -> str:
    found = hashlib.sha256()
    for column in columns:
        found.update(np.ascontiguousarray(column).tobytes())
    return found.hexdigest()
