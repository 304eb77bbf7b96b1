"""/v2/account, its configurations and activities."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import json_object, parameters
from rebalancer.exchange.records import list_activities


def account_routes(exchange: Exchange) -> list[Route]:
    """Routes of the account."""

    async def account(_: Request) -> JSONResponse:
        return JSONResponse(exchange.account())

    async def configurations(_: Request) -> JSONResponse:
        return JSONResponse(exchange.configurations())

    async def configure(request: Request) -> JSONResponse:
        return JSONResponse(exchange.configure(await json_object(request)))

    async def activities(request: Request) -> JSONResponse:
        kind = request.path_params.get("kind")
        return JSONResponse(list_activities(exchange, kind, parameters(request)))

    return [
        Route("/v2/account", account, methods=["GET"]),
        Route("/v2/account/configurations", configurations, methods=["GET"]),
        Route("/v2/account/configurations", configure, methods=["PATCH"]),
        Route("/v2/account/activities", activities, methods=["GET"]),
        Route("/v2/account/activities/{kind}", activities, methods=["GET"]),
    ]
