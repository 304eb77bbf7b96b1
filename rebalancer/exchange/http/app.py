"""The application: all routes behind the gate, and the tick that lets orders fill while nobody asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError, internal
from rebalancer.exchange.faults.gate import FaultGate
from rebalancer.exchange.http.account import account_routes
from rebalancer.exchange.http.data import data_routes
from rebalancer.exchange.http.exact_routes import ExactRoutes
from rebalancer.exchange.http.gate import Gate, GateRules
from rebalancer.exchange.http.history import history_routes
from rebalancer.exchange.http.locates import locate_routes
from rebalancer.exchange.http.orders import order_routes
from rebalancer.exchange.http.positions import position_routes
from rebalancer.exchange.http.reference import reference_routes
from rebalancer.exchange.http.watchlists import watchlist_routes
from rebalancer.exchange.openapi.document import openapi_routes
from rebalancer.exchange.streams.hub import Hub
from rebalancer.exchange.streams.market_stream import market_stream_routes
from rebalancer.exchange.streams.sse import event_routes
from rebalancer.exchange.streams.trade_updates import trade_update_routes

TICK_SECONDS: Final = 0.05
_SAVES: Final = 20  # the clock is saved every so many ticks


def build_app(exchange: Exchange, rules: GateRules, hub: Hub) -> Gate:
    """Everything the server runs."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick(exchange))
        yield
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking

    routes = [
        *account_routes(exchange),
        *history_routes(exchange),
        *order_routes(exchange),
        *position_routes(exchange),
        *reference_routes(exchange),
        *watchlist_routes(exchange),
        *locate_routes(exchange),
        *data_routes(exchange),
        *event_routes(exchange, hub),
        *trade_update_routes(exchange, hub),
        *market_stream_routes(exchange, hub),
        *openapi_routes(),
    ]
    app = Starlette(
        routes=[ExactRoutes(routes), *routes],
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error, ApiError: _api_error, Exception: _fault},
    )
    app.router.redirect_slashes = False
    return Gate(FaultGate(app, exchange, lambda: hub.closing), exchange, rules)


async def _tick(exchange: Exchange) -> None:
    """Let due fills happen, and save the clock about once a second."""
    count = 0
    while True:
        await asyncio.sleep(TICK_SECONDS)
        count += 1
        try:
            if exchange.is_busy:
                exchange.catch_up()
            if count % _SAVES == 0:
                exchange.save_clock()
        except Exception:  # a failed tick must not end all ticks
            logging.getLogger(__name__).exception("a tick failed; the next request meets the same fault")


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: 40410000, 405: 40510000}.get(error.status_code, error.status_code * 100_000)
    message = {404: "endpoint not found", 405: "method not allowed"}.get(error.status_code, error.detail)
    return JSONResponse({"code": code, "message": message}, error.status_code, headers=error.headers)


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status)


async def _fault(_: Request, __: Exception) -> Response:
    """A fault of ours, which the gate writes to the log."""
    return JSONResponse(internal().body, internal().status)
