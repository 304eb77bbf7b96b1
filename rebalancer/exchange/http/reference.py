"""/v2/assets, /v2/clock and /v2/calendar."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import records
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import parameters


def reference_routes(exchange: Exchange) -> list[Route]:
    """Routes of reference data."""

    async def assets(request: Request) -> JSONResponse:
        return JSONResponse(records.list_assets(exchange, parameters(request)))

    async def asset(request: Request) -> JSONResponse:
        return JSONResponse(records.get_asset(exchange, request.path_params["name"]))

    async def clock(_: Request) -> JSONResponse:
        return JSONResponse(records.get_clock(exchange))

    async def calendar(request: Request) -> JSONResponse:
        return JSONResponse(records.get_calendar(exchange, parameters(request)))

    return [
        Route("/v2/assets", assets, methods=["GET"]),
        Route("/v2/assets/{name:path}", asset, methods=["GET"]),  # a pair in a path holds a slash
        Route("/v2/clock", clock, methods=["GET"]),
        Route("/v2/calendar", calendar, methods=["GET"]),
    ]
