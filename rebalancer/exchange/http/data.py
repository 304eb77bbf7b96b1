"""Market data: /v2/stocks, /v1beta3/crypto/{location}, and /v1beta1/crypto with its joined names; codes, announced
corporate actions, what has moved most, and news, of which there are none.

Pages run outside of the event loop, so that a long one keeps no order waiting; so do the latest values of many symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import market_data, screener
from rebalancer.exchange.announcements import corporate_actions
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.data_parameters import LOCATIONS, location
from rebalancer.exchange.http.body import parameters
from rebalancer.exchange.market_data import Names
from rebalancer.exchange.market_reference import VENUES, conditions
from rebalancer.exchange.market_rows import Row

_STOCKS, _CRYPTO, _OLD_CRYPTO = "/v2/stocks", "/v1beta3/crypto/{loc}", "/v1beta1/crypto"
_KINDS = ("quotes", "trades", "bars")
_LATEST_KINDS = (*_KINDS, "orderbooks")
_FEW: Final = 30  # symbols whose latest values are computed faster than a thread is woken


def data_routes(exchange: Exchange) -> list[Route]:
    """Routes of market data. They take GET only, not even HEAD."""
    routes = [
        *_routes(exchange, _STOCKS, "stocks", _STOCKS + "/{kind}/latest", pages=(*_KINDS, "auctions"), wrapped=False),
        *_routes(exchange, _CRYPTO, "pairs", _CRYPTO + "/latest/{kind}", pages=_KINDS, wrapped=True),
        *_routes(exchange, _OLD_CRYPTO, "joined", _OLD_CRYPTO + "/{kind}/latest", pages=_KINDS, wrapped=False),
        *_single_routes(exchange, _STOCKS, "stocks", (*_KINDS, "auctions")),
        *_single_routes(exchange, _OLD_CRYPTO, "joined", _KINDS),
        *_more_routes(exchange),
    ]
    for route in routes:
        assert route.methods is not None
        route.methods.discard("HEAD")
    return routes


def _routes(
    exchange: Exchange, root: str, names: Names, latest_path: str, *, pages: tuple[str, ...], wrapped: bool
) -> list[Route]:
    """Calls on several symbols."""

    def asked(request: Request) -> dict[str, str]:
        location(request.path_params.get("loc", LOCATIONS[0]))
        return parameters(request)

    async def latest(request: Request) -> JSONResponse:
        kind = next(part for part in request.scope["path"].split("/") if part in _LATEST_KINDS)
        wanted = asked(request)
        rows = await _rows(lambda: market_data.latest(exchange, kind, wanted, names), wanted)
        return JSONResponse({kind: rows, **market_data.currency(wanted, names)})

    async def snapshots(request: Request) -> JSONResponse:
        wanted = asked(request)
        found = await _rows(lambda: market_data.snapshots(exchange, wanted, names), wanted)
        return JSONResponse({"snapshots": found} if wrapped else found)

    def page(request: Request) -> JSONResponse:
        kind = request.scope["path"].rpartition("/")[2]
        return JSONResponse(market_data.page(exchange, kind, asked(request), names))

    latest_kinds = _LATEST_KINDS if names == "pairs" else _KINDS
    return [
        *(Route(latest_path.replace("{kind}", kind), latest, methods=["GET"]) for kind in latest_kinds),
        Route(f"{root}/snapshots", snapshots, methods=["GET"]),
        *(Route(f"{root}/{kind}", page, methods=["GET"]) for kind in pages),
    ]


async def _rows(compute: Callable[[], dict[str, Row]], wanted: dict[str, str]) -> dict[str, Row]:
    """Latest values: of few symbols at once, of many beside the event loop."""
    if wanted.get("symbols", "").count(",") < _FEW:
        return compute()
    return await run_in_threadpool(compute)


def _single_routes(exchange: Exchange, root: str, names: Names, pages: tuple[str, ...]) -> list[Route]:
    """Calls on one symbol, which stands in the path."""

    def asked(request: Request) -> dict[str, str]:
        return {**parameters(request), "symbols": request.path_params["symbol"].replace(",", " ")}

    def latest(request: Request) -> JSONResponse:
        kind = request.scope["path"].split("/")[-2]
        return JSONResponse(market_data.latest_one(exchange, kind, asked(request), names))

    def snapshot(request: Request) -> JSONResponse:
        return JSONResponse(market_data.snapshot_one(exchange, asked(request), names))

    def page(request: Request) -> JSONResponse:
        kind = request.scope["path"].rpartition("/")[2]
        return JSONResponse(market_data.page_one(exchange, kind, asked(request), names))

    return [
        *(Route(f"{root}/{{symbol}}/{kind}/latest", latest, methods=["GET"]) for kind in _KINDS),
        Route(f"{root}/{{symbol}}/snapshot", snapshot, methods=["GET"]),
        *(Route(f"{root}/{{symbol}}/{kind}", page, methods=["GET"]) for kind in pages),
    ]


def _more_routes(exchange: Exchange) -> list[Route]:
    """Routes that have no symbol in common."""

    def venues(_: Request) -> JSONResponse:
        return JSONResponse(VENUES)

    def codes(request: Request) -> JSONResponse:
        return JSONResponse(conditions(request.path_params["ticktype"], parameters(request)))

    def announced(request: Request) -> JSONResponse:
        return JSONResponse(corporate_actions(exchange, parameters(request)))

    def news(request: Request) -> JSONResponse:
        return JSONResponse(market_data.news(parameters(request)))

    def most_actives(request: Request) -> JSONResponse:
        return JSONResponse(screener.most_actives(exchange, parameters(request)))

    def movers(request: Request) -> JSONResponse:
        return JSONResponse(screener.movers(exchange, request.path_params["market_type"], parameters(request)))

    return [
        Route("/v2/stocks/meta/exchanges", venues, methods=["GET"]),
        Route("/v2/stocks/meta/conditions/{ticktype}", codes, methods=["GET"]),
        Route("/v1/corporate-actions", announced, methods=["GET"]),
        Route("/v1beta1/news", news, methods=["GET"]),
        Route("/v1beta1/screener/stocks/most-actives", most_actives, methods=["GET"]),
        Route("/v1beta1/screener/{market_type}/movers", movers, methods=["GET"]),
    ]
