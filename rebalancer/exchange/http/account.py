"""/v2/account, its configurations, activities and history, and what belongs to it: watchlists and locates."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.history import portfolio_history
from rebalancer.exchange.http.body import json_object, parameters
from rebalancer.exchange.http.locates import locate_routes
from rebalancer.exchange.http.watchlists import watchlist_routes
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

    async def history(request: Request) -> JSONResponse:
        return JSONResponse(portfolio_history(exchange, parameters(request)))

    return [
        *watchlist_routes(exchange),
        *locate_routes(exchange),
        Route("/v2/account/portfolio/history", history, methods=["GET"]),
        Route("/v2/account", account, methods=["GET"]),
        Route("/v2/account/configurations", configurations, methods=["GET"]),
        Route("/v2/account/configurations", configure, methods=["PATCH"]),
        Route("/v2/account/activities", activities, methods=["GET"]),
        Route("/v2/account/activities/{kind}", activities, methods=["GET"]),
    ]
