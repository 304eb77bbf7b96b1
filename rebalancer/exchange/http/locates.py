"""/v1/locates: shares of hard-to-borrow names."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import locates
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError, locate_refused
from rebalancer.exchange.http.body import json_object, parameters


def locate_routes(exchange: Exchange) -> list[Route]:
    """Routes of locates."""

    async def quotes(request: Request) -> JSONResponse:
        return JSONResponse(locates.quotes(exchange, parameters(request)))

    async def listed(request: Request) -> JSONResponse:
        return JSONResponse(locates.listed(exchange, parameters(request)))

    async def one(request: Request) -> JSONResponse:
        return JSONResponse(locates.get_locate(exchange, request.path_params["locate_id"]))

    async def locate(request: Request) -> JSONResponse:
        try:
            body = await json_object(request)
        except ApiError as error:
            if error.status != 400:
                raise
            raise locate_refused(400, "invalid_request_body", "invalid request body") from None
        return JSONResponse(locates.locate(exchange, body), 201)

    return [
        Route("/v1/locates/quotes", quotes, methods=["GET"]),
        Route("/v1/locates", listed, methods=["GET"]),
        Route("/v1/locates", locate, methods=["POST"]),
        Route("/v1/locates/{locate_id}", one, methods=["GET"]),
    ]
