"""Every documented difference between Alpaca's OpenAPI files of June 2026 and what the exchange sends.

The judge is strict both ways: a property that the files name must be sent, one that they do not name must not, unless a
line here says otherwise. A line that nothing needs is a failure too (`test_session`), so that the table stays true.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

TEXT: Final = {"type": "string"}
COUNT: Final = {"type": "integer"}
DAY: Final = {"type": "string", "format": "date"}
TEXT_OR_NULL: Final = {"type": ["string", "null"]}
TIME_OR_NULL: Final = {"type": ["string", "null"], "format": "date-time"}
ID: Final = {"type": "string", "format": "uuid"}

H2_2026: Final = "OpenAPI 'Trading API' 2.0.1, alpacahq/cli api/specs/trading-api.json (second half of 2026)"
CHANGELOG: Final = "docs.alpaca.markets, changelog of "
PDT: Final = f"{CHANGELOG}2026-07-06; alpacahq/alpaca-py#686"
RECORDED: Final = "answers recorded in alpaca-py's own tests (tests/trading/trading_client)"
FILE: Final = "the file itself: not required, and described as sent for some answers only"
OLD_CRYPTO: Final = "docs.alpaca.markets, Crypto Pricing Data, before v1beta3 replaced it"


class Change(NamedTuple):
    """Properties of one schema that differ.

    `gone` are never sent, `optional` only sometimes, `added` are new, `changed` have another type; the last two carry
    their schema. An enum is changed under the empty name: its further words.
    """

    schema: str
    reason: str
    source: str
    gone: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    added: dict[str, dict[str, Any]] = {}  # noqa: RUF012 - a tuple's default, never written to
    changed: dict[str, dict[str, Any]] = {}  # noqa: RUF012 - a tuple's default, never written to


_GROUP: Final = {"group_id": ID, "group_role": {"enum": ["parent", "take_profit", "stop_loss"]}}
_REFUSED: Final = {"anyOf": [{"$ref": "#/schemas/Order"}, {"$ref": "#/schemas/Refusal"}]}
_IN_CURRENCY: Final = (
    *(f"stock_latest_{kind}_resp{one}" for kind in ("quotes", "trades", "bars") for one in ("", "_single")),
    *(f"stock_{kind}_resp{one}" for kind in ("quotes", "trades", "bars", "auctions") for one in ("", "_single")),
    "stock_snapshots_resp_single",
)

CHANGES: Final = (
    Change(
        "Account",
        "day-trade fields were removed with the pattern day trader rule",
        PDT,
        gone=("pattern_day_trader", "daytrade_count", "daytrading_buying_power"),
    ),
    Change(
        "Account",
        "fields that the file leaves out",
        f"{H2_2026}; {RECORDED}",
        added={
            **dict.fromkeys(("effective_buying_power", "position_market_value"), TEXT),
            "crypto_tier": COUNT,
            "admin_configurations": {"type": "object"},
            "user_configurations": {"type": ["object", "null"]},
        },
    ),
    Change(
        "AccountConfigurations",
        "the switches of the pattern day trader rule were removed; one that a client has set is sent",
        PDT,
        optional=("dtbp_check", "pdt_check"),
    ),
    Change(
        "Order",
        "fields that the file leaves out",
        f"{H2_2026}; {RECORDED}",
        added={"subtag": TEXT_OR_NULL, "source": TEXT_OR_NULL},
    ),
    Change(
        "Order",
        "orders of a bracket, oco or oto tell their group; the role of the first is chosen",
        f"{CHANGELOG}2026-10-08",
        optional=tuple(_GROUP),
        added=_GROUP,
    ),
    Change(
        "OrderLeg",
        "a leg has all fields of an order",
        RECORDED,
        added={
            "expires_at": TIME_OR_NULL,
            **dict.fromkeys(("ratio_qty", "subtag", "source"), TEXT_OR_NULL),
            **_GROUP,
        },
    ),
    Change(
        "Assets",
        "CUSIPs are licensed; sizes are sent for crypto only, borrowing and requirements where the asset trades",
        f"{FILE}; {H2_2026}; {RECORDED}",
        optional=(
            "cusip", "borrow_status", "maintenance_margin_requirement", "margin_requirement_long",
            "margin_requirement_short", "min_order_size", "min_trade_increment", "price_increment",
        ),
    ),
    *(
        Change(name, "crypto is listed at CRYPTO", "alpacahq/alpaca-py#624, AssetExchange",
               changed={"": {"enum": ["CRYPTO"]}})
        for name in ("Exchange", "ExchangeForPosition")
    ),
    Change(
        "Position",
        "only for accounts in another currency",
        FILE,
        optional=("usd", "swap_rate", "avg_entry_swap_rate", "prev_swap_rate"),
    ),
    Change(
        "CanceledOrderResponse",
        "the order, or why it was not cancelled",
        f"{RECORDED}; alpacahq/alpaca-docs broker-api/trading/orders.md",
        added={"body": _REFUSED},
    ),
    Change("PositionClosedReponse", "a refusal stands where the order would", RECORDED, changed={"body": _REFUSED}),
    Change(
        "PositionClosedReponse",
        "the liquidation's order",
        "alpaca-py 0.44 ClosePositionResponse.order_id",
        optional=("order_id",),
        added={"order_id": ID},
    ),
    Change(
        "NonTradeActivities",
        "a plain date, and fields only where the entry has any",
        f"{FILE}; its example of a dividend",
        optional=("symbol", "cusip", "qty", "per_share_amount", "activity_sub_type", "group_id"),
        changed={"date": DAY},
    ),
    Change(
        "NonTradeActivities",
        "fields that the file leaves out",
        H2_2026,
        optional=("price",),
        added=dict.fromkeys(("description", "price"), TEXT),
    ),
    Change(
        "Locate",
        "a rejected locate has a reason and nothing else",
        FILE,
        optional=("expires_at", "located_price", "located_qty", "total_fee", "rejection_reason"),
    ),
    Change(
        "GET_v2_corporate_actions_announcements",
        "the file names the id twice; a dividend or split does not expire",
        "alpaca-py 0.44 CorporateActionAnnouncement",
        gone=("corporate_actions_id", "expiration_date"),
    ),
    Change(
        "GET_v2_corporate_actions_announcements_id",
        "the file names the id otherwise than in the list, and leaves the ex-date out",
        "alpaca-py 0.44 CorporateActionAnnouncement",
        gone=("corporate_actions_id", "expiration_date"),
        added={"corporate_action_id": TEXT, "ex_date": DAY},
    ),
    Change("public_market", "the file does not say what it is", FILE, optional=("bic",)),
    Change("calendar_day", "the markets here have no break", FILE, optional=("lunch_start", "lunch_end")),
    *(Change(name, "told when it is asked for", FILE, optional=("currency",)) for name in _IN_CURRENCY),
    Change("stock_trade", "a trade that stands", FILE, optional=("u",)),
    Change(
        "corporate_actions",
        "kinds without an action",
        FILE,
        optional=(
            "cash_dividends", "stock_dividends", "cash_mergers", "stock_mergers", "stock_and_cash_mergers",
            "forward_splits", "reverse_splits", "unit_splits", "name_changes", "partial_calls", "redemptions",
            "reorganizations", "rights_distributions", "spin_offs", "worthless_removals",
        ),
    ),
    Change(
        "cash_dividend",
        "plain dividends in USD; ISINs are licensed",
        FILE,
        optional=("currency", "isin", "due_bill_on_date", "due_bill_off_date", "sub_type"),
    ),
    Change(
        "forward_split",
        "splits in USD without due bills; ISINs are licensed",
        FILE,
        optional=("currency", "isin", "due_bill_redemption_date"),
    ),
    Change(
        "reverse_split",
        "splits in USD that keep the symbol; ISINs are licensed",
        FILE,
        optional=("currency", "old_isin", "new_isin", "new_symbol"),
    ),
)  # fmt: skip


class Call(NamedTuple):
    """A call that the files do not hold, and its answer."""

    reason: str
    source: str
    answer: dict[str, Any]


_ROWS: Final = {"quotes": "crypto_quote", "trades": "crypto_trade", "bars": "crypto_bar"}
_TOKEN: Final = {"type": ["string", "null"]}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


def _each(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}


def _refer(name: str) -> dict[str, Any]:
    return {"$ref": f"#/schemas/{name}"}


def _old_crypto() -> dict[str, dict[str, Any]]:
    """The answers under v1beta1: symbols without a slash, rows as in v1beta3."""
    root, found = "GET /v1beta1/crypto", dict[str, dict[str, Any]]()
    for kind, name in _ROWS.items():
        rows = {"type": "array", "items": _refer(name)}
        found[f"{root}/{kind}/latest"] = _closed({kind: _each(_refer(name))})
        found[f"{root}/{kind}"] = _closed({kind: _each(rows), "next_page_token": _TOKEN})
        found[f"{root}/{{symbol}}/{kind}/latest"] = _closed({"symbol": TEXT, kind.removesuffix("s"): _refer(name)})
        found[f"{root}/{{symbol}}/{kind}"] = _closed({"symbol": TEXT, kind: rows, "next_page_token": _TOKEN})
    found[f"{root}/snapshots"] = _each(_refer("crypto_snapshot"))
    found[f"{root}/{{symbol}}/snapshot"] = _refer("crypto_snapshot")
    return found


CALLS: Final = {
    call: Call("gone from the file since v1beta3 replaced it; kept for old clients", OLD_CRYPTO, answer)
    for call, answer in _old_crypto().items()
}

REFUSAL: Final = {
    "type": "object",
    "properties": {"code": COUNT, "message": TEXT},
    "required": ["message"],
}
"""The error envelope, where the files describe none; 401 and market data have no code."""
