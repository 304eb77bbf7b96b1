"""One entry a route: parameters, body and answers."""

from __future__ import annotations

from typing import Any, Final

from rebalancer.exchange.openapi.call import MOMENT, Call, asked
from rebalancer.exchange.openapi.data_calls import data_calls
from rebalancer.exchange.openapi.objects import (
    DAY,
    DECIMAL,
    EXCHANGE,
    FLAG,
    ID,
    TEXT,
    TIME,
    Schema,
    closed,
    each,
    or_null,
    refer,
    rows,
    words,
)

_READ: Final = (401, 429)  # every call of the trading API
_BODY: Final = (400, 413, 415)  # every call that reads a body


_NUMBER: Final[Schema] = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)$"}
_EVENT_ID: Final[Schema] = {"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"}
_DIRECTION: Final = asked("direction", words("asc", "desc"))
_SPAN: Final = (asked("after", MOMENT), asked("until", MOMENT))
_REPLAY: Final = (
    asked("since", MOMENT),
    asked("until", MOMENT),
    asked("since_id", _EVENT_ID),
    asked("until_id", _EVENT_ID),
)
_ORDER_ERRORS: Final = (*_READ, 403, 404, 422)


def _watchlist_calls(path: str, named: tuple[dict[str, Any], ...]) -> dict[str, Call]:
    """The calls on one watchlist, named by the path or by a parameter."""
    errors = (*_READ, 404)
    changing = (*errors, *_BODY, 422)
    one = {"type": "object", "properties": {"symbol": TEXT}, "required": ["symbol"]}
    return {
        f"GET {path}": Call("One watchlist", refer("Watchlist"), 200, errors, named),
        f"PUT {path}": Call("Another name or other symbols", refer("Watchlist"), 200, changing, named, _NAMES),
        f"POST {path}": Call("Put an asset on", refer("Watchlist"), 200, changing, named, one),
        f"DELETE {path}": Call("Delete it", None, 204, errors, named),
    }


_NAMES: Final[Schema] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 64}, "symbols": or_null(rows(TEXT))},
}

_ACTIVITIES: Final = Call(
    "What happened to the account, newest first",
    rows({"anyOf": [refer("Fill"), refer("Entry")]}),
    errors=(*_READ, 422),
    query=(
        asked("category", words("trade_activity", "non_trade_activity")),
        asked("order_id", ID),
        asked("date", DAY),
        *_SPAN,
        _DIRECTION,
        asked("page_size", {"type": "integer", "minimum": 1, "maximum": 100}),
        asked("page_token", TEXT),
    ),
)

_TRADING: Final = {
    "GET /v2/account": Call("The account", refer("Account"), errors=_READ),
    "GET /v2/account/configurations": Call("The account's switches", refer("Configurations"), errors=_READ),
    "PATCH /v2/account/configurations": Call(
        "Change switches; nulls and empty strings leave them as they are",
        refer("Configurations"),
        errors=(*_READ, *_BODY),
        body={
            "type": "object",
            "properties": {
                **each(
                    or_null(FLAG),
                    "suspend_trade no_shorting fractional_trading ptp_no_exception_entry disable_overnight_trading",
                ),
                "max_margin_multiplier": or_null(words("", "1", "2", "4")),
                "trade_confirm_email": or_null(words("", "all", "none")),
                "max_options_trading_level": or_null({"type": "integer", "enum": [0, 1, 2, 3]}),
                **each(or_null(words("", "entry", "exit", "both")), "pdt_check dtbp_check"),
            },
        },
    ),
    "GET /v2/account/activities": _ACTIVITIES._replace(query=(asked("activity_types", TEXT), *_ACTIVITIES.query)),
    "GET /v2/account/activities/{activity_type}": _ACTIVITIES,
    "GET /v2/account/portfolio/history": Call(
        "The account's value in the past",
        refer("History"),
        errors=(*_READ, 422),
        query=(
            asked("period", {"type": "string", "pattern": "^[1-9][0-9]{0,3}[DWMA]$"}),
            asked("timeframe", words("1Min", "5Min", "15Min", "1H", "1D")),
            asked("start", MOMENT),
            asked("end", MOMENT),
            asked("date_end", DAY),
            asked("intraday_reporting", words("market_hours", "extended_hours", "continuous")),
            asked("extended_hours", FLAG),
            asked("pnl_reset", words("per_day", "no_reset")),
            asked("cashflow_types", words("ALL", "NONE", "CSD", "CSW", "DIV", "FEE", "INT")),
        ),
    ),
    "GET /v2/watchlists": Call("All watchlists, without their assets", rows(refer("Watchlist")), errors=_READ),
    "POST /v2/watchlists": Call(
        "Make a watchlist",
        refer("Watchlist"),
        errors=(*_READ, *_BODY, 422),
        body={**_NAMES, "required": ["name"]},
    ),
    **_watchlist_calls("/v2/watchlists/{watchlist_id}", ()),
    **_watchlist_calls("/v2/watchlists:by_name", (asked("name", TEXT, required=True),)),
    "DELETE /v2/watchlists/{watchlist_id}/{symbol}": Call(
        "Take an asset off", refer("Watchlist"), errors=(*_READ, 404)
    ),
    "GET /v1/locates/quotes": Call(
        "What locating hard-to-borrow shares costs",
        closed({"quotes": rows(refer("LocateQuote")), "errors": rows(refer("LocateQuoteError"))}),
        errors=(*_READ, 400),
        query=(asked("symbols", TEXT, required=True, example="AMC"),),
        refusal="LocateError",
    ),
    "GET /v1/locates": Call(
        "Locates, newest first",
        closed({"locates": rows(refer("Locate")), "next_page_token": or_null(TEXT)}),
        errors=(*_READ, 400),
        query=(
            asked("status", words("active", "expired", "rejected")),
            asked("symbol", TEXT),
            asked("start", DAY),
            asked("end", DAY),
            asked("limit", {"type": "integer", "minimum": 1, "maximum": 10_000}),
            asked("page_token", TEXT),
        ),
        refusal="LocateError",
    ),
    "GET /v1/locates/{locate_id}": Call(
        "One locate", refer("Locate"), errors=(*_READ, 400, 404), refusal="LocateError"
    ),
    "POST /v1/locates": Call(
        "Buy a locate",
        refer("Locate"),
        201,
        errors=(*_READ, *_BODY, 422),
        body={
            "type": "object",
            "properties": {
                "symbol": TEXT,
                "qty": {"type": "integer", "minimum": 1},
                "limit_price": or_null(DECIMAL),
                "all_or_none": or_null(FLAG),
            },
            "required": ["symbol", "qty"],
        },
        refusal="LocateError",
    ),
    "POST /v2/orders": Call(
        "Place an order",
        refer("Order"),
        errors=(*_READ, *_BODY, 403, 422),
        body=refer("OrderRequest"),
    ),
    "GET /v2/orders": Call(
        "Orders, newest first",
        rows(refer("Order")),
        errors=(*_READ, 404, 422),
        query=(
            asked("status", words("open", "closed", "all")),
            asked("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
            *_SPAN,
            _DIRECTION,
            asked("before_order_id", ID),
            asked("after_order_id", ID),
            asked("nested", FLAG),
            asked("symbols", TEXT),
            asked("side", words("buy", "sell")),
            asked("asset_class", words("us_equity", "crypto", "all")),
        ),
    ),
    "DELETE /v2/orders": Call("Ask for the cancellation of all", rows(refer("Cancellation")), 207, errors=_READ),
    "GET /v2/orders:by_client_order_id": Call(
        "One order by the client's id",
        refer("Order"),
        errors=(*_READ, 404),
        query=(asked("client_order_id", TEXT, required=True),),
    ),
    "GET /v2/orders/{order_id}": Call(
        "One order",
        refer("Order"),
        errors=(*_READ, 404, 422),
        query=(asked("nested", FLAG),),
    ),
    "PATCH /v2/orders/{order_id}": Call(
        "Replace it: a new order takes its place",
        refer("Order"),
        errors=(*_ORDER_ERRORS, *_BODY),
        body=refer("ReplaceRequest"),
    ),
    "DELETE /v2/orders/{order_id}": Call("Ask for its cancellation", None, 204, errors=(*_READ, 404, 422)),
    "GET /v2/positions": Call("All positions", rows(refer("Position")), errors=_READ),
    "DELETE /v2/positions": Call(
        "Close all positions",
        rows(refer("Closing")),
        207,
        errors=(*_READ, 422),
        query=(asked("cancel_orders", FLAG),),
    ),
    "GET /v2/positions/{symbol_or_asset_id}": Call("One position", refer("Position"), errors=(*_READ, 404)),
    "DELETE /v2/positions/{symbol_or_asset_id}": Call(
        "Close it, whole or in part",
        refer("Order"),
        errors=(*_ORDER_ERRORS, 400),
        query=(asked("qty", _NUMBER), asked("percentage", _NUMBER)),
    ),
    "GET /v2/assets": Call(
        "Instruments",
        rows(refer("Asset")),
        errors=(*_READ, 422),
        query=(
            asked("status", words("active", "inactive", "all")),
            asked("asset_class", words("us_equity", "crypto")),
            asked("exchange", EXCHANGE),
            asked("attributes", words("fractional_eh_enabled", "overnight_tradable", "has_options")),
        ),
    ),
    "GET /v2/assets/{symbol_or_asset_id}": Call("One instrument", refer("Asset"), errors=(*_READ, 404)),
    "GET /v2/clock": Call("The market's clock", refer("Clock"), errors=_READ),
    "GET /v3/clock": Call(
        "The clocks of markets, with phases",
        closed({"clocks": rows(refer("MarketClock"))}),
        errors=(*_READ, 400),
        query=(asked("markets", TEXT, example="NYSE,NASDAQ"), asked("time", TIME)),
    ),
    "GET /v3/calendar/{market}": Call(
        "A market's sessions, with phases",
        closed({"market": refer("Market"), "calendar": rows(refer("MarketDay"))}),
        errors=(*_READ, 400),
        query=(asked("start", DAY), asked("end", DAY), asked("timezone", words("UTC"))),
    ),
    "GET /v2/corporate_actions/announcements": Call(
        "Announced dividends and splits",
        rows(refer("Announcement")),
        errors=(*_READ, 422),
        query=(
            asked("ca_types", TEXT, required=True, example="dividend,split"),
            asked("since", DAY, required=True),
            asked("until", DAY, required=True),
            asked("symbol", TEXT),
            asked("cusip", TEXT),
            asked("date_type", words("declaration_date", "ex_date", "record_date", "payable_date")),
        ),
    ),
    "GET /v2/corporate_actions/announcements/{announcement_id}": Call(
        "One announcement", refer("Announcement"), errors=(*_READ, 404)
    ),
    "GET /v2/calendar": Call(
        "Sessions",
        rows(refer("Day")),
        errors=(*_READ, 400),
        query=(asked("start", MOMENT), asked("end", MOMENT), asked("date_type", words("TRADING", "SETTLEMENT"))),
    ),
    "GET /v2/events/trades": Call(
        "Order events as they happen, or again",
        TEXT,
        errors=(*_READ, 422),
        query=_REPLAY,
        media="text/event-stream",
    ),
    "GET /v2beta1/events/activities": Call(
        "Activities as they are listed, or again",
        TEXT,
        errors=(*_READ, 422),
        query=_REPLAY,
        media="text/event-stream",
    ),
    "GET /openapi.json": Call("This document", {"type": "object"}, errors=_READ),
}


CALLS: Final[dict[str, Call]] = {**_TRADING, **data_calls()}
"""By method and path."""
