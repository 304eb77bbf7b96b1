"""Calls of market data that Alpaca has and its OpenAPI file of April 2025 has not: reason, source and answer."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string"}
TOKEN: Final[Schema] = {"type": ["string", "null"]}
NUMBER: Final[Schema] = {"type": "number"}
FLAG: Final[Schema] = {"type": "boolean"}
DAY: Final[Schema] = {"type": "string", "format": "date"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}

_ABSENT: Final = "the file does not hold the path"
_AUCTIONS: Final = "docs.alpaca.markets, Historical auctions"


def _whole(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    """An object with all of these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _rows(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _by_symbol(item: Schema) -> Schema:
    return {"type": "object", "additionalProperties": item}


_SIDE: Final = _rows(_whole({"p": NUMBER, "s": NUMBER}))
_BOOK: Final = _whole({"t": TIME, "b": _SIDE, "a": _SIDE})
_PRINTS: Final = _rows(_whole({"t": TIME, "x": TEXT, "p": NUMBER, "s": NUMBER, "c": TEXT}))
_DAYS: Final = _rows(_whole({"d": DAY, "o": _PRINTS, "c": _PRINTS}))
_ACTION: Final = {
    "id": {"type": "string", "format": "uuid"},
    "symbol": TEXT,
    **dict.fromkeys(("ex_date", "process_date", "payable_date", "record_date"), DAY),
}
_ACTIONS: Final = {
    "cash_dividends": {**_ACTION, "cusip": TEXT, "rate": NUMBER, "special": FLAG, "foreign": FLAG},
    "forward_splits": {**_ACTION, "cusip": TEXT, "new_rate": NUMBER, "old_rate": NUMBER},
    "reverse_splits": {**_ACTION, "old_cusip": TEXT, "new_cusip": TEXT, "new_rate": NUMBER, "old_rate": NUMBER},
}

NEW_DATA_CALLS: Final[dict[str, tuple[str, str, Schema]]] = {
    "GET /v1beta3/crypto/us/latest/orderbooks": (
        "new in v1beta3",
        "docs.alpaca.markets, Latest orderbook; alpaca-py 0.44 Orderbook",
        _whole({"orderbooks": _by_symbol(_BOOK)}),
    ),
    "GET /v2/stocks/auctions": (
        _ABSENT,
        _AUCTIONS,
        _whole({"auctions": _by_symbol(_DAYS), "next_page_token": TOKEN}, ("next_page_token",)),
    ),
    "GET /v2/stocks/{symbol}/auctions": (
        _ABSENT,
        _AUCTIONS,
        _whole({"auctions": _DAYS, "symbol": TEXT, "next_page_token": TOKEN}, ("next_page_token",)),
    ),
    "GET /v1/corporate-actions": (
        _ABSENT,
        "docs.alpaca.markets, Corporate actions; alpaca-py 0.44 CorporateActionsSet",
        _whole(
            {
                "corporate_actions": _whole(
                    {kind: _rows(_whole(row)) for kind, row in _ACTIONS.items()}, tuple(_ACTIONS)
                ),
                "next_page_token": TOKEN,
            },
            ("next_page_token",),
        ),
    ),
    "GET /v1beta1/screener/stocks/most-actives": (
        _ABSENT,
        "docs.alpaca.markets, Screener; alpaca-py 0.44 MostActives",
        _whole(
            {
                "most_actives": _rows(_whole({"symbol": TEXT, "volume": NUMBER, "trade_count": NUMBER})),
                "last_updated": TIME,
            }
        ),
    ),
}
