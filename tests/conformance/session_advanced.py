"""The scripted session's orders beyond market and limit: stops, classes, auctions, replacements."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from rebalancer.exchange.corporate import announce_dividend, announce_split
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
    legs = {"side": "buy", "ratio_qty": "1", "symbol": "AAPL261218C00270000", "position_intent": "buy_to_open"}
    several = {"order_class": "mleg", "qty": "1", "type": "limit", "limit_price": "1", "time_in_force": "day"}
    call(POST, "several legs", status=422, body={**several, "legs": [legs, legs]})
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


def history(call: Recorder) -> None:
    """The account's value in the past."""
    path = "GET /v2/account/portfolio/history"
    call(path, "the default month")
    call(path, "a day in quarters of an hour", query={"period": "1D", "timeframe": "15Min"})
    call(path, "extended hours", query={"period": "1D", "timeframe": "1H", "intraday_reporting": "extended_hours"})
    around = {"intraday_reporting": "continuous", "pnl_reset": "no_reset", "timeframe": "1H", "period": "1W"}
    call(path, "around the clock", query=around)
    call(path, "between two days", query={"start": "2026-11-01", "end": "2026-11-20", "cashflow_types": "ALL"})
    call(path, "three bounds", status=422, query={"start": "2026-11-01", "end": "2026-11-20", "period": "1W"})
    call(path, "minutes of a year", status=422, query={"period": "1A", "timeframe": "1Min"})


def watchlists(call: Recorder) -> None:
    """Watchlists, by id and by name."""
    root, one, named = "/v2/watchlists", "/v2/watchlists/{watchlist_id}", "/v2/watchlists:by_name"
    made = call(f"POST {root}", "two symbols", body={"name": "first", "symbols": ["AAPL", "BTC/USD"]})
    call(f"POST {root}", "the same name", status=422, body={"name": "first"})
    call(f"POST {root}", "unknown symbol", status=422, body={"name": "other", "symbols": ["ZZZZ"]})
    call(f"POST {root}", "symbols that are no list", status=400, body={"name": "other", "symbols": "AAPL"})
    call(f"POST {root}", "empty", body={"name": "second"})
    call(f"GET {root}", "two")
    call(f"GET {one}", "by id", made["id"])
    call(f"GET {one}", "unknown", NONE_SUCH, status=404)
    call(f"POST {one}", "add", made["id"], body={"symbol": "SPY"})
    call(f"POST {one}", "add again", made["id"], status=422, body={"symbol": "SPY"})
    call(f"PUT {one}", "rename", made["id"], body={"name": "third", "symbols": ["MSFT", "SPY"]})
    call(f"DELETE {one}/{{symbol}}", "take off", made["id"], "MSFT")
    call(f"DELETE {one}/{{symbol}}", "not on it", made["id"], "KO", status=404)
    call(f"GET {named}", "known", query={"name": "third"})
    call(f"GET {named}", "unknown", status=404, query={"name": "fourth"})
    call(f"POST {named}", "add", query={"name": "second"}, body={"symbol": "XOM"})
    call(f"PUT {named}", "change", query={"name": "second"}, body={"name": "second", "symbols": []})
    call(f"DELETE {named}", "known", query={"name": "second"}, status=204)
    call(f"DELETE {named}", "unknown", query={"name": "second"}, status=404)
    call(f"DELETE {one}", "known", made["id"], status=204)
    call(f"GET {root}", "none")


def locates(call: Recorder) -> None:
    """Shares of hard-to-borrow names."""
    quotes, root, one = "GET /v1/locates/quotes", "/v1/locates", "/v1/locates/{locate_id}"
    call(quotes, "no symbols", status=400)
    hard = call(quotes, "some", query={"symbols": "AMC,AAPL,NVR,SPY,ZZZZ"})["quotes"][0]["symbol"]
    call(f"GET {root}", "none")
    call(f"POST {root}", "easy to borrow", status=422, body={"symbol": "AAPL", "qty": 100})
    call(f"POST {root}", "unknown", status=422, body={"symbol": "ZZZZ", "qty": 100})
    call(f"POST {root}", "no round lot", status=400, body={"symbol": "AAPL", "qty": 7})
    call(f"POST {root}", "a quantity that is text", status=400, body={"symbol": "AAPL", "qty": "100"})
    call(f"POST {root}", "not an object", status=400, body=[1])
    made = call(f"POST {root}", "a lot", status=201, body={"symbol": hard, "qty": 100, "limit_price": "1"})
    call(f"POST {root}", "too dear", status=201, body={"symbol": hard, "qty": 100, "limit_price": "0.00001"})
    call(f"GET {root}", "two")
    page = call(f"GET {root}", "a page", query={"limit": 1, "symbol": hard, "start": "2026-11-01"})
    call(f"GET {root}", "the next", query={"limit": 1, "page_token": page["next_page_token"]})
    call(f"GET {root}", "active ones", query={"status": "active"})
    call(f"GET {root}", "wrong status", status=400, query={"status": "filled"})
    call(f"GET {one}", "known", made["id"])
    call(f"GET {one}", "unknown", NONE_SUCH, status=404)
    call(f"GET {one}", "malformed", "7", status=400)


def notices(call: Recorder) -> None:
    """Announced corporate actions."""
    announce_dividend(call.running.exchange, "KO", date(2026, 12, 1), date(2026, 12, 15), Decimal("0.51"))
    announce_split(call.running.exchange, "NKE", date(2026, 12, 2), 2, 1)
    root = "/v2/corporate_actions/announcements"
    span = {"ca_types": "Dividend,split", "since": "2026-11-20", "until": "2026-12-31"}
    rows = call(f"GET {root}", "two", query=span)
    call(f"GET {root}", "by declaration", query={**span, "date_type": "declaration_date", "symbol": "KO"})
    call(f"GET {root}", "no types", status=422, query={"since": "2026-11-20", "until": "2026-12-31"})
    call(f"GET {root}", "no day", status=422, query={"ca_types": "split", "since": "2026-11-20"})
    call(f"GET {root}", "too long", status=422, query={**span, "until": "2027-12-31"})
    call(f"GET {root}", "unknown type", status=422, query={**span, "ca_types": "party"})
    call(f"GET {root}/{{id}}", "one", rows[0]["id"])
    call(f"GET {root}/{{id}}", "unknown", NONE_SUCH, status=404)


def trailing(**changes: Any) -> dict[str, Any]:
    """A trailing sale of one AAPL."""
    return order(**{"symbol": "AAPL", "side": "sell", "type": "trailing_stop", **changes})


PARTS: Final = (stops, classes, auctions, replacements, history, watchlists, locates, notices)
