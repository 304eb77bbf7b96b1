"""/v2/assets, the clocks and calendars of /v2 and /v3, and /v2/corporate_actions/announcements."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import corporate_notices, markets, records
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

    async def clocks(request: Request) -> JSONResponse:
        return JSONResponse(markets.get_clocks(exchange, parameters(request)))

    async def market_calendar(request: Request) -> JSONResponse:
        code = request.path_params["market"]
        return JSONResponse(markets.get_market_calendar(exchange, code, parameters(request)))

    async def announcements(request: Request) -> JSONResponse:
        return JSONResponse(corporate_notices.list_announcements(exchange, parameters(request)))

    async def announcement(request: Request) -> JSONResponse:
        return JSONResponse(corporate_notices.get_announcement(exchange, request.path_params["announcement_id"]))

    noticed = "/v2/corporate_actions/announcements"
    return [
        Route("/v2/assets", assets, methods=["GET"]),
        Route("/v2/assets/{name:path}", asset, methods=["GET"]),  # a pair in a path holds a slash
        Route("/v2/clock", clock, methods=["GET"]),
        Route("/v2/calendar", calendar, methods=["GET"]),
        Route("/v3/clock", clocks, methods=["GET"]),
        Route("/v3/calendar/{market}", market_calendar, methods=["GET"]),
        Route(noticed, announcements, methods=["GET"]),
        Route(f"{noticed}/{{announcement_id}}", announcement, methods=["GET"]),
    ]
