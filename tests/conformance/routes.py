"""The HTTP routes of a running exchange."""

from __future__ import annotations

import re
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from rebalancer.exchange.starter import RunningExchange


def calls_of(running: RunningExchange) -> set[str]:
    """Every route as "GET /v2/orders/{}"; HEAD goes with GET, and websockets have no method."""
    app: Any = running._gate
    while not isinstance(app, Starlette):
        app = app._app
    return {
        f"{method} {shape(route.path)}"
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or ()) - {"HEAD"}
    }


def shape(template: str) -> str:
    """A path template without the names of its parts, which differ between documents."""
    return re.sub(r"\{[^}]*\}", "{}", template)
