"""/v2/positions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import positions
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import parameters


def position_routes(exchange: Exchange) -> list[Route]:
    """Routes of positions."""

    async def listed(_: Request) -> JSONResponse:
        return JSONResponse(positions.list_positions(exchange))

    async def close_all(request: Request) -> JSONResponse:
        return JSONResponse(positions.close_all(exchange, parameters(request)), 207)

    async def one(request: Request) -> JSONResponse:
        return JSONResponse(positions.get_position(exchange, request.path_params["name"]))

    async def close(request: Request) -> JSONResponse:
        return JSONResponse(positions.close_position(exchange, request.path_params["name"], parameters(request)))

    return [
        Route("/v2/positions", listed, methods=["GET"]),
        Route("/v2/positions", close_all, methods=["DELETE"]),
        Route("/v2/positions/{name}", one, methods=["GET"]),
        Route("/v2/positions/{name}", close, methods=["DELETE"]),
    ]
