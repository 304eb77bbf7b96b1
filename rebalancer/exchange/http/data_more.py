"""The rest of market data: codes, announced corporate actions, and what has moved most."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import screener
from rebalancer.exchange.announcements import corporate_actions
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import parameters
from rebalancer.exchange.market_reference import VENUES, conditions


def more_routes(exchange: Exchange) -> list[Route]:
    """Routes that have no symbol in common."""

    def venues(_: Request) -> JSONResponse:
        return JSONResponse(VENUES)

    def codes(request: Request) -> JSONResponse:
        return JSONResponse(conditions(request.path_params["ticktype"], parameters(request)))

    def announced(request: Request) -> JSONResponse:
        return JSONResponse(corporate_actions(exchange, parameters(request)))

    def most_actives(request: Request) -> JSONResponse:
        return JSONResponse(screener.most_actives(exchange, parameters(request)))

    def movers(request: Request) -> JSONResponse:
        return JSONResponse(screener.movers(exchange, request.path_params["market_type"], parameters(request)))

    return [
        Route("/v2/stocks/meta/exchanges", venues, methods=["GET"]),
        Route("/v2/stocks/meta/conditions/{ticktype}", codes, methods=["GET"]),
        Route("/v1/corporate-actions", announced, methods=["GET"]),
        Route("/v1beta1/screener/stocks/most-actives", most_actives, methods=["GET"]),
        Route("/v1beta1/screener/{market_type}/movers", movers, methods=["GET"]),
    ]
