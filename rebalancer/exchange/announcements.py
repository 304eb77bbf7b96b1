"""`/v1/corporate-actions`: the splits and cash dividends that have been announced, as the data API lists them.

A span of dates means ex-dates. All names are of the United States, and every declared action is complete. CUSIPs are
licensed and no simulated name has one: they are empty.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from rebalancer.exchange import corporate
from rebalancer.exchange import data_parameters as data
from rebalancer.exchange import parameters as read
from rebalancer.exchange.calendar import new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate_actions import CorporateAction
from rebalancer.exchange.data_parameters import Place
from rebalancer.exchange.errors import bad_parameter
from rebalancer.exchange.market_rows import Row
from rebalancer.exchange.parameters import Parameters

TYPES: Final = (
    "reverse_split", "forward_split", "unit_split", "cash_dividend", "stock_dividend", "spin_off", "cash_merger",
    "stock_merger", "stock_and_cash_merger", "redemption", "name_change", "worthless_removal", "rights_distribution",
    "partial_call", "reorganization",
)  # fmt: skip
_LIMITS: Final = (100, 1000)
_FILTERS: Final = ("symbols", "cusips", "types", "start", "end", "region", "data_quality")
_REGIONS: Final = ("us", "non_us", "all")
_QUALITIES: Final = ("complete", "all")  # what is declared here is complete


def corporate_actions(exchange: Exchange, parameters: Parameters) -> Row:
    """One page of actions by kind, in the order of their ex-date. Raises ApiError 400."""
    ids = read.names(parameters, "ids")
    if ids and any(parameters.get(name) for name in _FILTERS):
        raise bad_parameter("ids cannot be combined with other filters")
    region = data.word(parameters, "region", _REGIONS)
    data.word(parameters, "data_quality", _QUALITIES)
    types = read.names(parameters, "types")
    for name in types:
        if name not in TYPES:
            raise bad_parameter(f"invalid types: {name[:40]}")
    span = data.span_of({key: parameters[key] for key in ("limit", "sort", "page_token") if key in parameters},
                        limit_default=_LIMITS[0], limit_max=_LIMITS[1])  # fmt: skip
    symbols, cusips = read.names(parameters, "symbols"), read.names(parameters, "cusips")
    with exchange.reading() as at:
        today = date.fromordinal(new_york_day(at))
        start, end = data.day_of(parameters, "start", today), data.day_of(parameters, "end", today)
        if parameters.get("start") and parameters.get("end") and end < start:
            raise bad_parameter("end should not be before start")
        chosen = [
            action
            for action in corporate.declared(exchange, at)
            if (action.id in ids if ids else start.toordinal() <= action.ex_day <= end.toordinal())
            and (not types or _kind(action) in types)
            and (not symbols or action.symbol in symbols)
            and not cusips
            and region != "non_us"
        ]
    if span.newest_first:
        chosen.reverse()
    first = span.place.at if span.place is not None else 0
    if not 0 <= first <= len(chosen):
        raise bad_parameter("invalid page_token")
    rest = chosen[first:]
    found: dict[str, list[Row]] = {}
    for action in rest[: span.limit]:
        found.setdefault(f"{_kind(action)}s", []).append(_row(action))
    more = Place("", first + span.limit).token if len(rest) > span.limit else None
    return {"corporate_actions": found, "next_page_token": more}


def _kind(action: CorporateAction) -> str:
    if action.kind == "dividend":
        return "cash_dividend"
    return "forward_split" if action.new > action.old else "reverse_split"


def _row(action: CorporateAction) -> Row:
    dates = {"ex_date": _day(action.ex_day), "process_date": _day(action.pay_day), "payable_date": _day(action.pay_day)}
    row: Row = {"id": action.id, "symbol": action.symbol, **dates, "record_date": _day(action.ex_day)}
    if action.kind == "dividend":
        return {**row, "cusip": "", "rate": float(action.rate), "special": False, "foreign": False}
    rates: Row = {"new_rate": action.new, "old_rate": action.old}
    cusips = {"cusip": ""} if action.new > action.old else {"old_cusip": "", "new_cusip": ""}
    return {**row, **rates, **cusips}


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
