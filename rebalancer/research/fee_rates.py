"""The regulatory fees of sales of stocks in the United States, with the days from which each rate counts.

Sources: the SEC's fee rate advisories under section 31 (USD per million of the value sold) and section 1 of Schedule A
of FINRA's by-laws (USD a share sold, and the most of one trade). Days before the first row pay its rate.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

SECTION_31: Final = tuple(
    (date.fromisoformat(day), Decimal(rate))
    for day, rate in (
        ("2012-04-01", "22.40"), ("2013-05-25", "17.40"), ("2014-03-18", "22.10"), ("2015-02-14", "18.40"),
        ("2016-02-16", "21.80"), ("2017-07-04", "23.10"), ("2018-05-22", "13.00"), ("2019-04-16", "20.70"),
        ("2020-02-18", "22.10"), ("2021-02-25", "5.10"), ("2022-05-14", "22.90"), ("2023-02-27", "8.00"),
        ("2024-05-22", "27.80"), ("2025-05-14", "0"), ("2026-04-04", "20.60"),
    )
)  # fmt: skip
TRADING_ACTIVITY: Final = tuple(
    (date.fromisoformat(day), Decimal(rate), Decimal(most))
    for day, rate, most in (
        ("2012-07-01", "0.000119", "5.95"), ("2022-01-01", "0.000130", "6.49"), ("2023-01-01", "0.000145", "7.27"),
        ("2024-01-01", "0.000166", "8.30"), ("2026-01-01", "0.000195", "9.79"),
    )
)  # fmt: skip
_MILLION: Final = 1_000_000


class FeeRates(NamedTuple):
    """Of the value sold; USD a share sold, and the most of one sale."""

    of_value: Decimal
    a_share: Decimal
    a_share_most: Decimal


def fee_rates(day: int) -> FeeRates:
    """The rates of a day, an ordinal of New York's date."""
    value = SECTION_31[max(bisect_right([first.toordinal() for first, _ in SECTION_31], day) - 1, 0)]
    share = TRADING_ACTIVITY[max(bisect_right([row[0].toordinal() for row in TRADING_ACTIVITY], day) - 1, 0)]
    return FeeRates(value[1] / _MILLION, share[1], share[2])


def changes() -> tuple[int, ...]:
    """The days, ordinals, on which a rate changes."""
    days = [row[0] for row in SECTION_31] + [row[0] for row in TRADING_ACTIVITY]
    return tuple(sorted({day.toordinal() for day in days}))
