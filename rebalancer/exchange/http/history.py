"""/v2/account/activities and /v2/account/portfolio/history: what has happened to the account."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.history import portfolio_history
from rebalancer.exchange.http.body import parameters
from rebalancer.exchange.records import list_activities


def history_routes(exchange: Exchange) -> list[Route]:
    """Routes of the past."""

    async def activities(request: Request) -> JSONResponse:
        kind = request.path_params.get("kind")
        return JSONResponse(list_activities(exchange, kind, parameters(request)))

    async def history(request: Request) -> JSONResponse:
        return JSONResponse(portfolio_history(exchange, parameters(request)))

    return [
        Route("/v2/account/portfolio/history", history, methods=["GET"]),
        Route("/v2/account/activities", activities, methods=["GET"]),
        Route("/v2/account/activities/{kind}", activities, methods=["GET"]),
    ]
