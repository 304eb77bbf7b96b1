"""`/v2/corporate_actions/announcements`: the trading API's older list of announced splits and cash dividends.

An action is listed from its declaration date on. CUSIPs are licensed and no simulated name has one: they are empty.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from rebalancer.core.values import text_of
from rebalancer.exchange import corporate
from rebalancer.exchange import parameters as read
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate_actions import CorporateAction
from rebalancer.exchange.errors import invalid, not_found
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.switches import one_of

_TYPES: Final = ("dividend", "merger", "spinoff", "split")
_DATES: Final = ("declaration_date", "ex_date", "record_date", "payable_date")
_SPAN_DAYS_MAX: Final = 90


def list_announcements(exchange: Exchange, parameters: Parameters) -> list[dict[str, object]]:
    """GET the announcements of some types whose date lies in [since, until], at most 90 days. Raises ApiError 422."""
    types = [name.lower() for name in read.names(parameters, "ca_types")]
    if not types:
        raise invalid("ca_types is required")
    for name in types:
        if name not in _TYPES:
            raise invalid(f"invalid ca_types: {name[:40]}")
    since, until = _day(parameters, "since"), _day(parameters, "until")
    if until < since:
        raise invalid("since must not be after until")
    if (until - since).days > _SPAN_DAYS_MAX:
        raise invalid(f"the date range is limited to {_SPAN_DAYS_MAX} days")
    which = one_of(parameters, "date_type", _DATES) or "ex_date"
    symbol, cusip = parameters.get("symbol", ""), parameters.get("cusip", "")
    with exchange.reading() as at:
        rows = [_view(action) for action in corporate.declared(exchange, at)]
    return [
        row
        for row in rows
        if row["ca_type"] in types
        and since.isoformat() <= str(row[which]) <= until.isoformat()
        and symbol in ("", row["initiating_symbol"])
        and not cusip
    ]


def get_announcement(exchange: Exchange, identity: str) -> dict[str, object]:
    """GET one announcement by its id. Raises ApiError 404."""
    with exchange.reading() as at:
        for action in corporate.declared(exchange, at):
            if action.id == identity:
                return _view(action)
    raise not_found(f"announcement not found for {identity[:40]}")


def _view(action: CorporateAction) -> dict[str, object]:
    ex_date, paid = date.fromordinal(action.ex_day).isoformat(), date.fromordinal(action.pay_day).isoformat()
    sub_type = "cash"
    if action.kind == "split":
        sub_type = "stock_split" if action.new > action.old else "reverse_split"
    return {
        "id": action.id,
        "corporate_action_id": f"{action.symbol}_{action.id[:8]}",
        "ca_type": action.kind,
        "ca_sub_type": sub_type,
        "initiating_symbol": action.symbol,
        "initiating_original_cusip": "",
        "target_symbol": action.symbol,
        "target_original_cusip": "",
        "declaration_date": date.fromordinal(action.declared_day).isoformat(),
        "ex_date": ex_date,
        "record_date": ex_date,
        "payable_date": paid,
        "cash": text_of(action.rate),
        "old_rate": str(action.old),
        "new_rate": str(action.new),
    }


def _day(parameters: Parameters, name: str) -> date:
    found = read.calendar_date(parameters, name)
    if found is None:
        raise invalid(f"{name} is required")
    return found
