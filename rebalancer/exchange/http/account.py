"""/v2/account and its configurations."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import json_object


def account_routes(exchange: Exchange) -> list[Route]:
    """Routes of the account."""

    async def account(_: Request) -> JSONResponse:
        return JSONResponse(exchange.account())

    async def configurations(_: Request) -> JSONResponse:
        return JSONResponse(exchange.configurations())

    async def configure(request: Request) -> JSONResponse:
        return JSONResponse(exchange.configure(await json_object(request)))

    return [
        Route("/v2/account", account, methods=["GET"]),
        Route("/v2/account/configurations", configurations, methods=["GET"]),
        Route("/v2/account/configurations", configure, methods=["PATCH"]),
    ]
