"""The JSON objects of requests and answers, as JSON Schema."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
ID: Final[Schema] = {"type": "string", "format": "uuid"}
DAY: Final[Schema] = {"type": "string", "format": "date"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
DECIMAL: Final[Schema] = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}


def words(*allowed: str) -> Schema:
    """One of some words."""
    return {"type": "string", "enum": list(allowed)}


def or_null(schema: Schema) -> Schema:
    """A value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def refer(name: str) -> Schema:
    """One of OBJECTS."""
    return {"$ref": f"#/components/schemas/{name}"}


def rows(schema: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": schema}


def by_symbol(schema: Schema) -> Schema:
    """A map from symbol to something."""
    return {"type": "object", "additionalProperties": schema}


def closed(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def each(schema: Schema, names: str) -> dict[str, Schema]:
    """Several properties of one kind, their names set apart by blanks."""
    return dict.fromkeys(names.split(), schema)


ASSET_CLASS: Final = words("us_equity", "crypto")
EXCHANGE: Final = words("AMEX", "ARCA", "BATS", "NYSE", "NASDAQ", "NYSEARCA", "OTC", "CRYPTO")
SIDE: Final = words("buy", "sell")
TYPE: Final = words("market", "limit", "stop", "stop_limit", "trailing_stop")
FORCE: Final = words("day", "gtc", "ioc", "fok", "opg", "cls")
INTENT: Final = words("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
STATUS: Final = words(
    "accepted", "pending_new", "new", "held", "partially_filled", "pending_cancel", "pending_replace", "replaced",
    "filled", "canceled", "expired", "rejected", "done_for_day", "stopped", "suspended", "calculated",
)  # fmt: skip
AMOUNT: Final[Schema] = {
    "anyOf": [DECIMAL, NUMBER, {"type": "null"}],
    "description": "exact as a string; numbers are read as they are written",
}

_SIZES: Final = "min_order_size min_trade_increment price_increment"
_REQUIREMENTS: Final = "margin_requirement_long margin_requirement_short"
_ON_STOCKS: Final = ("x", "c", "z")

OBJECTS: Final[dict[str, Schema]] = {
    "Error": {
        "type": "object",
        "properties": {"code": COUNT, "message": TEXT},
        "required": ["message"],
        "description": "A refusal; some carry further keys. 401 and market data have no code.",
    },
    "Account": closed(
        {
            "id": ID,
            "account_number": TEXT,
            **each(words("ACTIVE"), "status crypto_status"),
            "currency": words("USD"),
            **each(
                DECIMAL,
                "cash portfolio_value equity last_equity buying_power regt_buying_power effective_buying_power"
                " non_marginable_buying_power options_buying_power multiplier long_market_value short_market_value"
                " position_market_value initial_margin maintenance_margin last_maintenance_margin sma accrued_fees"
                " pending_transfer_in pending_transfer_out pending_reg_taf_fees intraday_adjustments",
            ),
            "balance_asof": DAY,
            **each(
                FLAG,
                "trading_blocked transfers_blocked account_blocked trade_suspended_by_user shorting_enabled",
            ),
            "created_at": TIME,
            **each(COUNT, "crypto_tier options_approved_level options_trading_level"),
            "admin_configurations": {"type": "object"},
            "user_configurations": {"type": "null"},
        }
    ),
    "Configurations": closed(
        {
            **each(FLAG, "suspend_trade no_shorting fractional_trading"),
            "max_margin_multiplier": words("1", "2", "4"),
            "trade_confirm_email": words("all", "none"),
            **each(FLAG, "ptp_no_exception_entry disable_overnight_trading"),
            "max_options_trading_level": COUNT,
            **each(words("entry", "exit", "both"), "pdt_check dtbp_check"),
        },
        ("pdt_check", "dtbp_check"),
    ),
    "Order": closed(
        {
            **each(ID, "id asset_id"),
            "client_order_id": TEXT,
            **each(TIME, "created_at updated_at submitted_at"),
            **each(or_null(TIME), "filled_at expired_at expires_at canceled_at failed_at replaced_at"),
            **each(or_null(ID), "replaced_by replaces"),
            "symbol": TEXT,
            "asset_class": ASSET_CLASS,
            **each(or_null(DECIMAL), "notional qty filled_avg_price limit_price stop_price"),
            "filled_qty": DECIMAL,
            "order_class": words("", "simple", "bracket", "oco", "oto"),
            **each(TYPE, "order_type type"),
            "side": SIDE,
            "position_intent": INTENT,
            "time_in_force": FORCE,
            "status": STATUS,
            "extended_hours": FLAG,
            "legs": or_null(rows(refer("Order"))),
            **each(or_null(DECIMAL), "trail_percent trail_price hwm"),
            **each(or_null(TEXT), "ratio_qty subtag source"),
            "group_id": ID,
            "group_role": words("parent", "take_profit", "stop_loss"),
        },
        ("group_id", "group_role"),
    ),
    "OrderRequest": {
        "type": "object",
        "description": "Null and empty strings count as absent; unknown keys are ignored.",
        "properties": {
            "symbol": {"type": "string", "minLength": 1},
            **each(AMOUNT, "qty notional limit_price stop_price trail_price trail_percent"),
            "side": SIDE,
            "type": TYPE,
            "time_in_force": FORCE,
            "order_class": or_null(words("", "simple", "bracket", "oco", "oto")),
            "extended_hours": or_null(FLAG),
            "client_order_id": or_null({"type": "string", "maxLength": 128}),
            "position_intent": or_null(INTENT),
            "take_profit": or_null({"type": "object", "properties": {"limit_price": AMOUNT}}),
            "stop_loss": or_null({"type": "object", "properties": {"stop_price": AMOUNT, "limit_price": AMOUNT}}),
        },
        "required": ["symbol", "side", "type", "time_in_force"],
    },
    "ReplaceRequest": {
        "type": "object",
        "description": "What is absent or null stays as it is. `qty` is the total, filled shares included.",
        "properties": {
            **each(AMOUNT, "qty limit_price stop_price trail"),
            "time_in_force": or_null(FORCE),
            "client_order_id": or_null({"type": "string", "maxLength": 128}),
        },
    },
    "Cancellation": closed({"id": ID, "status": COUNT, "body": refer("Order")}),
    "Closing": closed(
        {
            "symbol": TEXT,
            "status": COUNT,
            "order_id": ID,
            "body": {"anyOf": [refer("Order"), refer("Error")]},
        },
        ("order_id",),
    ),
    "Position": closed(
        {
            "asset_id": ID,
            "symbol": TEXT,
            "exchange": EXCHANGE,
            "asset_class": ASSET_CLASS,
            "asset_marginable": FLAG,
            "side": words("long", "short"),
            **each(
                DECIMAL,
                "qty qty_available avg_entry_price market_value cost_basis unrealized_pl unrealized_plpc"
                " unrealized_intraday_pl unrealized_intraday_plpc current_price lastday_price change_today",
            ),
        }
    ),
    "Asset": closed(
        {
            "id": ID,
            "class": ASSET_CLASS,
            "exchange": EXCHANGE,
            **each(TEXT, "symbol name"),
            "status": words("active", "inactive"),
            **each(FLAG, "tradable marginable shortable easy_to_borrow fractionable"),
            "attributes": rows(TEXT),
            "borrow_status": words("easy_to_borrow", "hard_to_borrow"),
            "maintenance_margin_requirement": COUNT,
            **each(DECIMAL, f"{_REQUIREMENTS} {_SIZES}"),
        },
        ("borrow_status", "maintenance_margin_requirement", *_REQUIREMENTS.split(), *_SIZES.split()),
    ),
    "Clock": closed({**each(TIME, "timestamp next_open next_close"), "is_open": FLAG}),
    "Day": closed(
        {
            "date": DAY,
            **each({"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"}, "open close"),
            **each({"type": "string", "pattern": "^[0-9]{4}$"}, "session_open session_close"),
            "settlement_date": DAY,
        }
    ),
    "Market": closed({**each(TEXT, "mic acronym name timezone")}),
    "MarketClock": closed(
        {
            "market": refer("Market"),
            "is_market_day": FLAG,
            "phase": words("closed", "pre", "core", "post"),
            **each(TIME, "timestamp next_market_open next_market_close phase_until"),
        }
    ),
    "MarketDay": closed(
        {
            **each(DAY, "date settlement_date"),
            **each(TIME, "pre_start pre_end core_start core_end post_start post_end"),
        }
    ),
    "Announcement": closed(
        {
            "id": ID,
            "ca_type": words("dividend", "split"),
            "ca_sub_type": words("cash", "stock_split", "reverse_split"),
            **each(
                TEXT,
                "corporate_action_id initiating_symbol initiating_original_cusip target_symbol target_original_cusip",
            ),
            **each(DAY, "declaration_date ex_date record_date payable_date"),
            **each(DECIMAL, "cash old_rate new_rate"),
        }
    ),
    "Fill": closed(
        {
            "id": TEXT,
            "activity_type": words("FILL"),
            **each(DECIMAL, "cum_qty leaves_qty price qty"),
            "side": SIDE,
            "symbol": TEXT,
            "transaction_time": TIME,
            "order_id": ID,
            "type": words("fill", "partial_fill"),
            "order_status": STATUS,
        }
    ),
    "Entry": closed(
        {
            "id": TEXT,
            "activity_type": TEXT,
            "date": DAY,
            "net_amount": DECIMAL,
            "created_at": TIME,
            "currency": words("USD"),
            **each(TEXT, "description status symbol activity_sub_type"),
            **each(DECIMAL, "qty price per_share_amount"),
        },
        ("created_at", "symbol", "activity_sub_type", "qty", "price", "per_share_amount"),
    ),
    "History": closed(
        {
            "timestamp": rows(COUNT),
            **each(rows(NUMBER), "equity profit_loss profit_loss_pct"),
            "base_value": NUMBER,
            "base_value_asof": DAY,
            "timeframe": words("1Min", "5Min", "15Min", "1H", "1D"),
            "cashflow": by_symbol(rows(NUMBER)),
        }
    ),
    "Watchlist": closed(
        {
            **each(ID, "id account_id"),
            **each(TIME, "created_at updated_at"),
            "name": TEXT,
            "assets": rows(refer("Asset")),
        },
        ("assets",),
    ),
    "LocateQuote": closed({"symbol": TEXT, "price": DECIMAL, "available_qty": COUNT, "quoted_at": TIME}),
    "LocateQuoteError": closed({**each(TEXT, "symbol code message")}),
    "LocateError": {
        "type": "object",
        "properties": {"code": {"anyOf": [TEXT, COUNT]}, "message": TEXT},
        "required": ["message"],
        "description": "A refusal whose code is a word; those that any call can have carry a number, or none.",
    },
    "Locate": closed(
        {
            "id": ID,
            "symbol": TEXT,
            **each(COUNT, "requested_qty located_qty"),
            **each(DECIMAL, "located_price total_fee"),
            "limit_price": or_null(DECIMAL),
            "all_or_none": FLAG,
            "status": words("active", "expired", "rejected"),
            "rejection_reason": TEXT,
            **each(TIME, "created_at expires_at"),
        },
        ("located_qty", "located_price", "total_fee", "rejection_reason", "expires_at"),
    ),
    "Quote": closed(
        {"t": TIME, **each(NUMBER, "ap as bp bs"), **each(TEXT, "ax bx z"), "c": rows(TEXT)}, ("ax", "bx", "c", "z")
    ),
    "Trade": closed(
        {"t": TIME, **each(NUMBER, "p s"), "i": COUNT, **each(TEXT, "x z tks"), "c": rows(TEXT)}, (*_ON_STOCKS, "tks")
    ),
    "Bar": closed({"t": TIME, **each(NUMBER, "o h l c v vw"), "n": COUNT}),
    "Snapshot": closed(
        {
            "latestTrade": refer("Trade"),
            "latestQuote": refer("Quote"),
            **each(refer("Bar"), "minuteBar dailyBar prevDailyBar"),
        }
    ),
}
