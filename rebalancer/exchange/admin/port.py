"""The admin port's routes, and who may call them.

There are no keys: whoever can reach a loopback port of this machine may use it. A web page must not (`door`), and every
change has to be announced as JSON, which a page cannot do unasked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rebalancer.exchange.admin import actions
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.door import LOOPBACK_NAMES, Refusal, check_door
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.http.body import json_object
from rebalancer.exchange.streams.hub import Hub

LOOPBACK: Final = "127.0.0.1"
_ACTIONS: Final[dict[str, Callable[[Exchange, actions.Body], Any]]] = {
    "/sim/clock": actions.step_clock,
    "/sim/faults": actions.change_faults,
    "/sim/trade": actions.trade,
    "/sim/cancel": actions.cancel,
    "/sim/halt": actions.halt,
    "/sim/deposit": actions.deposit,
    "/sim/dividend": actions.dividend,
    "/sim/split": actions.split,
    "/sim/borrow": actions.borrow,
    "/sim/release": actions.release,
}


def build_admin(exchange: Exchange, hub: Hub) -> ASGIApp:
    """The application of the admin port."""

    def changing(action: Callable[[Exchange, actions.Body], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> JSONResponse:
            return JSONResponse(action(exchange, await json_object(request)))

        return endpoint

    async def state(_: Request) -> JSONResponse:
        return JSONResponse({**actions.state(exchange), "streams": hub.connected()})

    async def faults(_: Request) -> JSONResponse:
        return JSONResponse(exchange.faults.state())

    async def clear(_: Request) -> Response:
        exchange.faults.clear()
        return Response(status_code=204)

    routes = [
        Route("/sim/state", state, methods=["GET"]),
        Route("/sim/faults", faults, methods=["GET"]),
        Route("/sim/faults", clear, methods=["DELETE"]),
        *(Route(path, changing(action), methods=["POST"]) for path, action in _ACTIONS.items()),
    ]
    return _OriginCheck(Starlette(routes=routes, exception_handlers={ApiError: _refused}))


class _OriginCheck:
    """Refuses what another site's page could send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request of this machine through."""
        try:
            if scope["type"] == "http":
                check_door(scope, LOOPBACK_NAMES)
                if scope["method"] == "POST" and not any(name == b"content-type" for name, _ in scope["headers"]):
                    raise Refusal(415, "send JSON, with Content-Type: application/json")
        except Refusal as refusal:
            await JSONResponse({"message": refusal.message}, refusal.status)(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status)
