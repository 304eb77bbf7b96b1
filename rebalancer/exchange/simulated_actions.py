"""A year's dividends and splits of the simulated names, computed from the market's seed.

How much a payer pays a year follows its sector, in four dividends of whole cents, in a month of its own. Now and then a
dear name splits, and a very cheap one splits in reverse. All of it is a function of (seed, symbol, year): two exchanges
with one seed have one schedule.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from rebalancer.core.values import CENT
from rebalancer.exchange.calendar import SessionTable
from rebalancer.exchange.corporate import action_id
from rebalancer.exchange.corporate_actions import CorporateAction
from rebalancer.exchange.faults.engine import chance
from rebalancer.exchange.market.listing import Listing

_YIELDS: Final = {  # of the listed level, a year
    "Technology": "0.007", "Communication": "0.008", "Retail": "0.015", "Staples": "0.026", "Health Care": "0.022",
    "Finance": "0.023", "Energy": "0.036", "Industry": "0.018", "Materials": "0.017", "Utilities": "0.035",
    "Real Estate": "0.034", "Index Fund": "0.012", "World Fund": "0.027", "Bond Fund": "0.038",
}  # fmt: skip
_PAYS_SHARE: Final = 0.75  # of the names; the others never pay
_DEAR: Final = 200.0  # USD; from here on names split
_CHEAP: Final = 5.0  # USD; below, names split in reverse
_SPLIT_CHANCE: Final = 0.12  # a year
_DECLARED_DAYS: Final = 28  # before the ex-date
_PAID_DAYS: Final = 14  # after it


def simulated_actions(
    seed: int, listings: list[Listing], sessions: SessionTable, after: int, until: int
) -> Iterator[CorporateAction]:
    """All actions with an ex-date in (after, until], day ordinals; names in the order given, each oldest first."""
    years = range(date.fromordinal(after).year, date.fromordinal(until).year + 1)
    for listing in listings:
        if listing.is_crypto or not listing.tradable:
            continue
        ratio = Decimal(1)  # shares that one share has become since the first year
        for year in years:
            for action in sorted(_of_year(seed, listing, sessions, year), key=lambda one: one.ex_day):
                if not after < action.ex_day <= until:
                    continue
                if action.kind == "split":
                    ratio = ratio * action.new / action.old
                elif (rate := (action.rate / ratio).quantize(CENT, rounding=ROUND_HALF_EVEN)) >= CENT:
                    action = action._replace(rate=rate)
                else:
                    continue
                yield action


def _of_year(seed: int, listing: Listing, sessions: SessionTable, year: int) -> Iterator[CorporateAction]:
    """One name's actions of a year, dividends in the shares of the listed level. No two have the same day."""
    symbol = listing.symbol
    quarter = Decimal(str(listing.level)) * Decimal(_YIELDS.get(listing.sector, "0")) / 4
    if quarter >= CENT and chance(seed, f"pays|{symbol}", 0) < _PAYS_SHARE:
        month, day = 1 + int(3 * chance(seed, f"month|{symbol}", 0)), 3 + int(9 * chance(seed, f"day|{symbol}", year))
        for number in range(4):
            ex_day = _session_from(sessions, date(year, month + 3 * number, day).toordinal())
            yield _action(seed, symbol, "dividend", ex_day, ex_day + _PAID_DAYS)._replace(rate=quarter)
    if chance(seed, f"splits|{symbol}", year) < _SPLIT_CHANCE and not _CHEAP <= listing.level < _DEAR:
        old, new = (10, 1) if listing.level < _CHEAP else (1, 2 + int(3 * chance(seed, f"ratio|{symbol}", year)))
        month = 1 + int(12 * chance(seed, f"split month|{symbol}", year))
        ex_day = _session_from(sessions, date(year, month, 20).toordinal())  # dividends go ex before the 16th
        yield _action(seed, symbol, "split", ex_day, ex_day)._replace(new=new, old=old)


def _action(seed: int, symbol: str, kind: str, ex_day: int, pay_day: int) -> CorporateAction:
    assert kind in ("dividend", "split")
    identity = action_id(seed, symbol, kind, ex_day)
    declared = ex_day - _DECLARED_DAYS
    return CorporateAction(
        identity, symbol, "split" if kind == "split" else "dividend", ex_day, pay_day, declared_day=declared
    )


def _session_from(sessions: SessionTable, day: int) -> int:
    """The first day with a session, from a day on."""
    return sessions.between(day, day + 14)[0].day
