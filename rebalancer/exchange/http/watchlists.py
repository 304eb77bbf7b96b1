"""/v2/watchlists, by id and by name."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rebalancer.exchange import watchlists
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import json_object, parameters


def watchlist_routes(exchange: Exchange) -> list[Route]:
    """Routes of watchlists."""

    def key_of(request: Request) -> tuple[str, str]:
        if "watchlist_id" in request.path_params:
            return "id", request.path_params["watchlist_id"]
        return "name", parameters(request).get("name", "")

    async def listed(_: Request) -> JSONResponse:
        return JSONResponse(watchlists.listed(exchange))

    async def create(request: Request) -> JSONResponse:
        return JSONResponse(watchlists.create(exchange, await json_object(request)))

    async def one(request: Request) -> JSONResponse:
        return JSONResponse(watchlists.get(exchange, *key_of(request)))

    async def update(request: Request) -> JSONResponse:
        return JSONResponse(watchlists.update(exchange, *key_of(request), await json_object(request)))

    async def add(request: Request) -> JSONResponse:
        return JSONResponse(watchlists.add(exchange, *key_of(request), await json_object(request)))

    async def delete(request: Request) -> Response:
        watchlists.delete(exchange, *key_of(request))
        return Response(status_code=204)

    async def remove(request: Request) -> JSONResponse:
        identity, symbol = request.path_params["watchlist_id"], request.path_params["symbol"]
        return JSONResponse(watchlists.remove(exchange, identity, symbol))

    both = ("/v2/watchlists:by_name", "/v2/watchlists/{watchlist_id}")
    methods = (("GET", one), ("PUT", update), ("POST", add), ("DELETE", delete))
    return [
        Route("/v2/watchlists", listed, methods=["GET"]),
        Route("/v2/watchlists", create, methods=["POST"]),
        *(Route(path, handler, methods=[method]) for path in both for method, handler in methods),
        Route("/v2/watchlists/{watchlist_id}/{symbol:path}", remove, methods=["DELETE"]),
    ]
