"""`/v3/clock` and `/v3/calendar/{market}`: phases of the US equity markets, which all keep New York's hours.

Alpaca knows markets of other countries and asset classes too; the simulated ones are those of US equities, so that the
others are refused rather than answered with somebody else's hours.
"""

from __future__ import annotations

from datetime import UTC, date, timedelta, tzinfo
from typing import Final, NamedTuple

from rebalancer.exchange import parameters as read
from rebalancer.exchange.calendar import (
    EXTENDED,
    NEW_YORK,
    OutsideCalendar,
    SessionTable,
    TradingSession,
    midnight_new_york,
    moment_of,
    new_york_day,
)
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import bad_request
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.switches import calendar_day


class VenueName(NamedTuple):
    """How a market is called. `mic` is its ISO 10383 code."""

    mic: str
    acronym: str
    name: str

    def wire(self) -> dict[str, object]:
        """Alpaca's market object."""
        return {"mic": self.mic, "acronym": self.acronym, "name": self.name, "timezone": NEW_YORK.key}


_VENUES: Final = (
    VenueName("XNYS", "NYSE", "New York Stock Exchange"),
    VenueName("XNAS", "NASDAQ", "NASDAQ"),
    VenueName("IEXG", "IEX", "Investors Exchange"),
    VenueName("OTCM", "OTC", "OTC Markets"),
)
MARKETS: Final = {code: venue for venue in _VENUES for code in (venue.mic, venue.acronym)}
_WEEK: Final = timedelta(days=7)


class Phase(NamedTuple):
    """A part of the day and the moment at which it ends, in microseconds."""

    name: str
    until: int


def get_clocks(exchange: Exchange, parameters: Parameters) -> dict[str, object]:
    """GET /v3/clock: `markets` (NYSE when absent) now, or at the moment `time`. Raises ApiError 400."""
    venues = [_venue(code) for code in read.names(parameters, "markets") or ["NYSE"]]
    text = parameters.get("time", "")
    asked = read.read_moment(text) if text else None
    if text and asked is None:
        raise bad_request(f"invalid time: {text[:40]}")
    with exchange.reading() as now:
        at = now if asked is None else asked
        try:
            exchange.sessions.require(at)
        except OutsideCalendar as error:
            raise bad_request(f"invalid time: {error}") from None
        return {"clocks": [_clock(exchange.sessions, venue, at) for venue in venues]}


def get_market_calendar(exchange: Exchange, code: str, parameters: Parameters) -> dict[str, object]:
    """GET /v3/calendar/{market}: sessions from `start` (today) to `end` (a week later). Raises ApiError 400."""
    venue = _venue(code)
    if parameters.get("timezone", "") not in ("", "UTC"):
        raise bad_request("invalid timezone: UTC is the only one that can be asked for")
    zone: tzinfo = UTC if parameters.get("timezone") else NEW_YORK
    with exchange.reading() as at:
        today = date.fromordinal(new_york_day(at))
    start = calendar_day(parameters, "start") or today
    end = calendar_day(parameters, "end") or min(start, date.max - _WEEK) + _WEEK
    if end < start:
        raise bad_request("end must not be before start")
    table = exchange.sessions
    known = (row for row in table.between(start.toordinal(), end.toordinal()) if row != table.sessions[-1])
    return {"market": venue.wire(), "calendar": [_row(row, table.next_open(row.close), zone) for row in known]}


def phase_at(sessions: SessionTable, at: int) -> Phase:
    """The phase of a moment: pre from 04:00, core, post until four hours after the close, else closed."""
    session = sessions.next_close(at - EXTENDED)  # the first whose post-market phase is not over
    for name, until in (("closed", _pre_start(session)), ("pre", session.open), ("core", session.close)):
        if at < until:
            return Phase(name, until)
    return Phase("post", session.close + EXTENDED)


def _clock(sessions: SessionTable, venue: VenueName, at: int) -> dict[str, object]:
    day, phase = new_york_day(at), phase_at(sessions, at)
    return {
        "market": venue.wire(),
        "timestamp": _time(at),
        "is_market_day": bool(sessions.between(day, day)),
        "next_market_open": _time(sessions.next_open(at).open),
        "next_market_close": _time(sessions.next_close(at).close),
        "phase": phase.name,
        "phase_until": _time(phase.until),
    }


def _row(session: TradingSession, settlement: TradingSession, zone: tzinfo) -> dict[str, object]:
    moments = {
        "pre_start": _pre_start(session),
        "pre_end": session.open,
        "core_start": session.open,
        "core_end": session.close,
        "post_start": session.close,
        "post_end": session.close + EXTENDED,
    }
    times = {name: _time(at, zone) for name, at in moments.items()}
    return {"date": session.date.isoformat(), **times, "settlement_date": settlement.date.isoformat()}


def _venue(code: str) -> VenueName:
    venue = MARKETS.get(code)
    if venue is None:
        raise bad_request(f"invalid market: {code[:20]}; this exchange knows {', '.join(sorted(MARKETS))}")
    return venue


def _pre_start(session: TradingSession) -> int:
    """04:00 New York; no session lies on a day on which the clocks change."""
    return midnight_new_york(session.day) + EXTENDED


def _time(at: int, zone: tzinfo = NEW_YORK) -> str:
    text = moment_of(at).astimezone(zone).isoformat()
    return text.replace("+00:00", "Z") if zone is UTC else text
