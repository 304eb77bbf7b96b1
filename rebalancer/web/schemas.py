"""The JSON Schemas of bodies that the routes read themselves, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": ["number", "string"]}
_PRICE: Final = {"type": ["number", "string", "null"], "description": "USD"}
_SCORE_ROW: Final[dict[str, Any]] = {
    "symbol": {"type": "string", "examples": ["AAPL"]},
    "action": {"type": ["string", "null"], "enum": ["BUY", "SELL", "FLAT", "CLOSE", "HOLD", None]},
    "score": {"type": ["number", "string", "null"], "description": "-1 to 1, instead of an action"},
    "confidence": {"type": ["number", "string", "null"]},
    "entry_price": _PRICE,
    "stop_price": _PRICE,
    "target_price": _PRICE,
    "id": {"type": ["string", "null"], "maxLength": 128},
    "source": {"type": ["string", "null"], "maxLength": 64},
    "issued_at": {"type": ["string", "null"], "format": "date-time"},
}


def _object(properties: dict[str, Any], *required: str, more: bool = True) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(required), "additionalProperties": more
    }  # fmt: skip


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


EXECUTE: Final = _object(_SCORE_ROW, "symbol", more=False)
_ROW: Final = _object({**_SCORE_ROW, "target": {**_NUMBER, "description": "a signed fraction, instead of a score"}})
SIGNALS: Final = {
    "anyOf": [
        _object({"signals": {"type": "array", "items": _ROW, "maxItems": 10_000}}, "signals", more=False),
        {"type": "array", "items": _ROW, "maxItems": 10_000},
    ]
}
TARGETS: Final = _object(
    {
        "schema": {"type": "string", "enum": ["rebalancer.targets/1"]},
        "as_of": {"type": ["string", "null"]},
        "complete": {"type": "boolean"},
        "close_all": {"type": "boolean"},
        "weights_of": {"type": ["string", "null"], "enum": ["equity", "capital", None]},
        "targets": {
            "type": "array",
            "items": _object({"symbol": _TEXT, "weight": _NUMBER}, "symbol", "weight", more=False),
            "maxItems": 10_000,
        },
    },
    "targets",
    more=False,
)
KILL: Final = _object({"reason": {"type": "string", "minLength": 1, "maxLength": 500}}, "reason", more=False)

_RECEIPT: Final = _object({"id": _TEXT, "problem": {"type": ["string", "null"]}}, "id", "problem")
_RECEIPT_LIST: Final = {"type": "array", "items": _RECEIPT}
EXECUTED: Final = _answer(
    "The broker has the order",
    _object(
        {
            "success": {"type": "boolean"}, "order_id": _TEXT, "client_order_id": _TEXT, "signal_id": _TEXT,
            "qty": _TEXT,
        },
        "success", "order_id", "client_order_id", "signal_id", "qty",
    ),
)  # fmt: skip
LATER: Final = _answer(
    "Stored; nobody trades now",
    _object({"receipt": _TEXT, "because": _TEXT, "ask": _TEXT, "signal_id": _TEXT}, "receipt", "because", "ask"),
)
RECEIPTS: Final = _answer("One receipt for each row", _object({"receipts": _RECEIPT_LIST}, "receipts"))
TARGETS_TAKEN: Final = _answer(
    "The book of this source",
    _object({"source": _TEXT, "complete": {"type": "boolean"}, "receipts": _RECEIPT_LIST}, "source", "receipts"),
)
KILLED: Final = _answer("The kill switch is set", _object({"kill_switch": _TEXT}, "kill_switch"))
