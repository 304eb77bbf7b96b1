"""Numbers and times as people read them: thousands separators, a true minus sign, the unit given once.

Rounding here is for display only (half to even); nothing shown is ever read back. Missing or non-finite is "–".
"""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Final

from rebalancer.core.new_york import in_new_york
from rebalancer.core.units import amount_of as amount_of  # for the filters of the pages too
from rebalancer.core.values import utc

NONE: Final = "–"
MINUS: Final = "−"
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # strftime would follow the locale

Number = Decimal | float | int


def fixed(value: Number | None, digits: int, *, sign: bool = False) -> str:
    """A number with that many digits after the point; `sign` shows a plus too. Zero never has a sign."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{abs(value):,.{digits}f}"
    if not any(c in "123456789" for c in text):
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def money(value: Number | None, *, sign: bool = False) -> str:
    """US dollars and cents: −$1,234.50."""
    text = fixed(value, 2, sign=sign)
    if text == NONE:
        return text
    return f"{text[0]}${text[1:]}" if text[0] in (MINUS, "+") else f"${text}"


def percent(fraction: Number | None, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction in percent, with its sign: 0.0113 is "1.13 %"."""
    text = fixed(None if fraction is None else fraction * 100, digits, sign=sign)
    return text if text == NONE else f"{text} %"


def points(fraction: Number | None, digits: int = 2, *, sign: bool = False) -> str:
    """A difference of weights in percentage points: 0.0113 is "1.13 pp"."""
    text = fixed(None if fraction is None else fraction * 100, digits, sign=sign)
    return text if text == NONE else f"{text} pp"


def basis_points(part: Number | None, whole: Number) -> str:
    """A signed part of a whole in basis points, without the unit."""
    if part is None or not whole:
        return NONE
    return fixed(float(part) / float(whole) * 10_000, 1, sign=True)


def shares(value: Decimal | None, *, sign: bool = False) -> str:
    """Shares with all their digits and no trailing zeros: 1,234.5."""
    if value is None or not value.is_finite():
        return NONE
    text = f"{abs(value):,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if value == 0:
        return "0"
    return (MINUS if value < 0 else "+" if sign else "") + text


def price(value: Decimal | None) -> str:
    """US dollars per share, at least two digits after the point and up to four when they matter."""
    if value is None:
        return NONE
    return fixed(value, 2 if value == round(value, 2) else 4)


def eastern(moment: datetime) -> datetime:
    """The same moment on the exchange's clock."""
    return in_new_york(utc(moment))


def day_text(moment: datetime) -> str:
    """The exchange's day: "Fri 2026-11-20"."""
    local = eastern(moment)
    return f"{_WEEKDAYS[local.weekday()]} {local:%Y-%m-%d}"


def clock_text(moment: datetime | None) -> str:
    """The exchange's time of day to the second: "10:35:02"."""
    return NONE if moment is None else f"{eastern(moment):%H:%M:%S}"


def hour_text(moment: datetime) -> str:
    """The exchange's time of day to the minute: "10:35"."""
    return f"{eastern(moment):%H:%M}"


def utc_text(moment: datetime) -> str:
    """Day and time in UTC: "2026-11-20 15:35:02"."""
    return f"{utc(moment):%Y-%m-%d %H:%M:%S}"


def both_clocks(moment: datetime) -> str:
    """Day and time in New York and in UTC."""
    return f"{day_text(moment)} {clock_text(moment)} ET ({utc(moment):%H:%M:%S} UTC)"


def span_text(seconds: float) -> str:
    """A duration in one unit that fits: "0.42 s", "31 s", "5 min", "4 h", "3 d"."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    for limit, divisor, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def masked(account_id: str) -> str:
    """An account number that its owner recognises and others cannot use: at most the last three characters."""
    shown = min(3, len(account_id) // 3)
    return "••••" + (account_id[-shown:] if shown else "")


def milliseconds_text(value: Number | None) -> str:
    """Milliseconds with the digits that matter: "0.4 ms", "12 ms", "1,204 ms"."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{fixed(value, 1 if 0 < abs(float(value)) < 10 else 0)} ms"


def bytes_text(value: Number | None) -> str:
    """A size in megabytes of a million bytes, below one in kilobytes: "4.2 MB", "83 kB"."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{fixed(value / 1_000_000, 1)} MB" if value >= 1_000_000 else f"{fixed(value / 1000, 0)} kB"
