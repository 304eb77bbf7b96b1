"""GET /v2/account/portfolio/history: the account's value in the past, computed again from the ledger and the prices."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange import parameters as read
from rebalancer.exchange.calendar import EXTENDED, MICROS, NEW_YORK, midnight_new_york, moment_of, new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import invalid
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.switches import ACTIVITY_TYPES, some_of, switch

_MINUTE: Final = 60 * MICROS
_FRAMES: Final = {"1Min": _MINUTE, "5Min": 5 * _MINUTE, "15Min": 15 * _MINUTE, "1H": 60 * _MINUTE, "1D": 0}
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})([DWMA])")
_DAYS: Final = {"D": 1, "W": 7, "M": 30, "A": 365}
_INTRADAY_DAYS_MAX: Final = 30
_FLOWS: Final = ("CSD", "CSW")


class Window(NamedTuple):
    """A span of time with one value at its end; microseconds. `day` is the day its gains belong to."""

    start: int
    end: int
    day: int


class Asked(NamedTuple):
    """What a client wants to see."""

    start: int
    end: int
    frame: str
    reporting: str
    per_day: bool
    flows: frozenset[str] | None  # None is all


def portfolio_history(exchange: Exchange, parameters: Parameters) -> dict[str, object]:
    """Value, profit and cash flows by window. Raises ApiError 422."""
    with exchange.reading() as at:
        born = int(exchange.store.meta("created_at") or 0)
        asked = _read(parameters, at, midnight_new_york(new_york_day(born)))
        windows = [w for w in _windows(exchange, asked, at) if w.end > born]
        first = windows[0].start if windows else at
        base_at = max(_close_before(exchange, first), born)
        base, *equity = values(exchange, [base_at, *(window.end for window in windows)])
        profits, shares = _profits(exchange, asked, windows, equity, (base, base_at))
        return {
            "timestamp": [window.start // MICROS for window in windows],
            "equity": [_cents(value) for value in equity],
            "profit_loss": [_cents(value) for value in profits],
            "profit_loss_pct": shares,
            "base_value": _cents(base),
            "base_value_asof": moment_of(base_at).astimezone(NEW_YORK).date().isoformat(),
            "timeframe": asked.frame,
            "cashflow": _cashflow(exchange, asked, windows, base_at),
        }


def values(exchange: Exchange, moments: Sequence[int]) -> list[Decimal]:
    """The account's exact value at moments, USD: cash and positions."""
    found = [ZERO] * len(moments)
    for (account, commodity), past in exchange.books.ledger.past().items():
        held = [past.total(at) for at in moments]
        if account == "cash":
            found = [value + amount for value, amount in zip(found, held, strict=True)]
            continue
        asked = [number for number, amount in enumerate(held) if amount]
        prices = exchange.market.lasts(commodity, (moments[number] for number in asked))
        for number, price in zip(asked, prices, strict=True):
            found[number] += held[number] * price
    return found


def _read(parameters: Parameters, at: int, earliest: int) -> Asked:
    """Nothing happened before the earliest moment: what is asked of the time before is left out, however long ago."""
    start, end, period = read.moment(parameters, "start"), read.moment(parameters, "end"), parameters.get("period", "")
    if start is not None and end is not None and period:
        raise invalid("only two of start, end and period can be specified")
    last_day = read.calendar_date(parameters, "date_end")
    if end is None and last_day is not None:
        end = midnight_new_york(last_day.toordinal() + 1) - 1
    match = _PERIOD.fullmatch(period or "1M")
    if match is None:
        raise invalid(f"invalid period: {period[:20]}")
    span = int(match[1]) * _DAYS[match[2]] * 24 * 60 * _MINUTE
    if start is not None and end is None and period:
        end = start + span
    end = min(at if end is None else end, at)
    explicit = start is not None
    start = end - span if start is None else start
    if start > end:
        raise invalid("start must be before end")
    days = (end - start) / (24 * 60 * _MINUTE)
    frame = parameters.get("timeframe", "") or ("1Min" if days < 7 else "15Min" if days < 30 else "1D")
    if frame not in _FRAMES:
        raise invalid(f"invalid timeframe: {frame[:20]}")
    if frame != "1D" and days > _INTRADAY_DAYS_MAX:
        raise invalid("intraday timeframes are limited to 30 days")
    start, end = max(start, earliest), max(end, earliest)
    if frame == "1D" and not explicit:
        start = midnight_new_york(new_york_day(start))
    kinds = ("market_hours", "extended_hours", "continuous")
    reporting = read.choice(parameters, "intraday_reporting", kinds, "invalid intraday_reporting")
    if switch(parameters, "extended_hours"):
        reporting = "extended_hours"
    reset = read.choice(parameters, "pnl_reset", ("per_day", "no_reset"), "invalid pnl_reset")
    names = some_of(parameters, "cashflow_types", {*ACTIVITY_TYPES, "ALL", "NONE"})
    flows = None if "ALL" in names else frozenset(names) - {"NONE"}
    return Asked(start, end, frame, reporting, reset == "per_day" and frame != "1D", flows)


def _windows(exchange: Exchange, asked: Asked, now: int) -> list[Window]:
    frame = _FRAMES[asked.frame]
    if asked.reporting == "continuous" and frame:
        starts = range(-(-asked.start // frame) * frame, asked.end + 1, frame)
        return [Window(at, min(at + frame, now), new_york_day(at)) for at in starts]
    sessions = exchange.sessions.between(new_york_day(asked.start), new_york_day(asked.end))
    found = []
    for session in sessions:
        opens, closes = session.open, session.close
        if asked.reporting == "extended_hours" and frame:
            opens, closes = midnight_new_york(session.day) + EXTENDED, session.close + EXTENDED
        step = frame or closes - opens
        for start in range(opens, closes, step):
            if (start >= asked.start or not frame) and start <= min(asked.end, now):
                found.append(Window(start, min(start + step, closes, now), session.day))
    return found


def _profits(
    exchange: Exchange, asked: Asked, windows: list[Window], equity: list[Decimal], base: tuple[Decimal, int]
) -> tuple[list[Decimal], list[float]]:
    """Gains since the base without what was paid in or out, and as fractions of the base; per day where asked."""
    value, since = base
    day = windows[0].day if windows else 0
    profits, shares = [], []
    for window, worth in zip(windows, equity, strict=True):
        if asked.per_day and window.day != day:
            since, day = _close_before(exchange, window.start), window.day
            (value,) = values(exchange, [since])
        profit = worth - value - _paid_in(exchange, since, window.end)
        profits.append(profit)
        shares.append(round(float(profit / value), 6) if value else 0.0)
    return profits, shares


def _paid_in(exchange: Exchange, after: int, until: int) -> Decimal:
    flows = exchange.books.flows()
    return sum((flows[kind].total(until) - flows[kind].total(after) for kind in _FLOWS if kind in flows), ZERO)


def _cashflow(exchange: Exchange, asked: Asked, windows: list[Window], since: int) -> dict[str, list[float]]:
    """Sums of non-trade activities after a moment by type and window; each window begins where the last one ended."""
    found: dict[str, list[float]] = {}
    ends = [since, *(window.end for window in windows)]
    for kind, flow in exchange.books.flows().items():
        if (asked.flows is None or kind in asked.flows) and flow.count(ends[-1]) > flow.count(since):
            totals = [flow.total(at) for at in ends]
            found[kind] = [_cents(after - before) for before, after in itertools.pairwise(totals)]
    return found


def _close_before(exchange: Exchange, at: int) -> int:
    """The last close before the day of a moment."""
    return exchange.sessions.last_closed(midnight_new_york(new_york_day(at))).close


def _cents(value: Decimal) -> float:
    return float(round(value, 2))
