"""The scripted session's orders beyond market and limit: stops, classes, auctions, replacements."""

from __future__ import annotations

from typing import Any, Final

from tests.conformance.recorder import Recorder
from tests.conformance.session_trading import NONE_SUCH, limit, order

POST, ONE = "POST /v2/orders", "/v2/orders/{order_id}"


def stops(call: Recorder) -> None:
    """Stop, stop limit and trailing orders."""
    call(POST, "stop", body=order(symbol="HON", type="stop", stop_price="900"))
    call(POST, "stop limit", body=order(symbol="HON", type="stop_limit", stop_price="900", limit_price="901"))
    call(POST, "trailing by price", body=trailing(trail_price="50"))
    trail = call(POST, "trailing by percent", body=trailing(trail_percent="20"))
    call(POST, "stop without a price", status=422, body=order(type="stop"))
    call(POST, "trailing without a trail", status=422, body=trailing())
    call.later()
    call("GET /v2/orders", "stops", query={"status": "open"})
    call(f"PATCH {ONE}", "trail", trail["id"], body={"trail": "15"})
    call.later()
    call("DELETE /v2/orders", "stops", status=207)
    call.later()


def classes(call: Recorder) -> None:
    """Bracket, OCO and OTO."""
    exits = {"take_profit": {"limit_price": "30"}, "stop_loss": {"stop_price": "5", "limit_price": "4.5"}}
    entry = call(POST, "bracket", body=limit(symbol="LIN", order_class="bracket", **exits))
    call.later()
    call(f"GET {ONE}", "bracket, nested", entry["id"], query={"nested": "True"})
    call(f"GET {ONE}", "bracket, flat", entry["id"])
    call("GET /v2/orders", "legs under their entries", query={"nested": "true"})
    call("GET /v2/orders", "legs as orders", query={"nested": "false"})
    call(POST, "oto", body=limit(symbol="DUK", order_class="oto", stop_loss={"stop_price": "5"}))
    call(POST, "bracket without exits", status=422, body=limit(symbol="LIN", order_class="bracket"))
    call.later()
    call("DELETE /v2/orders", "groups", status=207)
    call.later()
    pair = {"take_profit": {"limit_price": "9000"}, "stop_loss": {"stop_price": "5"}}
    exit_ = limit(symbol="AAPL", side="sell", order_class="oco", **pair)
    exit_.pop("limit_price")
    call(POST, "oco", body=exit_)
    call.later()
    call("DELETE /v2/orders", "a pair of exits", status=207)
    call.later()


def auctions(call: Recorder) -> None:
    """Fill or kill, the auctions, extended hours."""
    call(POST, "fill or kill", body=limit(time_in_force="fok"))
    call(POST, "at the close", body=order(time_in_force="cls"))
    call(POST, "at the open, too late", status=403, body=order(time_in_force="opg"))
    call(POST, "extended hours", body=limit(extended_hours=True))
    call(POST, "market in extended hours", status=422, body=order(extended_hours=True))
    call.later()
    call("DELETE /v2/orders", "auctions", status=207)
    call.later()


def replacements(call: Recorder) -> None:
    """PATCH of an order."""
    patch = f"PATCH {ONE}"
    first = call(POST, "to be replaced", body=limit(time_in_force="gtc", qty="3"))
    call(patch, "not sent yet", first["id"], status=422, body={"limit_price": "10.02"})
    call.later()
    second = call(patch, "price and quantity", first["id"], body={"limit_price": "10.02", "qty": "2"})
    call(f"GET {ONE}", "pending replace", first["id"])
    call.later()
    call(f"GET {ONE}", "replaced", first["id"])
    call(patch, "too large", second["id"], status=403, body={"qty": "900000"})
    call(patch, "fraction", second["id"], status=422, body={"qty": "1.5"})
    call(patch, "not a number", second["id"], status=400, body={"qty": "x"})
    call(patch, "replaced already", first["id"], status=422, body={"qty": "1"})
    call(patch, "unknown", NONE_SUCH, status=404, body={"qty": "1"})
    call("DELETE /v2/orders", "a replacement", status=207)
    call.later()


def trailing(**changes: Any) -> dict[str, Any]:
    """A trailing sale of one AAPL."""
    return order(**{"symbol": "AAPL", "side": "sell", "type": "trailing_stop", **changes})


PARTS: Final = (stops, classes, auctions, replacements)
