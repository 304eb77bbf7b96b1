"""The table of exact routes answers as trying every route in turn does."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Match

from rebalancer.exchange.faults.gate import FaultGate
from rebalancer.exchange.http.app import build_app
from rebalancer.exchange.http.exact_routes import ExactRoutes
from rebalancer.exchange.http.gate import GateRules
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from rebalancer.exchange.streams.hub import Hub

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_each_exact_path_finds_the_route_that_was_found_in_turn(tmp_path: Path) -> None:
    exchange = open_exchange(ExchangeOptions(state=tmp_path / "exchange.sqlite"))
    rules = GateRules()
    gate = build_app(exchange, rules, Hub(rules.knows))
    assert isinstance(gate._app, FaultGate)
    app = gate._app._app
    assert isinstance(app, Starlette)
    table, *routes = app.router.routes
    assert isinstance(table, ExactRoutes)
    found = 0
    for path in {getattr(route, "path", "/") for route in routes} | {"/v2/nowhere", "/v2/account/"}:
        for method in METHODS:
            scope = {"type": "http", "method": method, "path": path, "root_path": ""}
            match, more = table.matches(scope)
            if match is Match.NONE:
                continue
            assert match is Match.FULL
            first = next(route for route in routes if route.matches(scope)[0] is Match.FULL)
            assert more == first.matches(scope)[1]
            found += 1
    assert found > 40
    exchange.close()
