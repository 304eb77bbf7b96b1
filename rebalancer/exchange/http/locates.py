"""/v1/locates: shares of hard-to-borrow names."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import locates
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import json_object, parameters


def locate_routes(exchange: Exchange) -> list[Route]:
    """Routes of locates."""

    async def quotes(request: Request) -> JSONResponse:
        return JSONResponse(locates.quotes(exchange, parameters(request)))

    async def listed(_: Request) -> JSONResponse:
        return JSONResponse(locates.listed(exchange))

    async def locate(request: Request) -> JSONResponse:
        return JSONResponse(locates.locate(exchange, await json_object(request)), 201)

    return [
        Route("/v1/locates/quotes", quotes, methods=["GET"]),
        Route("/v1/locates", listed, methods=["GET"]),
        Route("/v1/locates", locate, methods=["POST"]),
    ]
