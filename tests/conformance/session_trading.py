"""The trading half of the scripted session: account, reference data, orders, positions, activities."""

from __future__ import annotations

from typing import Any, Final

from tests.conformance.recorder import KEYS, Recorder

ONE, NONE_SUCH = "/v2/orders/{order_id}", "00000000-0000-4000-8000-000000000000"
WRONG: Final[dict[str, dict[str, str]]] = {
    "GET /v2/orders": {"status": "nonsense", "nested": "maybe", "side": "short", "asset_class": "art", "limit": "few"},
    "GET /v2/assets": {"status": "dead", "asset_class": "art", "exchange": "MARS", "attributes": "nice"},
    "GET /v2/account/activities": {
        "direction": "up", "page_size": "0", "activity_types": "FILL,LUNCH", "category": "all", "order_id": "7",
        "date": "soon",
    },
    "GET /v2/account/portfolio/history": {
        "timeframe": "2H", "period": "1Y", "intraday_reporting": "always", "pnl_reset": "never", "start": "soon",
        "cashflow_types": "LUNCH", "extended_hours": "maybe",
    },
    "DELETE /v2/positions": {"cancel_orders": "maybe"},
}  # fmt: skip


def account(call: Recorder) -> None:
    """Account, configurations and keys."""
    call("GET /v2/account", "at the start")
    call("GET /v2/account", "no keys", status=401, headers={})
    call("GET /v2/account", "wrong keys", status=401, headers={"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "no"})
    switches = call("GET /v2/account/configurations", "at the start")
    call("PATCH /v2/account/configurations", "suspend", body={"suspend_trade": True})
    call("POST /v2/orders", "while suspended", status=403, body=order())
    call(
        "PATCH /v2/account/configurations", "whole object with nulls", body={**switches, "max_margin_multiplier": None}
    )
    call("PATCH /v2/account/configurations", "wrong value", status=400, body={"max_margin_multiplier": "9"})
    checks = {"pdt_check": "exit", "dtbp_check": "both", "max_options_trading_level": 2}
    call("PATCH /v2/account/configurations", "the checks of old", body=checks)
    checks = {"pdt_check": "entry", "dtbp_check": "entry", "trade_confirm_email": ""}
    call("PATCH /v2/account/configurations", "as they were", body=checks)
    call("GET /v2/account", "another host", status=403, headers={**KEYS, "Host": "evil.example.com"})
    call("POST /v2/orders", "from a web page", status=403, body=order(), headers={**KEYS, "Origin": "https://evil"})
    plain = {**KEYS, "Content-Type": "text/plain"}
    call("POST /v2/orders", "not said to be JSON", status=415, body=order(), headers=plain)


def reference(call: Recorder) -> None:
    """Assets, clock, calendar."""
    rows = call("GET /v2/assets", "all equities")
    call("GET /v2/assets", "active crypto", query={"status": "active", "asset_class": "crypto"})
    call("GET /v2/assets", "inactive", query={"status": "inactive"})
    call(
        "GET /v2/assets",
        "by exchange and attribute",
        query={"exchange": "NYSE", "attributes": "overnight_tradable,ipo"},
    )
    one = "GET /v2/assets/{symbol_or_asset_id}"
    call(one, "by symbol", "AAPL")
    call(one, "by id", rows[0]["id"])
    call(one, "joined pair", "BTCUSD")
    call(one, "encoded pair", "BTC%2FUSD")
    call(one, "unknown", "ZZZZ", status=404)
    call("GET /v2/clock", "in session")
    call("GET /v2/calendar", "all")
    call("GET /v2/calendar", "a week with a half day", query={"start": "2026-11-23", "end": "2026-11-27"})
    call(
        "GET /v2/calendar",
        "by settlement",
        query={"start": "2026-11-27", "end": "2026-11-30", "date_type": "SETTLEMENT"},
    )
    call("GET /v2/calendar", "unreadable day", status=400, query={"start": "soon"})
    call("GET /v2/calendar", "wrong date type", status=400, query={"date_type": "TRADE"})
    call("GET /v3/clock", "the default market")
    call("GET /v3/clock", "two, on a holiday", query={"markets": "NYSE,XNAS", "time": "2026-11-26T15:00:00Z"})
    call("GET /v3/clock", "unknown market", status=400, query={"markets": "MARS"})
    days = "GET /v3/calendar/{market}"
    call(days, "a week from today", "NYSE")
    call(days, "a half day in UTC", "XNYS", query={"start": "2026-11-27", "end": "2026-11-27", "timezone": "UTC"})
    call(days, "unknown market", "MARS", status=400)
    call(days, "unreadable day", "NYSE", status=400, query={"start": "soon"})


def wrong_words(call: Recorder) -> None:
    """Parameters that are one of a few words, and are not."""
    for call_, words in WRONG.items():
        for name, value in words.items():
            call(call_, f"wrong {name}", status=422, query={name: value})
    call("GET /v2/account/activities/{activity_type}", "unknown type", "LUNCH", status=422)
    call("GET /v2/orders/{order_id}", "wrong nested", NONE_SUCH, status=422, query={"nested": "maybe"})


def orders(call: Recorder) -> None:
    """The life of orders."""
    post, get, delete = "POST /v2/orders", f"GET {ONE}", f"DELETE {ONE}"
    first = call(post, "market", body=order(client_order_id="first"))
    call(get, "pending", first["id"])
    call.later()
    call(get, "filled", first["id"])
    call(post, "notional", body=order(qty=None, notional="150.25"))
    call(post, "fractional", body=order(qty="0.375"))
    call(post, "nulls and empty strings", body={**order(), "notional": None, "legs": None, "order_class": ""})
    resting = call(post, "limit gtc", body=limit(time_in_force="gtc"))
    call(post, "limit day", body=limit())
    call(post, "ioc", body=limit(time_in_force="ioc"))
    call(post, "with intent", body=order(position_intent="buy_to_open"))
    call(post, "crypto", body=order(symbol="BTC/USD", qty=None, notional="500", time_in_force="gtc"))
    call(post, "crypto limit", body=limit(symbol="ETH/USD", limit_price="1000", time_in_force="gtc"))
    call(post, "same id again", status=422, body=order(client_order_id="first"))
    call(post, "no quantity", status=422, body=order(qty=None))
    call(post, "unknown asset", status=422, body=order(symbol="ZZZZ"))
    call(post, "below a cent", status=422, body=limit(limit_price="10.123"))
    call(post, "too expensive", status=403, body=order(qty="90000"))
    call(post, "more than held", status=403, body=order(symbol="AAPL", side="sell", qty="90000"))
    call(post, "opposite of a resting order", status=403, body=limit(symbol="MSFT", side="sell", limit_price="9"))
    call(post, "not an object", status=400, body=[1])
    call.later()
    call("GET /v2/orders:by_client_order_id", "known", query={"client_order_id": "first"})
    call("GET /v2/orders:by_client_order_id", "unknown", status=404, query={"client_order_id": "nobody"})
    listed = "GET /v2/orders"
    call(listed, "open")
    call(listed, "closed", query={"status": "closed", "limit": 3, "direction": "asc"})
    call(listed, "all of some symbols", query={"status": "all", "symbols": "MSFT,BTC/USD", "nested": "True"})
    call(listed, "by side and time", query={"status": "all", "side": "buy", "after": "2026-11-20T00:00:00Z"})
    cursor = {"status": "all", "direction": "asc", "after_order_id": first["id"], "limit": 2}
    call(listed, "after a cursor", query=cursor)
    call(listed, "before a cursor", query={"status": "all", "before_order_id": resting["id"]})
    call(listed, "unknown cursor", status=404, query={"after_order_id": NONE_SUCH})
    call(listed, "two cursors", status=422, query={**cursor, "before_order_id": first["id"]})
    call(listed, "wrong direction", status=422, query={"direction": "up"})
    call(get, "unknown", NONE_SUCH, status=404)
    call(get, "malformed id", "7", status=422)
    call(delete, "resting", resting["id"], status=204)
    call(get, "pending cancel", resting["id"])
    call.later()
    call(get, "cancelled", resting["id"])
    call(delete, "cancelled already", resting["id"], status=204)
    call(delete, "filled", first["id"], status=422)
    call(delete, "unknown", NONE_SUCH, status=404)
    call("DELETE /v2/orders", "two open", status=207)
    call.later()
    call("DELETE /v2/orders", "none open", status=207)


def positions(call: Recorder) -> None:
    """Positions and closing them."""
    one = "/v2/positions/{symbol_or_asset_id}"
    rows = call("GET /v2/positions", "some")
    call(f"GET {one}", "by symbol", "MSFT")
    call(f"GET {one}", "by asset id", rows[0]["asset_id"])
    call(f"GET {one}", "crypto", "BTCUSD")
    call(f"GET {one}", "not held", "KO", status=404)
    call(f"DELETE {one}", "a quantity", "MSFT", query={"qty": "1"})
    call.later()
    call(f"DELETE {one}", "a percentage", "MSFT", query={"percentage": "50"})
    call.later()
    call(f"DELETE {one}", "whole crypto", "BTCUSD")
    call.later()
    call(f"DELETE {one}", "not held", "KO", status=404)
    call(f"DELETE {one}", "wrong quantity", "MSFT", status=422, query={"qty": "x"})
    call("POST /v2/orders", "short sale", body=order(symbol="MRK", side="sell", qty="3"))
    call.later()
    call(f"GET {one}", "short", "MRK")
    call("POST /v2/orders", "a sale that holds shares", body=limit(symbol="AAPL", side="sell", limit_price="9999"))
    call("DELETE /v2/positions", "one held by an order", status=207)
    call.later()
    call("DELETE /v2/positions", "cancelling orders", status=207, query={"cancel_orders": "True"})
    call.later()
    call("GET /v2/positions", "none")


def activities(call: Recorder) -> None:
    """What happened to the account."""
    every, kind = "GET /v2/account/activities", "GET /v2/account/activities/{activity_type}"
    call.later(24 * 3600)
    page = call(every, "all", query={"page_size": 5})
    call(every, "next page", query={"page_size": 5, "page_token": page[-1]["id"]})
    call(every, "some types", query={"activity_types": "CSD,CFEE", "direction": "asc"})
    call(every, "trades of a day", query={"category": "trade_activity", "date": "2026-11-20"})
    call(every, "unknown token", status=422, query={"page_token": "nothing"})
    call(kind, "fills", "FILL", query={"after": "2026-11-20T00:00:00Z"})
    call(kind, "deposits", "CSD")
    call(kind, "cash in and out", "TRANS")
    call(kind, "of one order", "FILL", query={"order_id": page[0].get("order_id", NONE_SUCH)})
    call("GET /v2/account", "at the end")


def order(**changes: Any) -> dict[str, Any]:
    """A market order for one MSFT; None takes a field away."""
    body = {"symbol": "MSFT", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", **changes}
    return {name: value for name, value in body.items() if value is not None}


def limit(**changes: Any) -> dict[str, Any]:
    """A limit order for one MSFT far below the market."""
    return order(**{"type": "limit", "limit_price": "10.01", **changes})


BEFORE: Final = (account, reference, wrong_words, orders)
AFTER: Final = (positions, activities)
